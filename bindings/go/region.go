package iip

// #include "bridge.h"
import "C"

import (
	"sync"
	"syscall"
	"unsafe"
)

// Region is memory that is registered for sending without a copy, on all loops of its engine: see [Loop.SendRegion].
//
// It is never Go's memory, which the library would have to keep a pointer to: either NewRegion maps it, or the
// application did (Register), so that a file that is mapped goes out without being read. Any goroutine may use it. Bytes
// that are being sent must not change before their EventTxDone.
type Region struct {
	engine *Engine
	handle Handle
	mapped bool // by NewRegion

	mu    sync.Mutex
	bytes []byte // nil: closed
}

// NewRegion maps n bytes, zeros, and registers them.
func (e *Engine) NewRegion(n int) (*Region, error) {
	memory, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, &OpError{Op: "region", Status: ErrNoMem, Detail: err.Error()}
	}
	r, err := e.Register(memory)
	if err != nil {
		_ = syscall.Munmap(memory)
		return nil, err
	}
	r.mapped = true
	return r, nil
}

// Register registers memory that the application mapped (syscall.Mmap) or that C allocated, never Go's. It must stay
// mapped until Close said that it is no longer in use.
func (e *Engine) Register(memory []byte) (*Region, error) {
	var h C.uint64_t
	err := e.use("region", func(p *C.struct_iip_engine) C.int32_t {
		return C.iip_region_add(p, unsafe.Pointer(unsafe.SliceData(memory)), C.uint64_t(len(memory)), &h)
	})
	if err != nil {
		return nil, err
	}
	return &Region{engine: e, handle: Handle(h), bytes: memory}, nil
}

// Handle names the region in operations.
func (r *Region) Handle() Handle { return r.handle }

// Bytes is the memory; nil after Close.
func (r *Region) Bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// Close ends the registration, and unmaps what NewRegion mapped. ErrBusy while bytes of it are being sent: after their
// EventTxDone, then. After the end of its engine it only unmaps.
func (r *Region) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes == nil {
		return &OpError{Op: "region", Status: ErrStale}
	}
	err := r.engine.use("region", func(*C.struct_iip_engine) C.int32_t { return C.iip_region_remove(C.uint64_t(r.handle)) })
	if err != nil && err.(*OpError).Status != ErrClosed {
		return err
	}
	if r.mapped {
		_ = syscall.Munmap(r.bytes)
	}
	r.bytes = nil
	return nil
}

// SendRegion queues n bytes from byte offset of a region on a connection, by the next turn: nothing is copied. EventTxDone
// with user follows if any byte was taken; see [Loop.Results] for how many were.
func (l *Loop) SendRegion(conn Handle, r *Region, offset uint64, n uint32, user uint64) {
	l.Push(Op{Code: OpSendExtern, Obj: conn, Buf: r.handle, Arg: offset, Len: n, User: user})
}
