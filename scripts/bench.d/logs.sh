# The third table of scripts/bench: logs of 1 GiB that a server finds on disk. Sourced by it after server.sh, whose
# functions it uses; needs its $work, $RUNS and ${tool[…]}. The measuring is done by benches/logs.rs, which prints a
# line of JSON for each value; it needs no engine, and 1.1 GiB in $work.

# measure_logs [SHAPE…]: all shapes of logs, or these.
measure_logs() {
    CARGO_PROFILE_BENCH_LTO=off CARGO_PROFILE_BENCH_CODEGEN_UNITS=16 \
        cargo bench --quiet --locked --target-dir target/bench/cargo --bench logs -- \
        "${tool[ours]}" "$work" "$RUNS" "$@" >"$work/results/logs.json"
}

# log_row TITLE UNIT FORMAT KIND TARGET WHAT PERCENTILE FACTOR: KIND is "most", "least", or "" for no target.
log_row() {
    local shape
    awk -v title="$1" -v unit="$2" -v f="$3" -v kind="$4" -v target="$5" \
        -v values="$(for shape in plain coloured short; do of "logs.$shape.$6" ours "$7" "$8"; done | paste -sd' ')" '
        function number(n) { return n == "-" ? "not measured" : sprintf(f " %s", n, unit) }
        BEGIN {
            split(values, v, " ")
            if (kind == "most")  { ok = v[1] <= target; want = sprintf("<= %s %s", target, unit) }
            if (kind == "least") { ok = v[1] >= target; want = sprintf(">= %s %s", target, unit) }
            if (v[1] == "-") ok = 0
            printf "| %s | %s | %s | %s | %s | %s |\n", title, number(v[1]), number(v[2]), number(v[3]), want, kind == "" ? "" : ok ? "yes" : "**no**"
        }'
}

# The table.
logs_table() {
    local table=logs
    cat <<'HEAD'
## Logs of 1 GiB

The server alone, which has just started and finds a finished session: lines of 15 to 60 bytes, plain and coloured in
messages of 32 KiB; and 256 MiB of plain ones in messages of one line each, whose trace is as large. Times are those of
calls over the socket. Targets are for the first.

| what | plain | coloured | a message a line | to reach | reached |
|---|---|---|---|---|---|
HEAD
    log_row 'first call: the last 100 lines' ms %.1f most 10 open 50 1000
    log_row 'the whole trace without the text of logs' ms %.1f most 10 trace 50 1000
    log_row '100 lines from anywhere, p50' ms %.2f '' '' window 50 1000
    log_row '100 lines from anywhere, p99' ms %.2f most 10 window 99 1000
    log_row 'memory of the server for it' MiB %.1f most 8 memory.window 50 0.00000095367431640625
    log_row 'search, a match in 1000 lines: first hit' ms %.1f most 50 search.first 50 1000
    log_row 'search, a match in 1000 lines: all' s %.2f most 0.5 search 50 1
    log_row 'search, no match' s %.2f most 0.5 search.never 50 1
    log_row 'search, a regular expression' s %.2f '' '' search.regex 50 1
    log_row 'memory of the server, search included' MiB %.1f most 8 memory.search 50 0.00000095367431640625
    log_row 'lost places are made again from the trace' s %.2f '' '' restore 50 1
    log_row 'what recording them costs: log that is counted' MB/s %.0f '' '' index.speed 50 0.000001
    log_row 'their size on disk' KiB %.0f '' '' index.bytes 50 0.0009765625
}
