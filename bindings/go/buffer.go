//go:build cgo

package iip

import (
	"runtime"
	"sync/atomic"
)

// Buffer owns bytes that were received, in C memory, until it is released. Any goroutine may use it.
type Buffer struct {
	loop    *Loop
	handle  Handle
	bytes   []byte
	refs    atomic.Int32
	cleanup runtime.Cleanup
	watched bool
}

var leakReport atomic.Pointer[func(h Handle, n int)]

// ReportLeaks has f called, on a goroutine of the runtime's, for each Buffer that was collected without a Release; the
// buffer itself stays lost to the pool until its engine closes. nil: no reports, which costs nothing.
func ReportLeaks(f func(h Handle, n int)) {
	if f == nil {
		leakReport.Store(nil)
		return
	}
	leakReport.Store(&f)
}

type leaked struct {
	handle Handle
	n      int
}

func report(l leaked) {
	if f := leakReport.Load(); f != nil {
		(*f)(l.handle, l.n)
	}
}

// Take makes the buffer of a data or UDP event the caller's: valid beyond the turn, on any goroutine, until Release.
func (l *Loop) Take(e *Event) *Buffer {
	b := &Buffer{loop: l, handle: e.Buf, bytes: e.Bytes()}
	b.refs.Store(1)
	if leakReport.Load() != nil {
		b.watched = true
		b.cleanup = runtime.AddCleanup(b, report, leaked{b.handle, len(b.bytes)})
	}
	return b
}

// Bytes are the bytes, in place; nil after the last Release. Do not use them beyond it.
func (b *Buffer) Bytes() []byte {
	if b.refs.Load() <= 0 || b.loop.closed.Load() {
		return nil
	}
	return b.bytes
}

// Len is the number of bytes.
func (b *Buffer) Len() int { return len(b.bytes) }

// Retain makes one more Release due. ErrStale: it was released already.
func (b *Buffer) Retain() error {
	for {
		n := b.refs.Load()
		if n <= 0 {
			return &OpError{Op: "retain", Status: ErrStale}
		}
		if b.refs.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// Release gives one reference back; with the last one the buffer goes home with the loop's next turn, and a sleeping
// loop is woken for it. No crossing into C. ErrStale: it was released already.
func (b *Buffer) Release() error {
	for {
		n := b.refs.Load()
		if n <= 0 {
			return &OpError{Op: "release", Status: ErrStale}
		}
		if b.refs.CompareAndSwap(n, n-1) {
			if n > 1 {
				return nil
			}
			break
		}
	}
	if b.watched {
		b.cleanup.Stop()
	}
	if b.loop.closed.Load() {
		return &OpError{Op: "release", Status: ErrStale}
	}
	b.loop.giveBack(b.handle)
	b.loop.rouse()
	return nil
}

// Send hands the buffer's one reference to a connection of its own loop, with the next turn: nothing is copied. Of the
// loop's goroutine only. The Buffer is released by it; what happens when the queue is full, see [Loop.Results].
func (b *Buffer) Send(conn Handle) error {
	if !b.refs.CompareAndSwap(1, 0) {
		return &OpError{Op: "send", Status: ErrStale}
	}
	if b.watched {
		b.cleanup.Stop()
	}
	b.loop.SendBuf(conn, b.handle, 0, uint32(len(b.bytes)))
	return nil
}
