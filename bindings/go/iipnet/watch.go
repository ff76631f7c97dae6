package iipnet

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// watch waits for the descriptor of a loop in Go's poller, on behalf of the goroutine that turns the loop.
type watch struct {
	file  *os.File
	armed atomic.Bool
	arms  chan struct{}
}

// newWatch takes a duplicate of the descriptor, so that Go may own it.
func newWatch(fd int, ready func()) (*watch, error) {
	dup, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("fcntl", errno)
	}
	if err := syscall.SetNonblock(int(dup), true); err != nil { // that is how os.NewFile knows that it can be polled
		_ = syscall.Close(int(dup))
		return nil, os.NewSyscallError("fcntl", err)
	}
	w := &watch{file: os.NewFile(dup, "iip loop"), arms: make(chan struct{}, 1)}
	raw, err := w.file.SyscallConn()
	if err != nil {
		_ = w.file.Close()
		return nil, err
	}
	go w.run(raw, ready)
	return w, nil
}

func (w *watch) run(raw syscall.RawConn, ready func()) {
	for range w.arms {
		if raw.Read(readable) != nil {
			return // closed
		}
		w.armed.Store(false)
		ready()
	}
}

// arm asks for one call of ready when the descriptor is readable.
func (w *watch) arm() {
	if w.armed.CompareAndSwap(false, true) {
		w.arms <- struct{}{}
	}
}

func (w *watch) close() {
	close(w.arms)
	_ = w.file.Close()
}

type pollFD struct {
	fd              int32
	events, revents int16
}

// readable looks, by ppoll without waiting: Go's poller tells of changes only, and this may be one that it told before.
func readable(fd uintptr) bool {
	p := pollFD{fd: int32(fd), events: 1}
	var now syscall.Timespec
	n, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return int(n) > 0
}
