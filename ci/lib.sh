# lib.sh - what the commands under ci/ share. Sourced, never run.
# shellcheck shell=bash

set -euo pipefail

IIP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
IIP_COMMAND=$IIP_ROOT/ci/$(basename "$0") # "$0" may be relative to where we were called
IIP_JOBS=${IIP_JOBS:-$(nproc)}
cd "$IIP_ROOT"
PATH=$PATH:/usr/sbin:/sbin # ip, ethtool

say() { printf '%s\n' "$*"; }
head_line() { printf '\n== %s\n' "$*"; }
warn() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
# die EXIT-CODE TEXT
die() {
    local code=$1
    shift
    warn "$*"
    exit "$code"
}

# The comment at the head of a command is its help.
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$IIP_COMMAND"; }
case " $* " in *" -h "* | *" --help "*) usage; exit 0 ;; esac
# refuse ARGUMENT: the end for one that the command does not have.
refuse() { die 2 "$1: no such argument; ci/$(basename "$0") --help lists what there is"; }

# ---- what failed, said once more at the end, where one looks first ----
KEPT=$IIP_ROOT/build/failed.$(basename "$0")
rm -f "$KEPT"
# keep NAME COMMAND...: runs it and shows what it says; if it fails, repeat_kept shows the last lines again. Its exit code.
keep() {
    local name=$1 code=0
    shift
    mkdir -p build
    "$@" 2>&1 | tee "$KEPT.out" || code=${PIPESTATUS[0]}
    [ "$code" = 0 ] || [ "$code" = 77 ] ||
        { say "-- $name: exit code $code" && tail -60 "$KEPT.out"; } >>"$KEPT"
    return "$code"
}
repeat_kept() {
    [ ! -s "$KEPT" ] || { head_line "what failed, once more" && cat "$KEPT"; }
}

# ---- packages ----
# Packages of Debian 12, in the groups that the commands ask for.
# shellcheck disable=SC2034
{
    PACKAGES_BUILD="cmake ninja-build make gcc g++ libc6-dev python3 pkg-config"
    PACKAGES_NET="iproute2 curl ethtool util-linux"
    PACKAGES_REQUESTS="curl wrk"
    PACKAGES_DPDK="libdpdk-dev libpcap-dev"
    PACKAGES_LINT="clang-format clang-tidy cppcheck shellcheck"
    PACKAGES_CLANG="clang"
    PACKAGES_ABI="abigail-tools binutils"
    PACKAGES_SWIG="swig lua5.4 liblua5.4-dev openjdk-17-jdk-headless libperl-dev"
    PACKAGES_LUA="lua-luv lua-luaossl lua-dkjson"
    PACKAGES_BENCH="valgrind liblwip-dev"
    PACKAGES_CROSS="gcc-i686-linux-gnu libc6-dev-i386-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross
        gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross
        gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user"
}

# What proves that a package is there when dpkg does not know it (built by hand, or another distribution).
declare -A COMMAND_OF=(
    [cmake]=cmake [ninja-build]=ninja [make]=make [gcc]=gcc [g++]=g++ [python3]=python3 [pkg-config]=pkg-config
    [iproute2]=ip [curl]=curl [wrk]=wrk [ethtool]=ethtool [util-linux]=unshare [openssl]=openssl
    [clang-format]=clang-format [clang-tidy]=clang-tidy [cppcheck]=cppcheck [shellcheck]=shellcheck [clang]=clang
    [abigail-tools]=abidiff [binutils]=nm [valgrind]=valgrind [qemu-user]=qemu-s390x
    [gcc-i686-linux-gnu]=i686-linux-gnu-gcc [gcc-s390x-linux-gnu]=s390x-linux-gnu-gcc
    [gcc-arm-linux-gnueabihf]=arm-linux-gnueabihf-gcc [gcc-riscv64-linux-gnu]=riscv64-linux-gnu-gcc [golang-go]=go
    [swig]=swig [lua5.4]=lua5.4 [luarocks]=luarocks [maven]=mvn [openjdk-17-jdk-headless]=javac
)

package_there() {
    local command=${COMMAND_OF[$1]:-}
    if [ -n "$command" ]; then
        command -v "$command" >/dev/null 2>&1
    elif [ "$1" = libdpdk-dev ]; then
        pkg-config --exists libdpdk 2>/dev/null
    elif command -v dpkg-query >/dev/null 2>&1; then
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
    else
        return 0 # no way to know: the build will say
    fi
}

missing_packages() {
    local name
    for name in "$@"; do
        package_there "$name" || printf '%s ' "$name"
    done
}

# need PACKAGE...: installs what is missing as root or by sudo; else names it and exits 2.
need() {
    local missing
    missing=$(missing_packages "$@")
    [ -z "$missing" ] && return 0
    local run=()
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            run=(sudo)
        else
            die 2 "missing packages: $missing- as root, run: apt-get install $missing"
        fi
    fi
    command -v apt-get >/dev/null 2>&1 || die 2 "missing packages: $missing- and there is no apt-get to install them"
    say "installing: $missing"
    # shellcheck disable=SC2086
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null ||
        { "${run[@]}" apt-get update -qq &&
            "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null; } ||
        die 2 "apt-get could not install: $missing"
}

# ---- building ----
# build PRESET DIR [TARGET...]: configures by the preset and builds.
build() {
    local preset=$1 dir=$2
    shift 2
    local log=$dir.log
    mkdir -p "$(dirname "$dir")"
    if ! { cmake --preset "$preset" -B "$dir" ${IIP_CMAKE_ARGS:-} &&
        cmake --build "$dir" -j "$IIP_JOBS" ${1:+--target "$@"}; } >"$log" 2>&1; then
        grep -E 'error|Error|FAILED|undefined' -A 6 "$log" | head -60 >&2 || true
        die 1 "the build of preset $preset failed; all of its output: $log"
    fi
}

# ---- namespaces ----
# find_namespace: NAMESPACE becomes the words that make a network namespace of our own (0), or NAMESPACE_WHY the reason
# why there is none (1).
NAMESPACE=()
NAMESPACE_WHY=
find_namespace() {
    if [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null; then
        NAMESPACE=(unshare -n)
    elif NAMESPACE_WHY=$(unshare -Urn true 2>&1); then
        NAMESPACE=(unshare -Urn)
    else
        NAMESPACE_WHY=${NAMESPACE_WHY:-unshare -Urn failed}
        return 1
    fi
}

# Why no namespace can be had, and what to do, in one line.
namespace_remedy() {
    if [ "$(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null)" = 0 ]; then
        say "sysctl kernel.unprivileged_userns_clone is 0: as root, set it to 1"
    elif [ "$(cat /proc/sys/user/max_user_namespaces 2>/dev/null)" = 0 ]; then
        say "sysctl user.max_user_namespaces is 0: as root, set it to 1000"
    elif [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then
        say "AppArmor forbids it: as root, set sysctl kernel.apparmor_restrict_unprivileged_userns to 0"
    else
        say "a container or seccomp filter forbids it: run outside, or with CAP_SYS_ADMIN (docker: --privileged)"
    fi
}
