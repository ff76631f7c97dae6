package iipnet

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	iip "iip.example/iip"
)

const backlog = 1024 // connections that wait for Accept, at most; more are reset

// Listener is a net.Listener on all loops of a stack.
type Listener struct {
	stack  *Stack
	id     uint64
	handle iip.Handle
	addr   *net.TCPAddr
	named  string // the network

	mu      sync.Mutex
	ready   sync.Cond
	d       deadline
	waiting []*Conn
	answers int        // loops that have not said whether they could
	status  iip.Status // the worst of what they said
	closed  bool
	failed  iip.Status // the stack ended
}

// Listen listens on "10.0.0.2:80", "[fd00::2]:80" or ":80" (all addresses of the stack); network is "tcp", "tcp4" or
// "tcp6". Port 0 means any that is free.
func (s *Stack) Listen(network, address string) (net.Listener, error) {
	local, err := localAddr(network, address, "tcp")
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		at := local
		if at.Port() == 0 {
			at = withPort(at, s.ephemeral())
		}
		l, err := s.listen(network, at)
		if err == nil {
			return l, nil
		}
		if local.Port() != 0 || try == triesOfPort || !errors.Is(err, iip.ErrAddrInUse) {
			return nil, opError("listen", network, nil, tcpAddr(at), system("bind", asStatus(err)))
		}
	}
}

func (s *Stack) listen(network string, at netip.AddrPort) (*Listener, error) {
	l := &Listener{stack: s, addr: tcpAddr(at), named: network, answers: len(s.loops)}
	l.ready.L = &l.mu
	s.mu.Lock()
	if s.closed || s.failure != nil {
		s.mu.Unlock()
		return nil, iip.ErrClosed
	}
	s.ids++
	l.id = s.ids
	s.listeners[l.id] = l
	s.mu.Unlock()
	h, err := s.engine.Listen(at, 0, l.id)
	if err != nil {
		s.forget(l)
		return nil, err
	}
	l.handle = h
	if st := l.answered(); st != iip.OK {
		l.unlisten()
		return nil, st
	}
	return l, nil
}

// answered waits until all loops have said what they had to, or the stack ends.
func (l *Listener) answered() iip.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.answers != 0 && l.failed == iip.OK {
		l.ready.Wait()
	}
	return min(l.status, l.failed)
}

// unlisten ends it on all loops, and waits for that: from then on the address is free, and connects are refused.
func (l *Listener) unlisten() {
	l.mu.Lock()
	l.answers = len(l.stack.loops)
	l.mu.Unlock()
	if l.stack.ending(l) && l.stack.engine.Unlisten(l.handle) == nil {
		l.answered()
	}
	l.stack.forget(l)
}

// ending has the answers of loops to Unlisten, which name no id, find the listener. False: there are no loops to answer.
func (s *Stack) ending(l *Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l.id)
	s.ended[l.handle] = l
	return s.failure == nil
}

func (s *Stack) forget(l *Listener) {
	s.mu.Lock()
	delete(s.listeners, l.id)
	delete(s.ended, l.handle)
	s.mu.Unlock()
}

func (s *Stack) listener(id uint64) *Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners[id]
}

// listenDone is what one loop says to Listen or, without an id, to Unlisten.
func (s *Stack) listenDone(e *iip.Event) {
	l := s.listener(e.User)
	if l == nil {
		s.mu.Lock()
		l = s.ended[e.Src]
		s.mu.Unlock()
	}
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers--
	l.status = min(l.status, e.Status)
	l.ready.Broadcast()
}

// accept makes a connection of an event.
func (lp *loop) accept(e *iip.Event) {
	l := lp.stack.listener(e.User)
	c := newConn(lp, "tcp")
	if l != nil {
		c.network = l.named
	}
	local, peer := lp.l.Addrs(e)
	c.named(ends{local, peer})
	c.handle = e.Src
	lp.objects[e.Src.KindSlot()] = c
	lp.stack.conns.Add(1)
	lp.roused = true
	if l == nil || !l.offer(c) {
		c.abort()
	}
}

func (l *Listener) offer(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.waiting) >= backlog {
		return false
	}
	l.waiting = append(l.waiting, c)
	l.ready.Signal()
	return true
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, l.error("accept", net.ErrClosed)
		case l.d.expired():
			return nil, l.error("accept", os.ErrDeadlineExceeded)
		case len(l.waiting) != 0:
			c := l.waiting[0]
			l.waiting[0] = nil
			l.waiting = l.waiting[1:]
			return c, nil
		case l.failed != iip.OK:
			return nil, l.error("accept", system("accept", l.failed))
		}
		l.ready.Wait()
	}
}

func (l *Listener) error(op string, err error) error { return opError(op, l.named, nil, l.addr, err) }

// Close ends listening: when it returns, connects are refused and the address is free. Connections that were accepted
// live on; those that wait for Accept are reset.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return l.error("close", net.ErrClosed)
	}
	l.closed = true
	l.d.stop()
	waiting := l.waiting
	l.waiting = nil
	l.ready.Broadcast()
	l.mu.Unlock()
	l.unlisten()
	for _, c := range waiting {
		c.abort()
	}
	return nil
}

func (l *Listener) end(st iip.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = st
	l.ready.Broadcast()
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetDeadline is for calls of Accept to come and for those that wait already; the zero time means none.
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed // package net wraps it in nothing here
	}
	l.d.set(t, &l.ready)
	return nil
}

// SyscallConn says that there is no descriptor.
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return noSyscallConn(l.named, nil, l.addr) }
