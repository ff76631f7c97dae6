package iipnet_test

import (
	"net"
	"syscall"
	"testing"
	"unsafe"

	"iip.example/iip/iipnet"
)

// Waits for what the network brings, of either world, on signs that take nothing away.

func control(t *testing.T, c any, f func(fd uintptr)) {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// finStates are those of the kernel in which a FIN has come.
var finStates = map[byte]bool{6: true, 7: true, 8: true, 9: true, 11: true}

const tcpClose = 7

// seen is what has come from the peer of a connection.
func (w *world) seen(c net.Conn) (bytes int, fin, gone bool) {
	if ours, ok := c.(*iipnet.Conn); ok {
		return ours.Seen()
	}
	control(w.t, c, func(fd uintptr) {
		var n int32
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n)))
		var info [256]byte
		size := uint32(len(info))
		_, _, _ = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		bytes, fin, gone = int(n), finStates[info[0]], info[0] == tcpClose
	})
	return bytes, fin, gone
}

func (w *world) untilBytes(c net.Conn, n int) {
	w.t.Helper()
	until(w.t, "no bytes come", func() bool { got, _, _ := w.seen(c); return got >= n })
}

func (w *world) untilGone(all ...duplex) {
	w.t.Helper()
	for _, c := range all {
		until(w.t, "a connection goes on", func() bool { _, _, gone := w.seen(c); return gone })
	}
}

// seenOfUDP is whether a datagram has come, and whether one was refused.
func (w *world) seenOfUDP(c net.Conn) (datagram, refused bool) {
	if ours, ok := c.(*iipnet.PacketConn); ok {
		return ours.Seen()
	}
	control(w.t, c, func(fd uintptr) {
		p := struct {
			fd              int32
			events, revents int16
		}{fd: int32(fd), events: 1}
		var now syscall.Timespec
		_, _, _ = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		datagram, refused = p.revents&1 != 0, p.revents&8 != 0
	})
	return datagram, refused
}

func (w *world) untilRefused(c net.Conn) {
	w.t.Helper()
	until(w.t, "nothing is refused", func() bool { _, refused := w.seenOfUDP(c); return refused })
}
