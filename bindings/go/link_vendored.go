//go:build cgo && !iip_system

package iip

// libiip comes as iip_core.c and iip_lib.c, beside this file: what c/tools/amalgamate_lib.py makes of the sources.

// #cgo CFLAGS: -std=gnu11 -O3 -fvisibility=hidden -ftls-model=initial-exec
// #cgo LDFLAGS: -ldl -lpthread
import "C"

// Vendored tells whether libiip was compiled into this package, or is the system's.
const Vendored = true
