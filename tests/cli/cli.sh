#!/bin/sh
# The program as scripts see it: cli.sh EMSYNC PAGES SCRATCH
# EMSYNC is the program, PAGES the folder of its man page and completions.
emsync=$1 pages=$2 scratch=$3
failed=0 passed=0
rm -rf "$scratch" && mkdir -p "$scratch" && cd "$scratch" || exit 1
unset NO_COLOR

# check NAME CONDITION...: the condition is a command that must succeed.
check()
{
    name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        sed 's/^/    /' out err 2>/dev/null
    fi
}

# run CODE ARGUMENTS...: exit code as said; one line on stderr unless 0.
run()
{
    want=$1
    shift
    "$emsync" "$@" >out 2>err </dev/null
    code=$?
    check "emsync $*: exit $code, not $want" test "$code" = "$want"
    if [ "$want" != 0 ]; then
        check "emsync $*: one line on stderr" test "$(wc -l <err)" = 1
        check "emsync $*: begins with emsync:" grep -q '^emsync: ' err
    else
        check "emsync $*: stderr is silent" test ! -s err
    fi
}

says() { check "says $1" grep -q -e "$1" "${2:-err}"; }

# Help and version.
commands='score text analyze plan compose render mux doctor'
groups='model.info model.check model.import dataset.build train.music train.text
    evaluate.text bench.text
    bench.compose bench.train'
for c in $commands $groups; do
    set -- $(echo "$c" | tr . ' ')
    run 0 "$@" --help
    says "^Usage: emsync $*" out
    says '^Examples:' out
    cp out first
    run 0 help "$@"
    check "help $* is $* --help" cmp -s first out
done
for g in model dataset train bench; do
    run 0 "$g" --help
    says "emsync $g COMMAND" out
    run 2 "$g"
    run 2 "$g" nonsense
done
run 0 --version
says '^emsync [0-9]*\.[0-9]*\.[0-9]*$' out
run 0 help
for c in $commands; do says "^  $c " out; done
"$emsync" >out 2>err
check 'emsync alone: exit 2' test $? = 2
check 'emsync alone: menu on stderr' grep -q '^Commands:' err

# Wrong use.
run 2 scor x -o y; says 'did you mean score'
run 2 analyse x -o y; says 'did you mean analyze'
run 2 modle info x; says 'did you mean model'
run 2 score x -o y --ouput z; says 'did you mean --output'
run 2 score x -o y --cuts never; says 'auto or paper'
run 2 score x -o y --seed nan; says 'whole number'
run 2 score x; says '-o FILE'
run 2 render; says 'SCORE'
run 2 generate tcsh
check 'wrong use writes nothing' test ! -e y

# Outputs that exist, cannot be, or are the input.
echo old >there
echo 'no film' >input
run 1 plan input -o there; says '-y replaces it'
run 1 plan input -o there -n; says 'exists'
run 1 plan -y input -o there; check 'a failure leaves the output' \
    test "$(cat there)" = old
run 1 plan -y input -o input; says 'is the input'
check 'the input is whole' test "$(cat input)" = 'no film'
run 1 plan input -o no/such/folder; says 'No such file'
run 1 plan input -o .; says 'folder'
run 1 plan input -o input/x; says 'Not a directory'
run 1 plan -y input -o /dev/full; says 'regular file'
check '/dev/full is a device' test -c /dev/full
mkdir kept && echo old >kept/plan.json
run 1 score input -o new.mp4 --keep kept; says 'kept/plan.json'
check 'nothing new' test ! -e new.mp4

# Odd names.
odd=$(printf 'a "b"\nc')
run 1 plan "$odd" -o new; says 'a "b"\\nc'
run 1 plan -o new -- -x; says '"-x"'
run 2 plan -x -o new
run 1 plan -o new -- "$(printf '\033[31m')"; says '\\x1b'

# Streams that cannot be written.
"$emsync" --version >/dev/full 2>err
check 'a full standard output: exit 1' test $? = 1
"$emsync" --version >&- 2>err
check 'a closed standard output: exit 1' test $? = 1
("$emsync" help; echo $? >code) 2>err | true
check 'a closed pipe is no crash' test "$(cat code)" -le 1
"$emsync" plan input -o closed 2>&- >&-
check 'closed streams: exit 1' test $? = 1
check 'closed streams: no message in a file' test ! -e closed

# Programs: progress and errors as JSON lines, SIGTERM.
"$emsync" plan input -o new >out 2>err
check 'no progress without a terminal' test "$(wc -l <err)" = 1
"$emsync" analyze nothing -o new --progress=json >out 2>err
check 'errors as JSON' grep -q '^{"error": ".*"}$' err
"$emsync" bench compose --layers 1 --width 64 --heads 2 --inner 64 \
    --context 128 --window 16 --tokens 100000000 >out 2>err &
pid=$!
tries=0 # until it catches SIGTERM, loading all libraries takes a moment
until grep -q '^SigCgt:.*[4-7c-f]...$' /proc/$pid/status; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || break
    sleep 0.1
done
kill -TERM $pid
wait $pid
check 'SIGTERM: exit 143' test $? = 143
check 'SIGTERM: says so' grep -q '^emsync: interrupted' err

# Pages. Shells and man are tried where they are installed.
have() { command -v "$1" >/dev/null 2>&1; }
for f in emsync.1 emsync.bash _emsync emsync.fish; do
    check "$f is there" test -s "$pages/$f"
done
rm -f err
if have groff; then
    groff -man -ww -Tutf8 "$pages/emsync.1" >out 2>err
    check 'the man page has no warnings' test ! -s err
fi
have bash && check 'bash reads its completion' bash -n "$pages/emsync.bash"
have zsh && check 'zsh reads its completion' zsh -n "$pages/_emsync"
have fish && check 'fish reads its completion' fish -n "$pages/emsync.fish"
if have bash; then
    bash -c 'compopt() { :; }; source "$1"
        complete_() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _emsync
            echo "$*: ${COMPREPLY[*]}"; }
        complete_ emsync sc
        complete_ emsync model i
        complete_ emsync score --sync ex
        complete_ emsync score --sync = p
        complete_ emsync bench compose --to' - "$pages/emsync.bash" >out 2>err
    says '^emsync sc: score$' out
    says '^emsync model i: info import index$' out
    says '^emsync score --sync ex: exact$' out
    says '^emsync score --sync = p: paper$' out
    says '^emsync bench compose --to: --tokens$' out
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
