package iipnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	iip "iip.example/iip"
)

const (
	datagramsMax = 1024  // that wait to be read or sent, at most; more that arrive are dropped
	datagramMax  = 65507 // bytes
)

type datagram struct {
	data []byte
	from netip.AddrPort // or to
}

// PacketConn is a UDP endpoint: a net.PacketConn and, when it is connected, a net.Conn.
type PacketConn struct {
	lp      *loop
	network string
	handle  iip.Handle
	local   *net.UDPAddr
	remote  *net.UDPAddr // nil: not connected

	mu       sync.Mutex
	readable sync.Cond
	writable sync.Cond
	rd, wd   deadline
	in, out  []datagram
	partial  []byte // of a datagram that comes in several events
	soft     iip.Status
	told     bool
	closed   bool
	gone     bool
	status   iip.Status
}

// ListenPacket opens an endpoint on "10.0.0.2:53" or ":53"; network is "udp", "udp4" or "udp6". Port 0 means any. It
// lives on one loop.
func (s *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	local, err := localAddr(network, address, "udp")
	if err != nil {
		return nil, err
	}
	c, err := s.openUDP(context.Background(), network, ends{local: local})
	if err != nil {
		return nil, opError("listen", network, nil, udpAddr(local), err)
	}
	return c, nil
}

func (s *Stack) dialUDP(ctx context.Context, network string, peer netip.AddrPort) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, opError("dial", network, nil, udpAddr(peer), dialError(ctx))
	}
	c, err := s.openUDP(ctx, network, ends{peer: peer})
	if err != nil {
		return nil, opError("dial", network, nil, udpAddr(peer), err)
	}
	c.remote = udpAddr(peer)
	return c, nil
}

const triesOfPort = 100 // of those that are free, when any will do

func (s *Stack) openUDP(ctx context.Context, network string, e ends) (*PacketConn, error) {
	if e.local.Port() != 0 {
		return s.openAt(ctx, network, e)
	}
	for try := 0; ; try++ {
		e.local = withPort(e.local, s.ephemeral())
		c, err := s.openAt(ctx, network, e)
		if try == triesOfPort || !errors.Is(err, syscall.EADDRINUSE) {
			return c, err
		}
	}
}

func (s *Stack) openAt(ctx context.Context, network string, e ends) (*PacketConn, error) {
	c := &PacketConn{lp: s.pick(), network: network, local: udpAddr(e.local)}
	c.readable.L, c.writable.L = &c.mu, &c.mu
	answer, opened := make(chan iip.Status, 1), make(chan bool, 1)
	ok := c.lp.do(func(lp *loop) {
		lp.askOrEnd(iip.Op{Code: iip.OpUDPOpen}, e, func(op *iip.Op) {
			if op.Status == iip.OK {
				c.handle = iip.Handle(op.Out)
				lp.objects[c.handle.KindSlot()] = c
			}
			answer <- op.Status
			opened <- op.Status == iip.OK
		})
	})
	if !ok {
		return nil, net.ErrClosed
	}
	err := answered(ctx, answer, "bind")
	if err != nil {
		go c.unwanted(opened)
		return nil, err
	}
	return c, nil
}

// unwanted closes an endpoint that nobody waits for any more, once it is there.
func (c *PacketConn) unwanted(opened <-chan bool) {
	if <-opened {
		_ = c.Close()
	}
}

func (c *PacketConn) error(op string, addr net.Addr, err error) error {
	return opError(op, c.network, c.local, addr, err)
}

func (c *PacketConn) peer() net.Addr {
	if c.remote == nil {
		return nil
	}
	return c.remote
}

// ReadFromUDPAddrPort reads one datagram; what does not fit in p is lost.
func (c *PacketConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, netip.AddrPort{}, c.error("read", c.peer(), net.ErrClosed)
		case c.rd.expired():
			return 0, netip.AddrPort{}, c.error("read", c.peer(), os.ErrDeadlineExceeded)
		case c.soft != iip.OK:
			return 0, netip.AddrPort{}, c.error("read", c.peer(), c.refusal("read"))
		case len(c.in) != 0:
			d := c.in[0]
			c.in[0] = datagram{}
			c.in = c.in[1:]
			return copy(p, d.data), d.from, nil
		case c.gone:
			return 0, netip.AddrPort{}, c.error("read", c.peer(), system("read", c.status))
		}
		c.readable.Wait()
	}
}

// refusal is what became of a datagram that was sent before, to the next call, whether it reads or writes: as with the kernel.
func (c *PacketConn) refusal(call string) error {
	err := system(call, c.soft)
	c.soft = iip.OK
	return err
}

// ReadFrom reads one datagram, and tells whose it is.
func (c *PacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(p)
	if err != nil {
		return n, nil, err
	}
	return n, udpAddr(from), nil
}

// Read reads one datagram.
func (c *PacketConn) Read(p []byte) (int, error) {
	n, _, err := c.ReadFromUDPAddrPort(p)
	return n, err
}

// WriteToUDPAddrPort sends one datagram.
func (c *PacketConn) WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error) {
	if c.remote != nil {
		return 0, c.error("write", udpAddr(to), net.ErrWriteToConnected)
	}
	return c.write(p, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()), udpAddr(to))
}

