#!/usr/bin/env bash
# python_versions.sh DIR: the Python package with every CPython from 3.11 on that can be had here.
#
# Those are what the PATH and pyenv have, and the programs that IIP_PYTHONS names (separated by blanks). One wheel, built
# by the oldest, is installed in a fresh environment of each, whose tests then run; a free-threaded interpreter builds a
# wheel of its own. Exit code 77: there is none with its development files.

set -euo pipefail

root=$(pwd)
dir=$(realpath -m "$1")
mkdir -p "$dir"

# One line for each interpreter, the oldest first: VERSION THREADED PROGRAM; each version once.
interpreters() {
    local program
    # shellcheck disable=SC2086
    for program in ${IIP_PYTHONS:-} $(compgen -c python3. | grep -E '^python3\.[0-9]+t?$' | sort -u) "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python; do
        "$program" - 2>/dev/null <<'PY' || true
import ensurepip, os, sys, sysconfig, venv
if sys.version_info >= (3, 11) and sys.implementation.name == "cpython":
    if os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        free = "free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else "gil"
        print("%d.%02d" % sys.version_info[:2], free, sys.executable)
PY
    done | sort | awk '!seen[$1 $2]++'
}

# prepare VENV PROGRAM PACKAGE: a fresh environment with the package, and what its tests need, as far as it can be had.
prepare() {
    local venv=$1 program=$2 package=$3
    rm -rf "$venv"
    "$program" -m venv "$venv"
    "$venv/bin/pip" install --disable-pip-version-check pytest "$package"
    "$venv/bin/pip" install --disable-pip-version-check numpy || true
    "$venv/bin/pip" install --disable-pip-version-check 'aiohttp>=3.9' uvicorn || true
}

# try NAME PROGRAM PACKAGE
try() {
    local name=$1 program=$2 package=$3 log=$dir/$1.log
    if ! prepare "$dir/venv-$name" "$program" "$package" >"$log" 2>&1; then
        tail -20 "$log"
        printf 'FAILED  CPython %s: it could not be installed: %s\n' "$name" "$log"
        return 1
    fi
    if ! (cd "$root" && PYTHONDEVMODE=1 timeout 1200 "$dir/venv-$name/bin/python" -m pytest -q bindings/python/tests) >>"$log" 2>&1; then
        tail -40 "$log"
        printf 'FAILED  CPython %s: %s\n' "$name" "$log"
        return 1
    fi
    printf 'ok      CPython %s: %s\n' "$name" "$(tail -1 "$log")"
}

found=$(interpreters)
[ -n "$found" ] || { echo "skipped: no CPython 3.11 or newer with its development files"; exit 77; }
wheel="" failed=0
while read -r version threaded program; do
    if [ "$threaded" = free-threaded ]; then
        try "${version}t" "$program" ./bindings/python || failed=1
        continue
    fi
    if [ -z "$wheel" ]; then
        rm -rf "$dir/wheels"
        "$program" -m pip wheel --disable-pip-version-check --no-deps -w "$dir/wheels" ./bindings/python >"$dir/wheel.log" 2>&1 ||
            { tail -20 "$dir/wheel.log"; exit 1; }
        wheel=$(echo "$dir"/wheels/*.whl)
        printf 'one wheel for all: %s\n' "$(basename "$wheel")"
    fi
    try "$version" "$program" "$wheel" || failed=1
done <<<"$found"
exit $failed
