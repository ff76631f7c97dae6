# lib-python.sh - the Python package in a virtual environment below build/. Sourced after lib.sh.
# shellcheck shell=bash

PYTHON_VENV=$IIP_ROOT/build/python-venv

# A Python that can make virtual environments and compile modules.
python_found() {
    local python
    for python in "${IIP_PYTHON:-}" python3 /usr/bin/python3; do
        [ -n "$python" ] && "$python" - 2>/dev/null <<'PY' && { command -v "$python"; return 0; }
import ensurepip, os, sys, sysconfig, venv
assert sys.version_info >= (3, 11) and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
PY
    done
    return 1
}

# python_package [test] [lint]: the package from this checkout, with what its tests and lint need.
python_package() {
    local python extra=""
    # shellcheck disable=SC2086
    need $PACKAGES_BUILD
    python=$(python_found) || { (need python3-dev python3-venv) && python=$(python_found); } || {
        say "skipped: Python 3.11 or newer with its development files: apt-get install python3-dev python3-venv"
        return 77
    }
    [[ " $* " != *" test "* ]] || need openssl $PACKAGES_NET
    case " $* " in *" test "*) extra="aiohttp>=3.9 pytest numpy uvicorn" ;; esac
    case " $* " in *" lint "*) extra="$extra ruff mypy" ;; esac
    # shellcheck disable=SC2086
    set -- $extra
    say "building the Python package (log: build/python.log)"
    mkdir -p build
    { [ -x "$PYTHON_VENV/bin/pip" ] || "$python" -m venv "$PYTHON_VENV"; } >build/python.log 2>&1 &&
        { [ $# = 0 ] || "$PYTHON_VENV/bin/pip" install --disable-pip-version-check "$@" >>build/python.log 2>&1; } &&
        "$PYTHON_VENV/bin/pip" install --disable-pip-version-check ./bindings/python >>build/python.log 2>&1 ||
        { tail -30 build/python.log >&2; die 1 "the Python package could not be built: build/python.log"; }
}

# What type checkers see: the package, its stubs beside the compiled modules, a user's program, the examples.
python_types() {
    local python=$PYTHON_VENV/bin/python
    (cd bindings/python && "$python" -m mypy --python-executable "$python" &&
        "$python" -m mypy.stubtest iip --allowlist stubtest.txt --ignore-unused-allowlist --concise) &&
        "$python" -m mypy --strict --python-executable "$python" bindings/python/tests/typed_program.py &&
        (cd examples/python && MYPYPATH=. "$python" -m mypy --strict --python-executable "$python" ./*.py)
}

# The examples as programs, under the names that those in C have.
python_programs() {
    local name
    mkdir -p "$PYTHON_VENV/programs"
    for name in iip_echo iip_udp_echo iip_http iip_load; do
        printf '#!/bin/sh\nexec "%s/bin/python" "%s/examples/python/%s.py" "$@"\n' "$PYTHON_VENV" "$IIP_ROOT" $name \
            >"$PYTHON_VENV/programs/$name"
        chmod +x "$PYTHON_VENV/programs/$name"
    done
}
