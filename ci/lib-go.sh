# lib-go.sh - the Go that the binding needs, and its examples as programs. Sourced after lib.sh.
# shellcheck shell=bash

# go_found: 0 when there is a Go that will do; else says what was found, what is needed and how to get it.
go_found() {
    local found
    command -v go >/dev/null 2>&1 || [ ! -x /usr/local/go/bin/go ] || PATH=$PATH:/usr/local/go/bin
    export GOTOOLCHAIN=local GOCACHE=${GOCACHE:-$IIP_ROOT/build/go-cache} GOFLAGS=-buildvcs=false
    if ! command -v go >/dev/null 2>&1; then
        say "skipped: no Go was found; the Go binding needs 1.24 or newer: https://go.dev/dl"
        return 1
    fi
    found=$(go env GOVERSION)
    if ! printf 'go1.24\n%s\n' "$found" | sort -V -C; then
        say "skipped: $found was found; the Go binding needs 1.24 or newer: https://go.dev/dl"
        return 1
    fi
    say "go: $found (needs 1.24)"
}

in_module() { (cd bindings/go && "$@"); }
in_examples() { (cd examples/go && "$@"); }

# The examples as programs, under the names that those in C have.
go_programs() {
    mkdir -p build/go
    in_examples go build -o "$IIP_ROOT/build/go/" ./...
}

go_generated() {
    python3 c/tools/amalgamate_lib.py bindings/go --first-line '//go:build cgo && !iip_system' "$@"
}

in_gonet() { (cd bindings/go/ffi-bench/gonet && "$@"); }

# newer_go VERSION: is Go as new as that?
newer_go() { printf 'go%s\n%s\n' "$1" "$(go env GOVERSION)" | sort -V -C; }

# ffi-bench and its peers, the load generator in C and gVisor's net.Conn (whose module wants Go 1.26.3): go_peers becomes
# the flags that name them.
go_bench_programs() {
    go_peers=(-c "$IIP_ROOT/build/release/examples/c/iip_load")
    build release build/release iip_load
    mkdir -p build/go
    if newer_go 1.26.3 && in_gonet go build -o "$IIP_ROOT/build/go/gonet" .; then
        go_peers+=(-gonet "$IIP_ROOT/build/go/gonet")
    else
        say "skipped: gonet needs Go 1.26.3 and the module proxy"
    fi
    in_module go build -o "$IIP_ROOT/build/go/ffi-bench" ./ffi-bench
}

# ffi-bench beside its peers; its flags are taken.
go_bench() {
    local go_peers
    go_bench_programs && build/go/ffi-bench "${go_peers[@]}" "$@"
}

go_lint() {
    local files tool=honnef.co/go/tools/cmd/staticcheck@v0.7.0
    go_generated --check || return 1
    files=$(gofmt -l bindings/go examples/go)
    [ -z "$files" ] || { say "gofmt would change: $files"; return 1; }
    ! newer_go 1.26.3 || in_gonet go vet ./... || return 1
    in_module go vet ./... && in_examples go vet ./... &&
        in_module go run $tool ./... && in_examples go run $tool ./... && say "gofmt, vet, staticcheck: clean"
}
