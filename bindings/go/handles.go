package iip

// #include "bridge.h"
import "C"

import (
	"net/netip"
	"unsafe"
)

// What may be done by handles alone, from any goroutine, by a crossing each. [Buffer] does without the same for buffers.

// RetainHandle makes one more release of a buffer due. ErrStale.
func RetainHandle(buf Handle) error { return check("retain", C.iip_buf_retain(C.uint64_t(buf))) }

// ReleaseHandle gives one reference of a buffer back. ErrStale.
func ReleaseHandle(buf Handle) error { return check("release", C.iip_buf_release(C.uint64_t(buf))) }

// UnregisterHandle ends a registration as [Region.Close] does, but unmaps nothing: for memory that the application mapped.
// ErrStale, ErrBusy.
func UnregisterHandle(region Handle) error {
	return check("unregister", C.iip_region_remove(C.uint64_t(region)))
}

// Detach copies up to len(p) bytes of a buffer out and releases it. ErrStale.
func Detach(buf Handle, p []byte) (int, error) {
	n := C.iip_buf_detach(C.uint64_t(buf), unsafe.Pointer(unsafe.SliceData(p)), C.uint32_t(len(p)))
	return int(max(n, 0)), check("detach", n)
}

// Alloc takes an empty buffer, by a crossing: for more than the turn laid out, see [Loop.TxTake]. ErrNoBufs.
func (l *Loop) Alloc() (Span, error) {
	var c C.struct_iip_span
	err := l.owned("alloc", func() C.int32_t { return C.iip_buf_alloc(l.c, &c) })
	return *(*Span)(unsafe.Pointer(&c)), err
}

// PostOp hands an operation to the loop's next turn and wakes it, from any goroutine; EventDone tells what became of it.
// The addresses are those of operations that take some. Bytes of OpSendCopy are read by that turn, so they are never
// Go's. ErrAgain: the queue is full. [Loop.Post] does without the crossing.
func (l *Loop) PostOp(op Op, local, peer netip.AddrPort) error {
	addrs := rawAddrs{toRaw(local), toRaw(peer)}
	op.Flags |= C.IIP_OP_REPLY
	return l.any("post", func() C.int32_t {
		return C.iip_go_post(l.c, (*C.struct_iip_op)(unsafe.Pointer(&op)), (*C.struct_iip_addrs)(unsafe.Pointer(&addrs)))
	})
}

// End aborts all connections of the loop and closes all else on it. The next turns hand up the EventClosed of each, then
// [Loop.State] says StateEnded; what would make new objects gets ErrClosed from now on.
func (l *Loop) End() error {
	return l.owned("end", func() C.int32_t { return C.iip_loop_close(l.c) })
}
