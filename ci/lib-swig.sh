# lib-swig.sh - the examples in Lua and Java as programs, under the names that those in C have. Sourced after lib.sh.
# shellcheck shell=bash

SWIG_BUILD=$IIP_ROOT/bindings/swig/build
SWIG_PROGRAMS=(iip_echo iip_udp_echo iip_http iip_load)

# swig_tools PACKAGE...: installs them or names them, and says which tools there are.
swig_tools() {
    need "$@"
    say "swig: $(swig -version | sed -n 's/^SWIG Version //p') (needs 4.1)"
    ! command -v lua5.4 >/dev/null || [[ " $* " != *" lua5.4 "* ]] || say "lua: $(lua5.4 -v | cut -d' ' -f2) (needs 5.4)"
    ! command -v javac >/dev/null || [[ " $* " != *jdk* ]] || say "java: $(javac -version 2>&1 | cut -d' ' -f2) (needs 17)"
}

# swig_build LANGUAGES: the modules; semicolons between the languages.
swig_build() {
    mkdir -p "$SWIG_BUILD"
    { cmake -S bindings/swig -B "$SWIG_BUILD" "-DIIP_LANGUAGES=$1" && cmake --build "$SWIG_BUILD" --parallel "$IIP_JOBS"; } \
        >"$SWIG_BUILD.log" 2>&1 ||
        { tail -30 "$SWIG_BUILD.log" >&2; die 1 "the build of bindings/swig failed; all of its output: $SWIG_BUILD.log"; }
}

# swig_program NAME COMMAND...: a program in build/LANGUAGE that runs the command.
swig_program() {
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$file"
    chmod +x "$file"
}

# In build/lua; needs the module.
lua_programs() {
    local name
    # shellcheck disable=SC2086
    need $PACKAGES_LUA || return 77
    for name in "${SWIG_PROGRAMS[@]}"; do
        swig_program "build/lua/$name" env "'LUA_PATH=$SWIG_BUILD/lua/?.lua;;'" "'LUA_CPATH=$SWIG_BUILD/lua/?.so;;'" \
            lua5.4 "'$IIP_ROOT/examples/lua/$name.lua'"
    done
}

# iip_udp_echo: IipUdpEcho
java_class() { sed -E 's/(^|_)([a-z])/\u\2/g' <<<"$1"; }

# In build/java; needs the jar.
java_programs() {
    local name
    rm -rf build/java/classes
    mkdir -p build/java/classes
    javac --release 17 -Xlint:all -Werror -cp "$SWIG_BUILD/java/iip.jar" -d build/java/classes examples/java/*.java ||
        die 1 "the examples in Java could not be compiled"
    for name in "${SWIG_PROGRAMS[@]}"; do
        swig_program "build/java/$name" java -Xmx64m -XX:+UseSerialGC -XX:-UsePerfData -cp \
            "'$SWIG_BUILD/java/iip.jar:$IIP_ROOT/build/java/classes'" "$(java_class "$name")"
    done
}
