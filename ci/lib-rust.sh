# lib-rust.sh - the Rust that the binding needs, and its examples as programs. Sourced after lib.sh.
# shellcheck shell=bash

RUST_WANTED=1.85

# rust_found: 0 when there is a cargo that will do; else says what was found, what is needed and how to get it.
rust_found() {
    local found=none
    command -v cargo >/dev/null 2>&1 || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null 2>&1 && found=$(cargo --version | cut -d' ' -f2)
    [ "$found" != none ] && printf '%s\n%s\n' "$RUST_WANTED" "$found" | sort -VC ||
        { say "skipped: the Rust binding needs cargo $RUST_WANTED or newer, found: $found; see https://rustup.rs"; return 1; }
    export CARGO_BUILD_JOBS=$IIP_JOBS
    say "cargo: $found (needs $RUST_WANTED)"
}

# The examples as programs, under the names that those in C have, in bindings/rust/target/release.
rust_programs() {
    (cd bindings/rust && cargo build --release -p iip-examples)
}

# Layout, clippy with all features and with none, and documentation: nothing to say, or it fails.
rust_lint() (
    cd bindings/rust &&
        cargo fmt --all --check &&
        cargo clippy --workspace --all-targets --all-features -- -D warnings &&
        cargo clippy -p iip --no-default-features -- -D warnings &&
        RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps
)

# The programs of bindings/rust/stress, built as RUST_PROFILE says: release, or dev, which shares what the tests build.
rust_stress_dir() {
    local dir=$IIP_ROOT/bindings/rust/target
    [ "${RUST_PROFILE:-release}" = dev ] && dir=$dir/debug || dir=$dir/release
    printf '%s\n' "$dir"
}
rust_stress_built() {
    (cd bindings/rust && cargo build --quiet --profile "${RUST_PROFILE:-release}" -p iip-stress)
}

# A nightly with Miri and the sources of the standard library; rust_nightly_had gets it by rustup.
rust_nightly_is_there() {
    cargo +nightly miri --version >/dev/null 2>&1 && [ -d "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library" ]
}
rust_nightly_had() {
    rust_nightly_is_there || rustup toolchain install nightly --profile minimal --component miri,rust-src || :
    rust_nightly_is_there ||
        { say "skipped: Miri and sanitizers need a nightly toolchain of Rust, by rustup: see https://rustup.rs"; return 1; }
}

# The soak and all below it, the standard library and libiip too, under ThreadSanitizer; says where it is. clang, for its
# runtime is that of Rust.
rust_tsan_built() {
    local target
    target=$(rustc +nightly -vV | sed -n 's/^host: //p')
    (cd bindings/rust && CC=clang CFLAGS="-fsanitize=thread -g" RUSTFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=target/tsan \
        cargo +nightly build --quiet -Zbuild-std --target "$target" -p iip-stress --no-default-features --bin soak) &&
        printf '%s\n' "$IIP_ROOT/bindings/rust/target/tsan/$target/debug"
}