// WriteTo sends one datagram.
func (c *PacketConn) WriteTo(p []byte, to net.Addr) (int, error) {
	ap, err := addrPort(to)
	if err != nil {
		return 0, c.error("write", to, err)
	}
	return c.WriteToUDPAddrPort(p, ap)
}

// Write sends one datagram to the peer of a connected endpoint.
func (c *PacketConn) Write(p []byte) (int, error) {
	if c.remote == nil {
		return 0, c.error("write", nil, os.NewSyscallError("write", syscall.EDESTADDRREQ))
	}
	return c.write(p, netip.AddrPort{}, c.remote)
}

func (c *PacketConn) write(p []byte, to netip.AddrPort, addr net.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, c.error("write", addr, net.ErrClosed)
		case c.wd.expired():
			return 0, c.error("write", addr, os.ErrDeadlineExceeded)
		case len(p) > datagramMax:
			return 0, c.error("write", addr, system("write", iip.ErrMsgSize))
		case c.gone:
			return 0, c.error("write", addr, system("write", c.status))
		case c.soft != iip.OK:
			return 0, c.error("write", addr, c.refusal("write"))
		case len(c.out) < datagramsMax:
			c.out = append(c.out, datagram{data: append([]byte(nil), p...), from: to})
			c.tell()
			return len(p), nil
		}
		c.writable.Wait()
	}
}

func (c *PacketConn) tell() {
	if !c.told {
		c.told = true
		c.lp.notify(c)
	}
}

// Close ends the endpoint, behind what was written: when it returns, the address is free. Blocked calls return
// net.ErrClosed.
func (c *PacketConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.error("close", c.peer(), net.ErrClosed)
	}
	c.closed = true
	c.rd.stop()
	c.wd.stop()
	c.in = nil
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.tell()
	for !c.gone {
		c.writable.Wait()
	}
	return nil
}

// LocalAddr is this end.
func (c *PacketConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the other end, nil when it is not connected.
func (c *PacketConn) RemoteAddr() net.Addr { return c.peer() }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *PacketConn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline is for calls to come and for those that wait already.
func (c *PacketConn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline is the same for writing.
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *PacketConn) setDeadlines(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return opError("set", c.network, nil, c.local, net.ErrClosed)
	}
	if read {
		c.rd.set(t, &c.readable)
	}
	if write {
		c.wd.set(t, &c.writable)
	}
	return nil
}

// SyscallConn says that there is no descriptor.
func (c *PacketConn) SyscallConn() (syscall.RawConn, error) {
	return noSyscallConn(c.network, c.local, c.peer())
}

// ---- on the loop's goroutine ----

func (c *PacketConn) pump(lp *loop) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = false
	if c.gone {
		c.out = nil
		return
	}
	n := 0
	for n < len(c.out) && c.send(lp, &c.out[n]) {
		c.out[n] = datagram{}
		n++
	}
	c.out = c.out[n:]
	if n != 0 {
		c.writable.Broadcast()
	}
	if len(c.out) == 0 && c.closed && lp.l.Room() > 0 {
		lp.push(iip.Op{Code: iip.OpClose, Obj: c.handle}, sent{done: func(*iip.Op) { c.ended(lp) }})
	} else if len(c.out) != 0 || c.closed {
		c.told = true
		lp.later = append(lp.later, c)
	}
}

// send is false when it has to wait for the next turn.
func (c *PacketConn) send(lp *loop, d *datagram) bool {
	at := uint64(0)
	if len(d.data) != 0 {
		if at = lp.copyOut(d.data); at == 0 {
			return false
		}
	}
	op := iip.Op{Code: iip.OpUDPSendCopy, Obj: c.handle, Buf: iip.Handle(at), Len: uint32(len(d.data))}
	if !d.from.IsValid() {
		if lp.l.Room() <= 0 {
			return false
		}
		lp.push(op, sent{})
		return true
	}
	if !lp.l.PushAddrs(op, netip.AddrPort{}, d.from) {
		return false
	}
	lp.sents = append(lp.sents, sent{})
	return true
}

func (c *PacketConn) event(lp *loop, e *iip.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.Src != c.handle:
	case e.Type == iip.EventUDP:
		c.arrived(lp, e)
	case e.Type == iip.EventUDPError && c.remote != nil:
		c.soft = e.Status
		c.readable.Broadcast()
		c.writable.Broadcast()
	case e.Type == iip.EventClosed:
		c.over(e.Status)
		delete(lp.objects, e.Src.KindSlot())
	}
	if e.Buf != 0 {
		lp.l.Release(e.Buf)
	}
	lp.roused = true
}

func (c *PacketConn) arrived(lp *loop, e *iip.Event) {
	c.partial = append(c.partial, e.Bytes()...)
	if e.Flags&iip.EventMore != 0 {
		return
	}
	_, peer := lp.l.Addrs(e)
	if !c.closed && len(c.in) < datagramsMax {
		c.in = append(c.in, datagram{data: c.partial, from: peer})
		c.readable.Signal()
	}
	c.partial = nil
}

func (c *PacketConn) ended(lp *loop) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(lp.objects, c.handle.KindSlot())
	c.over(iip.ErrClosed)
}

func (c *PacketConn) over(st iip.Status) {
	c.gone, c.status = true, st
	c.readable.Broadcast()
	c.writable.Broadcast()
}

func (c *PacketConn) fail(st iip.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over(st)
}

var (
	_ net.PacketConn = (*PacketConn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
)
