//go:build cgo && iip_system

package iip

// #cgo CFLAGS: -DIIP_SYSTEM
// #cgo pkg-config: iip
import "C"

// Vendored tells whether libiip was compiled into this package, or is the system's.
const Vendored = false
