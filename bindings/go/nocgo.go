//go:build !cgo

package iip

// Without cgo there is no libiip. The compiler shows this name as the error.
var _ = iip_needs_cgo__set_CGO_ENABLED_to_1_and_install_a_C_compiler
