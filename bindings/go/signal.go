//go:build cgo

package iip

import (
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// DPDK's net_tap has a real-time signal sent for packets that arrive. It looks for one that nobody handles, and without
// one it never receives; Go's runtime handles them all. So that one is given back before net_tap is first opened: it is
// of no use to os/signal from then on. libiip adds SA_ONSTACK to the handler, which Go demands.
const netTapSignal = 63

var giveSignalBack = sync.OnceFunc(func() {
	var byDefault [4]uint64 // the kernel's struct sigaction: handler, flags, restorer, mask
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, netTapSignal, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
})

func prepareSignals(port string) {
	if strings.HasPrefix(port, "dpdk:") && strings.Contains(port, "net_tap") {
		giveSignalBack()
	}
}
