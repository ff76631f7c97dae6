package iip

// #include "bridge.h"
import "C"

import (
	"time"
	"unsafe"
)

// What only ports with a virtual clock have: "sim:NAME,clock=virtual". Others say ErrNotSupported.

// Advance moves the virtual clock on, for both ends of the wire, and returns the new time.
func (e *Engine) Advance(by time.Duration) (time.Duration, error) {
	var now C.uint64_t
	err := e.use("advance", func(p *C.struct_iip_engine) C.int32_t {
		return C.iip_engine_advance(p, C.uint64_t(by.Microseconds()), &now)
	})
	return time.Duration(now) * time.Microsecond, err
}

// Inject has a frame arrive at this engine now, as if the other end had sent it: what a hostile or broken peer could
// send, for tests. It begins with its link header (l3=on: with the IP header).
func (e *Engine) Inject(frame []byte) error {
	return e.use("inject", func(p *C.struct_iip_engine) C.int32_t {
		return C.iip_engine_inject(p, unsafe.Pointer(unsafe.SliceData(frame)), C.uint32_t(len(frame)))
	})
}

// SetMTU changes the MTU of the wire, 576 to 65535; both ends tell by EventLink.
func (e *Engine) SetMTU(mtu int) error {
	return e.use("mtu", func(p *C.struct_iip_engine) C.int32_t { return C.iip_engine_mtu_set(p, C.uint32_t(mtu)) })
}
