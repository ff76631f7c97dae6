package iipnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	iip "iip.example/iip"
)

// Dial connects to "10.0.0.1:80"; network is "tcp", "tcp4", "tcp6", "udp", "udp4" or "udp6".
func (s *Stack) Dial(network, address string) (net.Conn, error) {
	return s.DialContext(context.Background(), network, address)
}

// DialTimeout is Dial with a limit.
func (s *Stack) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.DialContext(ctx, network, address)
}

// DialContext is Dial that ends with ctx: what net/http's Transport takes. Once connected, ctx means nothing any more.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dial, proto := s.dialTCP, "tcp"
	if _, ok := family(network, "udp"); ok {
		dial, proto = s.dialUDP, "udp"
	}
	fam, ok := family(network, proto)
	if !ok {
		return nil, opError("dial", network, nil, nil, net.UnknownNetworkError(network))
	}
	addrs, err := lookup(ctx, network, address, fam)
	if err != nil {
		return nil, opError("dial", network, nil, nil, err)
	}
	var first error
	for i, a := range addrs { // one after the other, each with its share of the time
		share, cancel := shareOf(ctx, len(addrs)-i)
		c, err := dial(share, network, a)
		cancel()
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

const shareMin = 2 * time.Second // less is no use, while there is as much

// shareOf is the context of a dial to the first of several addresses that are left.
func shareOf(ctx context.Context, addrs int) (context.Context, context.CancelFunc) {
	end, limited := ctx.Deadline()
	if !limited || addrs == 1 {
		return ctx, func() {}
	}
	left := time.Until(end)
	return context.WithTimeout(ctx, max(left/time.Duration(addrs), min(left, shareMin)))
}

// dialError is why a dial whose context has ended failed: one that ran out of time is a timeout in package net, too.
func dialError(ctx context.Context) error {
	switch err := ctx.Err(); err {
	case context.DeadlineExceeded:
		return errDialTimeout{}
	case context.Canceled:
		return errDialCanceled{}
	default:
		return err
	}
}

// What package net says of dials whose context ended.
type (
	errDialTimeout  struct{}
	errDialCanceled struct{}
)

func (errDialTimeout) Error() string   { return "i/o timeout" }
func (errDialTimeout) Timeout() bool   { return true }
func (errDialTimeout) Temporary() bool { return true }
func (errDialTimeout) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}

func (errDialCanceled) Error() string        { return "operation was canceled" }
func (errDialCanceled) Is(target error) bool { return target == context.Canceled }

func (s *Stack) dialTCP(ctx context.Context, network string, peer netip.AddrPort) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, opError("dial", network, nil, tcpAddr(peer), dialError(ctx))
	}
	c := newConn(s.pick(), network)
	c.remote = tcpAddr(peer)
	answer := make(chan iip.Status, 1)
	c.dialed = answer
	if !c.lp.do(func(lp *loop) { c.begin(lp, peer) }) {
		return nil, opError("dial", network, nil, tcpAddr(peer), net.ErrClosed)
	}
	err := answered(ctx, answer, "connect")
	if err != nil {
		c.abort()
		return nil, opError("dial", network, nil, tcpAddr(peer), err)
	}
	return c, nil
}

// answered waits for the answer, or for the end of the context, which wins if both are there.
func answered(ctx context.Context, answer <-chan iip.Status, call string) error {
	st := iip.OK
	select {
	case st = <-answer:
	case <-ctx.Done():
	}
	switch {
	case ctx.Err() != nil:
		return dialError(ctx)
	case st != iip.OK:
		return system(call, st)
	}
	return nil
}

// begin asks for the connection; on the loop's goroutine, or with nil when that has ended.
func (c *Conn) begin(lp *loop, peer netip.AddrPort) {
	c.lp.stack.conns.Add(1)
	if lp == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over(iip.ErrClosed)
		return
	}
	lp.ask(iip.Op{Code: iip.OpConnect}, ends{peer: peer}, func(op *iip.Op) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if op.Status != iip.OK {
			c.over(op.Status)
			return
		}
		c.handle = iip.Handle(op.Out)
		lp.objects[c.handle.KindSlot()] = c
		if c.closed { // the dial was given up meanwhile
			c.retry(lp)
		}
	})
}
