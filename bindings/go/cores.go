package iip

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
)

// Cores says which threads do the networking of a loop.
type Cores uint32

// The models.
const (
	CoresUnified Cores = C.IIP_CORES_UNIFIED // the one that turns the loop
	CoresSplit   Cores = C.IIP_CORES_SPLIT   // a second one, in Network, on another core
	CoresMerge   Cores = C.IIP_CORES_MERGE   // a second one that never polls: both may share a core
)

// Network does the networking of a loop of an engine with CoresSplit or CoresMerge, on a thread of its own, until ctx is
// done, whose error it then returns: it receives, runs protocols and timers, and sends, also while the goroutine that
// turns the loop is busy. It waits inside the library, or polls (CoresSplit, on a port without interrupt). ErrNotSupported: the engine is unified.
func (l *Loop) Network(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stop := context.AfterFunc(ctx, func() { _ = l.any("wake", func() C.int32_t { return C.iip_loop_wake(l.c) }) })
	defer stop()
	wait := C.int64_t(-1)
	if l.engine.cores == CoresSplit && l.engine.info.Polls {
		wait = 0 // it has a core of its own: a port without interrupt is looked at all the time
	}
	for ctx.Err() == nil {
		if l.closed.Load() {
			return &OpError{Op: "network", Status: ErrClosed}
		}
		if n := C.iip_loop_net(l.c, wait); n < 0 {
			return &OpError{Op: "network", Status: Status(n)}
		}
	}
	C.iip_loop_detach(l.c)
	return ctx.Err()
}
