#!/usr/bin/env bash
# compile.sh AMALGAMATION-DIR COMPILER...: the core is C89 and C++98, and stands on no header but its own.
#
# Each file of the core by itself, and the amalgamation, with each compiler ("gcc", "clang", a cross compiler): as C89,
# C99, C11, C++98 and C++17, with no system headers, every diagnostic an error. A compiler is given as CC, or CC,CXX.

set -u
amalgamation=$1
shift
core=$(cd "$(dirname "$0")/../../core" && pwd)
passed=0 failed=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# try NAME COMMAND...
try() {
    local name=$1
    shift
    if "$@" >"$out/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'failed: %s\n  %s\n' "$name" "$*"
        head -20 "$out/log"
    fi
}

flags=(-pedantic-errors -nostdinc -Wall -Wextra -Werror -fsyntax-only)
for compiler in "$@"; do
    cc=${compiler%%,*}
    cxx=${compiler#*,}
    [ "$cxx" = "$cc" ] && case $cc in *clang*) cxx=${cc/clang/clang++} ;; *) cxx=${cc/%gcc/g++} ;; esac
    command -v "$cxx" >/dev/null 2>&1 || { echo "$cxx is not there: $cc without C++"; cxx=; }
    for file in $(grep '^src/' "$core/order.txt"); do
        try "$file, $cc, C89" "$cc" -std=c89 "${flags[@]}" -I"$core/include" -I"$core/src" "$core/$file"
        [ -z "$cxx" ] ||
            try "$file, $cxx, C++98" "$cxx" -x c++ -std=c++98 "${flags[@]}" -I"$core/include" -I"$core/src" "$core/$file"
    done
    for std in c89 c99 c11; do
        try "iip_core.c, $cc, $std" "$cc" -std=$std "${flags[@]}" -I"$amalgamation" "$amalgamation/iip_core.c"
    done
    for std in c++98 c++17; do
        [ -z "$cxx" ] ||
            try "iip_core.c, $cxx, $std" "$cxx" -x c++ -std=$std "${flags[@]}" -I"$amalgamation" "$amalgamation/iip_core.c"
    done
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
