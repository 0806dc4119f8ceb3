# The fourth table of scripts/bench: the full screen. Sourced by it after server.sh, whose functions it uses; needs its
# $work, $RUNS and ${tool[…]}, and tmux. The measuring is done by benches/screen.rs, which prints a line of JSON for
# each value.

# measure_screen [ROW…]: all rows, or these.
measure_screen() {
    CARGO_PROFILE_BENCH_LTO=off CARGO_PROFILE_BENCH_CODEGEN_UNITS=16 \
        cargo bench --quiet --locked --target-dir target/bench/cargo --bench screen -- \
        "${tool[ours]}" "${tool[trixie]}" "$work/engine/docker.sock" "$work" "$RUNS" "${SESSIONS:-1000}" "$@" \
        >"$work/results/screen.json"
}

# screen_row TITLE UNIT FORMAT KIND TARGET WHAT PERCENTILE FACTOR: KIND is "most"; "share" for the difference to the
# engine alone; "tmux" for so many times what tmux does; or "" for no target.
screen_row() {
    awk -v title="$1" -v unit="$2" -v f="$3" -v kind="$4" -v target="$5" -v a="$(of "$6" ours "$7" "$8")" \
        -v b="$(of "$6" tmux "$7" "$8")" -v c="$(of "$6" engine "$7" "$8")" '
        function number(n) { return n == "-" ? "" : sprintf(f " %s", n, unit) }
        BEGIN {
            want = kind == "" ? "" : sprintf("<= %s %s", target, unit)
            if (kind == "most")  { ok = a <= target }
            if (kind == "share") { ok = c != "-" && a - c <= target; share = sprintf(": " f " %s", a - c, unit) }
            if (kind == "tmux")  { ok = b != "-" && a >= target * b; want = sprintf(">= %.2fx tmux", target) }
            if (a == "-") { ok = 0; share = "" }
            printf "| %s | %s | %s | %s | %s | %s |\n", title, a == "-" ? "not measured" : number(a), number(b), number(c), want, kind == "" ? "" : (ok ? "yes" : "**no**") share
        }'
}

# The table.
screen_table() {
    # As benches/screen has them.
    local table=screen keys=$((RUNS * 50)) switches=$((RUNS * 30)) sessions=${SESSIONS:-200}
    [ "$sessions" -le 200 ] || sessions=200
    cat <<HEAD
## The full screen

\`buildx debug\` in pseudo-terminals of 120 by 40 cells, which are read as fast as possible. Frames count when they are
there whole. Failures: from the time at which the engine says that the step had ended. Keys: $keys, typed into \`cat\` in
the shell of a failed step; "our share" is the difference of the percentiles of ours and of the engine alone, through
the gateway API. Switches: $switches each, with $sessions sessions, back and forth. Output: \`cat\` of a text of 32 MiB until its
end is drawn, the shell having the whole screen. In a container: ours beside $(tmux -V) around the shell of 0.13.1, on
the same engine. On this machine: our host shell beside a shell in tmux.

| what | ours | tmux | the engine | to reach | reached |
|---|---|---|---|---|---|
HEAD
    screen_row 'command to first frame, server running' ms %.1f most 25 start.running 50 1000
    screen_row 'the same, to the steps of the session' ms %.1f '' '' start.shown 50 1000
    screen_row 'command to first frame, server not running' ms %.1f most 90 start.stopped 50 1000
    screen_row 'failed RUN to error card' ms %.0f most 100 failure.card 50 1000
    screen_row 'failed RUN to a ready prompt, p50' ms %.0f most 500 failure.prompt 50 1000
    screen_row 'the step'\''s last words to its end, as the engine says' ms %.0f '' '' failure.engine 50 1000
    screen_row 'key to echo on the screen, p50; our share' ms %.2f share 1 echo.idle 50 1000
    screen_row 'key to echo on the screen, p99; our share' ms %.2f share 5 echo.idle 99 1000
    screen_row 'the same while another session floods its log, p50' ms %.2f '' '' echo.flood 50 1000
    screen_row 'the same while another session floods its log, p99; our share' ms %.2f share 16 echo.flood 99 1000
    screen_row 'switch to another session, p50' ms %.2f '' '' switch.session 50 1000
    screen_row 'switch to another session, p99' ms %.2f most 16 switch.session 99 1000
    screen_row 'switch to another pane, p99' ms %.2f most 16 switch.pane 99 1000
    screen_row 'frame of 200x60, every cell changed: CPU' ms %.2f most 3 frame.full 50 1000
    screen_row 'frame of 200x60, every cell changed: bytes' KB %.1f most 60 frame.full.bytes 50 0.001
    screen_row 'typical frame of 200x60, a key and the clock: CPU' ms %.2f most 0.5 frame.echo 50 1000
    screen_row 'typical frame of 200x60, a key and the clock: bytes' KB %.2f most 2 frame.echo.bytes 50 0.001
    screen_row 'frame of 200x60, one more line in a full shell: CPU' ms %.2f '' '' frame.line 50 1000
    screen_row 'frame of 200x60, one more line in a full shell: bytes' KB %.2f '' '' frame.line.bytes 50 0.001
    screen_row 'output in a container, plain' MB/s %.1f tmux 1 output.container.plain 50 0.000001
    screen_row 'output in a container, coloured' MB/s %.1f tmux 1 output.container.coloured 50 0.000001
    screen_row 'output on this machine, plain' MB/s %.1f tmux 1 output.host.plain 50 0.000001
    screen_row 'output on this machine, coloured' MB/s %.1f tmux 1 output.host.coloured 50 0.000001
    screen_row 'screen behind a flood in a container, p99' ms %.0f most 100 lag.container 99 1000
    screen_row 'screen behind a flood on this machine, p99' ms %.0f most 100 lag.host 99 1000
    screen_row 'idle, a shell open: CPU' '% of a core' %.2f most 0.3 idle.cpu 50 100
    screen_row 'idle, a shell open: wakeups' 'a second' %.1f most 2 idle.wakeups 50 1
    screen_row 'memory of the client at the start' MiB %.1f most 20 memory.start 50 0.00000095367431640625
    screen_row 'memory of the client, log of 1 GiB open, after a search' MiB %.1f most 64 memory.log 50 0.00000095367431640625
    screen_row 'log of 1 GiB: from its end to its beginning' ms %.1f '' '' log.top 50 1000
    screen_row 'log of 1 GiB: from its beginning to its end' ms %.1f '' '' log.bottom 50 1000
    screen_row 'search in it, a match in 1000 lines: first match on the screen' ms %.1f most 50 search.first 50 1000
    screen_row 'search in it, a match in 1000 lines: all counted' s %.2f most 0.5 search 50 1
    screen_row 'search in it, no match' s %.2f most 0.5 search.never 50 1
    printf '\nThe mark of time in the floods has hundredths of a second, cut off: up to 10 ms of the lag are its own.\n'
}
