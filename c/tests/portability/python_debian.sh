#!/usr/bin/env bash
# python_debian.sh DIR [SUITE...]: the Python package with the CPythons of other Debian suites (trixie, sid).
#
# Each suite is put below DIR by debootstrap, from the mirror of this system's own apt configuration, and gets all
# interpreters that it packages; python_versions.sh then runs in there, on a copy of the checkout. Nothing outside of DIR
# changes. Exit code 77: it takes root, debootstrap, and a mirror that can be reached.

set -euo pipefail

dir=$(realpath -m "$1")
shift
suites=("$@")
[ $# != 0 ] || suites=(trixie sid)
BUILD=python3-dev,python3-venv,gcc,g++,make,cmake,ninja-build,ca-certificates,libc6-dev,pkgconf,openssl,iproute2,curl,git

skip() {
    printf 'skipped: Python of other Debian suites: %s\n' "$*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "only root can make them"
command -v debootstrap >/dev/null 2>&1 || skip "there is no debootstrap: apt-get install debootstrap"
# shellcheck disable=SC2016 # apt fills these in
mirror=$(apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(REPO_URI)' 2>/dev/null |
    awk '$1 == "Packages" && $2 == "Debian" && $3 !~ /security/ { print $3; exit }')
[ -n "$mirror" ] || skip "apt knows no Debian archive"

# inside SUITE COMMAND...: with its own mounts, which go when the command ends.
inside() {
    local suite=$1
    shift
    unshare -m bash -c 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$@"' \
        "$dir/$suite" "$dir/$suite" "$@"
}

prepare() {
    local suite=$1 found
    if [ ! -f "$dir/$suite/whole" ]; then
        rm -rf "${dir:?}/$suite"
        timeout 1200 debootstrap --variant=minbase --include=$BUILD "$suite" "$dir/$suite" "$mirror" || return 1
        cp /etc/resolv.conf "$dir/$suite/etc/resolv.conf"
        [ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$dir/$suite/etc/pip.conf"
        [ ! -f "${PIP_CERT:-}" ] || install -D "$PIP_CERT" "$dir/$suite$PIP_CERT"
        # shellcheck disable=SC2207
        found=($(inside "$suite" apt-cache search --names-only '^python3\.[0-9]+(-nogil|-dev|-venv)$' | cut -d' ' -f1))
        inside "$suite" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${found[@]}" || return 1
        touch "$dir/$suite/whole"
    fi
    rm -rf "$dir/$suite/src"
    mkdir "$dir/$suite/src"
    git ls-files -z | tar --null -T - -c | tar -x -C "$dir/$suite/src"
}

reached=0 failed=0
mkdir -p "$dir"
for suite in "${suites[@]}"; do
    if ! prepare "$suite" >"$dir/$suite.log" 2>&1; then
        printf 'skipped: Python of %s: it cannot be had, see %s\n' "$suite" "$dir/$suite.log"
        continue
    fi
    reached=1
    printf -- '-- %s\n' "$suite"
    inside "$suite" bash -c 'cd /src && c/tests/portability/python_versions.sh /python' || failed=1
done
[ $reached = 1 ] || skip "no suite can be reached"
exit $failed
