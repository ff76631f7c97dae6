package iipnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

// What package net says to the same calls, field by field.

// wantExact checks every field of a *net.OpError, and the text of the cause.
func wantExact(t *testing.T, err error, op, network string, source, addr net.Addr, cause error) {
	t.Helper()
	oe, ok := err.(*net.OpError)
	if !ok {
		t.Errorf("%v (%T) is no *net.OpError", err, err)
		return
	}
	same := func(a, b net.Addr) bool {
		return a == nil && b == nil || a != nil && b != nil && reflect.TypeOf(a) == reflect.TypeOf(b) && a.String() == b.String()
	}
	if oe.Op != op || oe.Net != network || !same(oe.Source, source) || !same(oe.Addr, addr) {
		t.Errorf("%#v: not %s %s %v -> %v", oe, op, network, source, addr)
	}
	if !errors.Is(err, cause) {
		t.Errorf("%v is not %v", err, cause)
	}
	if number, ok := cause.(syscall.Errno); ok {
		if _, ok := oe.Err.(*os.SyscallError); !ok || oe.Timeout() != number.Timeout() {
			t.Errorf("%v: %T, timeout %v", err, oe.Err, oe.Timeout())
		}
	}
}

func tcp(address string) net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", address)
	return a
}

func TestFieldsAreThoseOfNet(t *testing.T) {
	_, client := pair(t, "pair:exact%d")
	for _, network := range []string{"tcp", "tcp4"} {
		_, err := client.Dial(network, "10.0.0.2:9")
		wantExact(t, err, "dial", network, nil, tcp("10.0.0.2:9"), syscall.ECONNREFUSED)
		_, ours := client.Dial(network, "10.0.0.2:9")
		_, theirs := net.Dial(network, "127.0.0.1:9")
		if a, b := strings.ReplaceAll(ours.Error(), "10.0.0.2", "127.0.0.1"), theirs.Error(); a != b {
			t.Errorf("%q, and package net says %q", a, b)
		}
	}
	a, b := both(t)
	local, remote := a.LocalAddr(), a.RemoteAddr()
	_ = a.SetReadDeadline(time.Unix(1, 0))
	_, err := a.Read(make([]byte, 1))
	wantExact(t, err, "read", "tcp", local, remote, os.ErrDeadlineExceeded)
	_, err = a.WriteTo(io.Discard)
	wantExact(t, err, "writeto", "tcp", local, remote, os.ErrDeadlineExceeded)
	_ = a.SetWriteDeadline(time.Unix(1, 0))
	_, err = a.ReadFrom(strings.NewReader("x"))
	wantExact(t, err, "readfrom", "tcp", local, remote, os.ErrDeadlineExceeded)
	_ = a.Close()
	_, err = a.Write([]byte("x"))
	wantExact(t, err, "write", "tcp", local, remote, net.ErrClosed)
	wantExact(t, a.Close(), "close", "tcp", local, remote, net.ErrClosed)
	wantExact(t, a.CloseWrite(), "close", "tcp", local, remote, net.ErrClosed)
	wantExact(t, a.CloseRead(), "close", "tcp", local, remote, net.ErrClosed)
	wantExact(t, a.SetDeadline(time.Time{}), "set", "tcp", nil, local, net.ErrClosed)
	wantExact(t, a.SetNoDelay(true), "set", "tcp", local, remote, net.ErrClosed)
	_ = b.Close()
}

