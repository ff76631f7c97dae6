#!/usr/bin/env bash
# dpdk_headers.sh DIR [SUITE...]: compiles the DPDK port with the headers of each DPDK that the mirror has.
#
# The mirror is that of this system's own apt configuration; the suites are other ones there. Their libdpdk-dev is
# fetched and unpacked into DIR, with a package state of its own: nothing is installed. Each version is compiled once.
# Exit code 77: no suite can be reached from here; it has said why.

set -euo pipefail

dir=$(realpath -m "$1")
shift
suites=("$@")
[ $# != 0 ] || suites=(bookworm bookworm-backports trixie trixie-backports forky sid)

skip() {
    printf 'skipped: dpdk headers: %s\n' "$*"
    exit 77
}

command -v apt-get >/dev/null 2>&1 || skip "there is no apt-get"
command -v dpkg-deb >/dev/null 2>&1 || skip "there is no dpkg-deb"

# shellcheck disable=SC2016 # apt fills these in
mirror=$(apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(REPO_URI)' |
    awk '$1 == "Packages" && $2 == "Debian" && $3 !~ /security/ { print $3; exit }')
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || keyring=
[ -n "$mirror" ] || skip "apt knows no Debian archive"
mkdir -p "$dir"/{state/lists/partial,cache/archives/partial}

apt_of() { # SUITE COMMAND...
    local suite=$1
    shift
    printf 'deb %s%s %s main\n' "${keyring:+[signed-by=$keyring] }" "$mirror" "$suite" >"$dir/sources.list"
    apt-get -o Dir::State="$dir/state" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
        -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root \
        -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -qq "$@"
}

# fetch SUITE: unpacks its libdpdk-dev, if it has one, and prints the folder; each version once.
fetch() {
    local suite=$1 file
    apt_of "$suite" -o APT::Update::Error-Mode=any update >"$dir/$suite.log" 2>&1 || return 1
    (cd "$dir" && apt_of "$suite" --print-uris download libdpdk-dev) >"$dir/$suite.uris" 2>/dev/null || return 2
    file=$(awk '{ print $2 }' "$dir/$suite.uris")
    if [ ! -d "$dir/${file%.deb}" ]; then
        (cd "$dir" && apt_of "$suite" download libdpdk-dev) >>"$dir/$suite.log" 2>&1 || return 1
        dpkg-deb -x "$dir"/libdpdk-dev_*.deb "$dir/${file%.deb}"
        rm -f "$dir"/libdpdk-dev_*.deb
    fi
    printf '%s\n' "$dir/${file%.deb}"
}

# compile ROOT: every file of the port, warnings of ours being errors.
compile() {
    local root=$1 config file
    config=$(find "$root" -name rte_config.h | head -1)
    for file in c/io/dpdk/*.c; do
        gcc -std=gnu11 -march=corei7 -fsyntax-only -Wall -Wextra -Wno-sign-compare -Werror -D_GNU_SOURCE -include "$config" \
            -isystem "$root/usr/include/dpdk" -isystem "$(dirname "$config")" -Ic/io -Ic/core/include "$file" || return 1
    done
}

reached=0 failed=0 seen=" "
for suite in "${suites[@]}"; do
    code=0
    root=$(fetch "$suite") || code=$?
    if [ $code != 0 ]; then
        why="it cannot be reached, see $dir/$suite.log"
        [ $code != 2 ] || why="it has no libdpdk-dev"
        printf 'skipped: dpdk headers of %s: %s\n' "$suite" "$why"
        continue
    fi
    reached=1
    version=$(basename "$root" | cut -d_ -f2)
    [[ $seen != *" $version "* ]] || continue
    seen+="$version "
    if compile "$root"; then
        printf 'ok      DPDK %s (%s)\n' "$version" "$suite"
    else
        printf 'FAILED  DPDK %s (%s)\n' "$version" "$suite"
        failed=1
    fi
done
[ $reached = 1 ] || skip "no suite that has libdpdk-dev can be reached"
exit $failed
