# The second table of scripts/bench: the shared server beside that of buildx 0.13.1. Sourced by it; needs its
# $work, $peers, $RUNS and ${tool[…]}. The measuring is done by benches/server.rs, which prints a line of JSON for
# each value.

# measure_server [ROW…]: all rows, or these.
measure_server() {
    # Not the program that is measured: it is not optimised as a whole, which would take minutes.
    CARGO_PROFILE_BENCH_LTO=off CARGO_PROFILE_BENCH_CODEGEN_UNITS=16 \
        cargo bench --quiet --locked --target-dir target/bench/cargo --bench server -- \
        "${tool[ours]}" "${tool[trixie]}" "$work/engine/docker.sock" "$work" "$RUNS" "${SESSIONS:-1000}" "$@" \
        >"$work/results/server.json"
}

# of WHAT WHO PERCENTILE FACTOR: one number; "-" when nothing was measured. Of $table: server or logs.
table=server
of() {
    jq -r --arg what "$1" --arg who "$2" 'select(.what == $what and .who == $who) | .value' "$work/results/$table.json" |
        sort -g | awk -v p="$3" -v k="$4" '{ v[NR] = $1 } END {
            if (NR == 0) { print "-"; exit }
            i = int(NR * p / 100 + 0.999999); if (i < 1) i = 1
            print v[i] * k
        }'
}

# server_row TITLE UNIT FORMAT KIND TARGET WHAT PERCENTILE FACTOR [PEER]: KIND is "most", or "engine" for so many
# times what the engine does by itself. PEER says why it has no number.
server_row() {
    awk -v title="$1" -v unit="$2" -v f="$3" -v kind="$4" -v target="$5" -v a="$(of "$6" ours "$7" "$8")" \
        -v b="$(of "$6" peer "$7" "$8")" -v c="$(of "$6" engine "$7" "$8")" -v why="${9:-failed}" '
        function number(n, none) { return n == "-" ? none : sprintf(f " %s", n, unit) }
        BEGIN {
            if (kind == "most")   { ok = a <= target;     want = sprintf("<= %s %s", target, unit) }
            if (kind == "engine") { ok = a >= target * c; want = sprintf(">= %.2fx the engine", target) }
            if (a == "-" || (kind == "engine" && c == "-")) ok = 0
            printf "| %s | %s | %s | %s | %s | %s |\n", title, number(a, "failed"), number(b, why), number(c, ""), want, ok ? "yes" : "**no**"
        }'
}

# The table.
server_table() {
    local keys=$((RUNS * 50)) # as benches/server/rows.rs has it
    cat <<HEAD
## The shared server

In the same run on the same engine, whose limits of log size and speed are off: ours in the background beside the
detached server of 0.13.1, both driven through pseudo-terminals. Keys: $keys for each number, typed into \`cat\` in a
container; the flood is a step that prints 10 MB/s. "The engine" is the same through the gateway API without any server;
its output is copied to a terminal, as that of the others is. Finished sessions come from real
builds of one file in an empty image, whose state is kept as by default; lists are of ${SESSIONS:-1000} of them, and so
is what comes back after a kill. Times of commands include the start of the client and its end.

| what | ours | 0.13.1 | the engine | to reach | reached |
|---|---|---|---|---|---|
HEAD
    server_row 'server launched, first list shown' ms %.0f most 60 start 50 1000
    server_row 'server idle, resident memory' MiB %.1f most 15 idle 50 0.00000095367431640625
    server_row 'memory for each finished session' KiB %.0f most 256 session 50 0.0009765625 'keeps none'
    server_row 'list of finished sessions, the call' ms %.1f most 30 list.call 50 1000 'keeps none'
    server_row 'list of finished sessions, `debug ls`' ms %.1f most 30 list.command 50 1000 'keeps none'
    server_row 'key to echo, p50' ms %.2f most 0.7 echo.idle 50 1000
    server_row 'key to echo, p99' ms %.2f most 2.5 echo.idle 99 1000
    server_row 'the same while another session floods its log, p50' ms %.2f most 0.7 echo.flood 50 1000
    server_row 'the same while another session floods its log, p99' ms %.2f most 2.5 echo.flood 99 1000
    server_row 'output of a shell' MB/s %.1f engine 0.95 output 50 0.000001
    server_row 'attach to a process whose session has a log of 1 GiB: first screen' ms %.0f most 50 attach 50 1000 impossible
    server_row 'failed RUN to a usable prompt' ms %.0f most 500 prompt 50 1000
    server_row 'server killed to sessions listed again' ms %.0f most 200 again 50 1000 impossible
    if [ "$(of output.bare engine 50 1)" != - ]; then
        printf '\nWithout the copy to a terminal the engine gives %.1f MB/s of a shell.\n' "$(of output.bare engine 50 0.000001)"
    fi
    if [ "$(of log.speed ours 50 1)" != - ]; then
        printf '\nThe log of 1 GiB came in at %.1f MB/s.\n' "$(of log.speed ours 50 0.000001)"
    fi
}
