# lib.sh - what the end-to-end tests share. Source it with the program in $1
# and a scratch folder in $2:   . "$(dirname "$0")/lib.sh"
set -u
emsync=$1
work=$2
command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || {
    echo "skipped: needs ffmpeg"
    exit 77
}
rm -rf "$work"
mkdir -p "$work"
cd "$work" || exit 1
passed=0
failed=0

ok() { # ok "what" condition...
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

# run arguments...: the program, quietly; $status, and ./err holds stderr.
run() {
    "$emsync" "$@" >out.txt 2>err.txt </dev/null
    status=$?
}

one_line() { [ "$(wc -l <err.txt)" -eq 1 ]; }
says() { grep -q -- "$1" err.txt; }
no_leftovers() { # nothing begun and not finished, in this folder or below
    [ -z "$(find . -name '.emsync-*' -print -quit)" ]
}

# refused "what" file-that-must-not-appear arguments...
refused() {
    what=$1
    target=$2
    shift 2
    run "$@"
    ok "$what: exit 1, not $status" [ "$status" -eq 1 ]
    ok "$what: one sentence" one_line
    ok "$what: no output" [ ! -e "$target" ]
    ok "$what: nothing half-written" no_leftovers
    [ "$failed" -eq 0 ] || cat err.txt
}

# works "what" file-that-must-appear arguments...
works() {
    what=$1
    target=$2
    shift 2
    run "$@"
    ok "$what: exit 0, not $status" [ "$status" -eq 0 ]
    ok "$what: output there" [ -s "$target" ]
    ok "$what: nothing half-written" no_leftovers
    [ "$status" -eq 0 ] || cat err.txt
}

seconds_of() { # duration of a file, as its container says
    ffprobe -v error -show_entries format=duration -of csv=p=0 -- "$1"
}

close_to() { # close_to a b tolerance
    awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN {exit !(a - b <= t && b - a <= t)}'
}

# film NAME SECONDS [ffmpeg output options]: two scenes and a tone.
film() {
    name=$1
    seconds=$2
    shift 2
    ffmpeg -v error -y -f lavfi -i "testsrc2=s=160x120:r=24:d=$seconds" \
        -f lavfi -i "sine=f=440:r=44100:d=$seconds" \
        -pix_fmt yuv420p -c:v mpeg4 -c:a aac -shortest "$@" "file:$name"
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