func TestFieldsOfListeners(t *testing.T) {
	server, _ := pair(t, "pair:exact%d")
	l, err := server.Listen("tcp4", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Listen("tcp4", "10.0.0.2:80")
	wantExact(t, err, "listen", "tcp4", nil, l.Addr(), syscall.EADDRINUSE)
	_ = l.Close()
	_, err = l.Accept()
	wantExact(t, err, "accept", "tcp4", nil, l.Addr(), net.ErrClosed)
	wantExact(t, l.Close(), "close", "tcp4", nil, l.Addr(), net.ErrClosed)
	if err := l.(*iipnet.Listener).SetDeadline(time.Time{}); err != net.ErrClosed {
		t.Error(err)
	}
}

func TestFieldsOfDatagrams(t *testing.T) {
	server, client := pair(t, "pair:exact%d")
	p, err := server.ListenPacket("udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	u := p.(*iipnet.PacketConn)
	_, err = u.Write([]byte("x"))
	wantExact(t, err, "write", "udp", p.LocalAddr(), nil, syscall.EDESTADDRREQ)
	_ = p.SetReadDeadline(time.Unix(1, 0))
	_, _, err = p.ReadFrom(make([]byte, 1))
	wantExact(t, err, "read", "udp", p.LocalAddr(), nil, os.ErrDeadlineExceeded)
	c, err := client.Dial("udp4", "10.0.0.2:53")
	if err != nil {
		t.Fatal(err)
	}
	to := c.RemoteAddr()
	_, err = c.(*iipnet.PacketConn).WriteTo([]byte("x"), to)
	wantExact(t, err, "write", "udp4", c.LocalAddr(), to, net.ErrWriteToConnected)
	_ = c.Close()
	_, err = c.Read(make([]byte, 1))
	wantExact(t, err, "read", "udp4", c.LocalAddr(), to, net.ErrClosed)
	for range 50 { // a closed endpoint's port is free at once
		_ = p.Close()
		if p, err = server.ListenPacket("udp", ":53"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnreachable: nobody has the address, and there is no route to the network.
func TestUnreachable(t *testing.T) {
	_, client := pair(t, "pair:exact%d", "neigh.retry_us=20000")
	_, err := client.Dial("tcp", "10.0.0.99:9")
	wantExact(t, err, "dial", "tcp", nil, tcp("10.0.0.99:9"), syscall.EHOSTUNREACH)
	_, err = client.Dial("tcp", "10.9.9.9:9")
	wantExact(t, err, "dial", "tcp", nil, tcp("10.9.9.9:9"), syscall.ENETUNREACH)
}

// deaf opens a stack and a peer that accepts connections on port 7 until it is told to end.
func deaf(t *testing.T, tunables ...string) (client *iipnet.Stack, end func()) {
	t.Helper()
	iipnet.NoneLeft(t)
	port := fmt.Sprintf("pair:deaf%d", names.Add(1))
	peer, err := iip.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.2/24"}})
	if err != nil {
		t.Fatal(err)
	}
	client = openStack(t, port, "1", tunables)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- peer.Loop(0).Run(ctx, keepsAll{}) }()
	t.Cleanup(func() { cancel(); _, _ = peer.Close() })
	return client, func() { cancel(); <-ended }
}

// keepsAll accepts connections, and keeps what arrives.
type keepsAll struct{}

func (keepsAll) Start(l *iip.Loop) error {
	_, err := l.Listen(anyPort7, 0)
	return err
}

func (keepsAll) Turn(*iip.Loop, []iip.Event) error { return nil }

// TestTimeouts: a peer that answers no more ends a connection by the user timeout, and a dial by the end of its retries.
func TestTimeouts(t *testing.T) {
	client, end := deaf(t, "tcp.user_timeout_us=300000", "tcp.syn_retries=1")
	c, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	end()
	if _, err := c.Write([]byte("is anybody there?")); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1))
	wantExact(t, err, "read", "tcp", c.LocalAddr(), c.RemoteAddr(), syscall.ETIMEDOUT)
	_, err = c.Write([]byte("x")) // the reason is told once
	wantExact(t, err, "write", "tcp", c.LocalAddr(), c.RemoteAddr(), syscall.EPIPE)
	_ = c.Close()
	_, err = client.Dial("tcp", "10.0.0.2:7")
	wantExact(t, err, "dial", "tcp", nil, tcp("10.0.0.2:7"), syscall.ETIMEDOUT)
}

// TestDialsThatEnd: a context ends a dial at each of its stages, and nothing of it is left.
func TestDialsThatEnd(t *testing.T) {
	client, end := deaf(t, "neigh.retry_us=60000000") // so that nothing else ends them
	end()
	past, cancelPast := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancelPast()
	gone, cancelGone := context.WithCancel(context.Background())
	cancelGone()
	addresses := []string{"10.0.0.2:7", "10.0.0.2:nonsense", "10.0.0.99:7"} // a peer, a lookup, a neighbour
	for range 200 {
		addresses = append(addresses, "name.invalid:7")
	}
	for _, address := range addresses {
		_, err := client.DialContext(gone, "tcp", address)
		wantOp(t, err, "dial", context.Canceled, false)
		_, err = client.DialContext(past, "tcp", address)
		wantOp(t, err, "dial", context.DeadlineExceeded, true)
		if !strings.HasSuffix(err.Error(), "i/o timeout") {
			t.Error(err)
		}
	}
	for i := range 200 { // at whatever stage it is by then
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*20*time.Microsecond)
		if i%2 == 0 {
			ctx, cancel = context.WithCancel(context.Background())
			time.AfterFunc(time.Duration(i)*20*time.Microsecond, cancel)
		}
		_, err := client.DialContext(ctx, "tcp", "10.0.0.2:7")
		cancel()
		if i%2 == 0 {
			wantOp(t, err, "dial", context.Canceled, false)
		} else {
			wantOp(t, err, "dial", context.DeadlineExceeded, true)
		}
	}
	if !client.Drain(60 * time.Second) {
		t.Error("dials that ended left connections")
	}
}

// TestDialsThatEndWhileAccepted: a peer that answers makes no difference, but for dials that were faster.
func TestDialsThatEndWhileAccepted(t *testing.T) {
	client, _ := deaf(t)
	for i := range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*2*time.Microsecond)
		c, err := client.DialContext(ctx, "tcp", "10.0.0.2:7")
		cancel()
		if err == nil {
			_ = c.(*iipnet.Conn).SetLinger(0)
			_ = c.Close()
		} else {
			wantOp(t, err, "dial", context.DeadlineExceeded, true)
		}
	}
	if !client.Drain(60 * time.Second) {
		t.Error("dials that ended left connections")
	}
}

