#!/bin/sh
# Ctrl-C, at any stage, removes what is unfinished and ends with a failure.
. "$(dirname "$0")/lib.sh"

film long.mp4 60
for delay in 0.05 0.3 1 2; do
    "$emsync" score long.mp4 -o o.mp4 --keep kept >out.txt 2>err.txt </dev/null &
    pid=$!
    sleep "$delay"
    kill -INT "$pid" 2>/dev/null || true
    wait "$pid"
    status=$?
    if [ -e o.mp4 ]; then # it was faster than the signal
        ok "done before ${delay} s: exit 0" [ "$status" -eq 0 ]
        rm o.mp4
    else
        ok "cut off after ${delay} s: not 0" [ "$status" -ne 0 ]
    fi
    ok "cut off after ${delay} s: nothing half-written" no_leftovers
done
finish
