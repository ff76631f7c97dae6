#!/usr/bin/env bash
# arguments.sh: what the commands under ci/ say to wrong arguments and to --help, from whatever directory.
#
# A wrong argument: exit code 2, and one line that has the argument in it and names the remedy, before anything is
# built or installed. --help: exit code 0, and the text at the head of the command.

set -u
cd "$(dirname "$0")" || exit # not the root, and the commands are called by a relative path: they find their place by themselves
ci=../../../ci
failed=0

fail() {
    printf 'FAIL %s\n%s\n' "$1" "$2" | head -20
    failed=$((failed + 1))
}

# helps COMMAND
helps() {
    local out code=0
    out=$("$ci/$1" --help 2>&1) || code=$?
    [ $code = 0 ] && [[ $out == "ci/$1"* ]] || fail "ci/$1 --help: exit code $code, should be 0 with its text" "$out"
}

# refuses COMMAND ARGUMENT WORD...: WORD... are the command's arguments, ARGUMENT the one that it must name.
refuses() {
    local out code=0 command=$1 named=$2
    shift 2
    out=$("$ci/$command" "$@" 2>&1 </dev/null) || code=$?
    [ $code = 2 ] || fail "ci/$command $*: exit code $code, should be 2" "$out"
    [ "$(wc -l <<<"$out")" = 1 ] && [[ $out == "$command: "*"$named"* ]] || fail "ci/$command $*: one line about '$named'" "$out"
}

for path in "$ci"/*; do
    [ -f "$path" ] && [ -x "$path" ] || continue
    command=$(basename "$path")
    [ "$command" = demo-report.py ] && continue # a part of ci/demo
    helps "$command"
    [ "$command" = bench ] && continue # its own program reads the rest, after it is built
    refuses "$command" --nonsense --nonsense
    refuses "$command" nonsense nonsense
done
refuses demo cobol --lang cobol
refuses demo --lang --lang
refuses demo wire --port wire
refuses demo 5 --ip 5
refuses test extra fast extra
refuses test-python extra fast extra
refuses test-python many soak --seconds many
refuses test-swig extra fast extra
refuses test-swig many soak --seconds many
refuses test-swig --seconds soak --seconds
refuses test-swig --seconds all --seconds 3
refuses test-rust extra fast extra
refuses test-rust many soak --seconds many
refuses test-rust --seconds soak --seconds
refuses test-rust --requests soak --requests 5
refuses lint extra --fix extra
refuses abi extra --update extra
refuses soak many --minutes many
refuses soak --minutes --minutes
refuses sim many --seeds many
refuses sim --seeds --seeds
refuses sim 0 --seeds 0
refuses bench --nonsense bindings --nonsense
refuses bench nonsense bindings nonsense
refuses bench --json bindings --json
refuses vectors C --lang C
refuses vectors --lang --lang
refuses vectors cobol --lang cobol
refuses vectors no-program --runner no-program
[ $failed = 0 ] && echo "the commands know what they take"