// TestListenersEnd: when Close returns, a connect is refused and the address is free, on all loops, however often.
func TestListenersEnd(t *testing.T) {
	iipnet.NoneLeft(t)
	port := fmt.Sprintf("pair:ends%d", names.Add(1))
	server, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.2/24"}, Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	client := openStack(t, port, "1", nil)
	for i := range 100 {
		l, err := server.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if i%3 == 0 {
			if c, err := client.Dial("tcp", "10.0.0.2:80"); err != nil {
				t.Fatal(err)
			} else {
				defer c.Close()
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = client.Dial("tcp", "10.0.0.2:80")
		wantOp(t, err, "dial", syscall.ECONNREFUSED, false)
	}
}

// TestCloseUnblocks: Accept, Read, Write and datagrams end when another goroutine closes what they wait for.
func TestCloseUnblocks(t *testing.T) {
	server, _ := pair(t, "pair:exact%d")
	l, err := server.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	p, err := server.ListenPacket("udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := both(t)
	errs := make(chan error, 4)
	for _, f := range []func() error{
		func() error { _, err := l.Accept(); return err },
		func() error { _, _, err := p.ReadFrom(make([]byte, 1)); return err },
		func() error { _, err := a.Read(make([]byte, 1)); return err },
		func() error { _, err := a.Write(make([]byte, 64<<20)); return err },
	} {
		go func() { errs <- f() }()
	}
	time.Sleep(20 * time.Millisecond)
	for _, c := range []io.Closer{l, p, a} {
		_ = c.Close()
	}
	for range 4 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

// TestCopies: io.Copy finds ReadFrom and WriteTo, which neither lose nor add a byte.
func TestCopies(t *testing.T) {
	a, b := both(t)
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		if n, err := io.Copy(a, bytes.NewReader(data)); n != int64(len(data)) || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		_ = a.CloseWrite()
	}()
	var got bytes.Buffer
	if n, err := io.Copy(struct{ io.Writer }{&got}, b); n != int64(len(data)) || err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes, %v", n, err)
	}
	failing := errors.New("a reader's own error")
	if _, err := b.ReadFrom(io.MultiReader(strings.NewReader("x"), errReader{failing})); !errors.Is(err, failing) {
		t.Error(err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }
