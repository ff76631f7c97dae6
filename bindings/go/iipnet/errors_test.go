package iipnet_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

// both gives two ends of a connection over pair.
func both(t *testing.T, tunables ...string) (a, b *iipnet.Conn) {
	t.Helper()
	server, client := pair(t, "pair:errors%d", tunables...)
	x, y, err := connect(server, client)
	if err != nil {
		t.Fatal(err)
	}
	return x.(*iipnet.Conn), y.(*iipnet.Conn)
}

// wantOp checks that err is what package net would give: an OpError of op around target.
func wantOp(t *testing.T, err error, op string, target error, timeout bool) {
	t.Helper()
	var oe *net.OpError
	if !errors.As(err, &oe) || oe.Op != op || !errors.Is(err, target) || oe.Timeout() != timeout {
		t.Errorf("got %v, not a %s error of %v", err, op, target)
	}
}

func TestErrorsOfReset(t *testing.T) {
	a, b := both(t)
	if _, err := a.Write([]byte("before")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := b.Read(buf); string(buf[:n]) != "before" || err != nil {
		t.Fatalf("%q %v", buf[:n], err)
	}
	_ = a.SetLinger(0)
	_ = a.Close()
	_, err := b.Read(buf)
	wantOp(t, err, "read", syscall.ECONNRESET, false)
	_, err = b.Write(buf) // the reason is told once
	wantOp(t, err, "write", syscall.EPIPE, false)
}

func TestErrorsOfDial(t *testing.T) {
	server, client := pair(t, "pair:errors%d")
	_, err := client.Dial("tcp", "10.0.0.2:9")
	wantOp(t, err, "dial", syscall.ECONNREFUSED, false)
	_, err = client.DialTimeout("tcp", "10.0.0.99:9", 20*time.Millisecond)
	wantOp(t, err, "dial", os.ErrDeadlineExceeded, true)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = client.DialContext(ctx, "tcp", "10.0.0.99:9")
	wantOp(t, err, "dial", context.Canceled, false)
	_, err = client.Dial("sctp", "10.0.0.2:9")
	wantOp(t, err, "dial", net.UnknownNetworkError("sctp"), false)
	l, err := server.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	_, err = server.Listen("tcp", ":80")
	wantOp(t, err, "listen", syscall.EADDRINUSE, false)
	_, err = server.Listen("tcp", "10.9.9.9:80")
	wantOp(t, err, "listen", syscall.EADDRNOTAVAIL, false)
	closed := make(chan error)
	time.AfterFunc(10*time.Millisecond, func() { closed <- l.Close() })
	_, err = l.Accept()
	wantOp(t, err, "accept", net.ErrClosed, false)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	_, err = client.Dial("tcp", "10.0.0.2:80")
	wantOp(t, err, "dial", syscall.ECONNREFUSED, false)
	again, err := server.Listen("tcp", ":80") // the port is free again
	if err != nil {
		t.Fatal(err)
	}
	_ = again.(*iipnet.Listener).SetDeadline(time.Now().Add(5 * time.Millisecond))
	_, err = again.Accept()
	wantOp(t, err, "accept", os.ErrDeadlineExceeded, true)
}

func TestErrorsOfClose(t *testing.T) {
	a, b := both(t)
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		_, err := a.Read(make([]byte, 1))
		wantOp(t, err, "read", net.ErrClosed, false)
	}()
	go func() {
		defer wg.Done()
		_, err := a.ReadFrom(endless{}) // blocks, as nobody reads
		wantOp(t, err, "readfrom", net.ErrClosed, false)
	}()
	time.Sleep(30 * time.Millisecond)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	wantOp(t, a.Close(), "close", net.ErrClosed, false)
	wantOp(t, a.SetDeadline(time.Now().Add(-1)), "set", net.ErrClosed, false)
	_, err := a.Read(make([]byte, 1))
	wantOp(t, err, "read", net.ErrClosed, false)
	if _, err := io.Copy(io.Discard, b); err != nil {
		t.Error(err)
	}
	if _, err := b.SyscallConn(); err == nil || !strings.Contains(err.Error(), "no descriptor") {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestDeadlinesOfBlockedCalls(t *testing.T) {
	a, _ := both(t)
	for _, past := range []bool{false, true} {
		_ = a.SetDeadline(time.Time{})
		errs := make(chan error, 2)
		go func() { _, err := a.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := a.Write(make([]byte, 64<<20)); errs <- err }()
		time.Sleep(10 * time.Millisecond)
		if past {
			_ = a.SetDeadline(time.Unix(1, 0))
		} else {
			_ = a.SetDeadline(time.Now().Add(10 * time.Millisecond))
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
	}
	_ = a.SetReadDeadline(time.Unix(1, 0))
	_ = a.SetReadDeadline(time.Time{}) // and a zero time clears it: this one ends by the next deadline only
	var again atomic.Bool
	time.AfterFunc(20*time.Millisecond, func() {
		again.Store(true)
		_ = a.SetReadDeadline(time.Unix(1, 0))
	})
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !again.Load() {
		t.Error(err, again.Load())
	}
}

func TestHalfClose(t *testing.T) {
	a, b := both(t)
	data := make([]byte, 3<<20)
	_, _ = rand.Read(data)
	go func() {
		_, _ = a.Write(data)
		_ = a.CloseWrite()
	}()
	got, err := io.ReadAll(b) // to the end of the stream of one direction
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	_, err = a.Write(data)
	wantOp(t, err, "write", syscall.EPIPE, false)
	go func() {
		_, _ = io.Copy(b, bytes.NewReader(data)) // and back in the other
		_ = b.Close()
	}()
	var back bytes.Buffer
	if _, err := io.Copy(&back, a); err != nil || !bytes.Equal(back.Bytes(), data) {
		t.Fatalf("%d bytes, %v", back.Len(), err)
	}
	if _, err := a.Read(data); err != io.EOF {
		t.Error(err)
	}
}

func TestSetters(t *testing.T) {
	a, b := both(t)
	for _, err := range []error{a.SetNoDelay(false), a.SetNoDelay(true), a.SetKeepAlive(true), a.SetKeepAlivePeriod(time.Minute),
		a.SetReadBuffer(100000), a.SetWriteBuffer(100000), a.SetLinger(-1)} {
		if err != nil {
			t.Error(err)
		}
	}
	go func() { _, _ = a.Write([]byte("x")); _ = a.Close() }()
	if got, err := io.ReadAll(b); string(got) != "x" || err != nil {
		t.Error(got, err)
	}
}

func TestStackCloses(t *testing.T) {
	server, client := pair(t, "pair:errors%d")
	a, b, err := connect(server, client)
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("tcp", ":81")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 3)
	go func() { _, err := a.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := a.Write(make([]byte, 64<<20)); errs <- err }()
	go func() { _, err := l.Accept(); errs <- err }()
	time.Sleep(20 * time.Millisecond)
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-errs; err == nil {
			t.Error("a call went on after the end of the stack")
		}
	}
	_, err = io.Copy(io.Discard, b)
	wantOp(t, err, "writeto", syscall.ECONNRESET, false)
	if err := server.Close(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := server.Listen("tcp", ":82"); err == nil {
		t.Error("a closed stack listens")
	}
	if _, err := server.Dial("tcp", "10.0.0.1:80"); err == nil {
		t.Error("a closed stack connects")
	}
}

func TestOpenNamesTheRemedy(t *testing.T) {
	_, err := iipnet.Open(iip.Config{Port: "nonsense:x"})
	if !errors.Is(err, syscall.ENODEV) || !strings.Contains(err.Error(), "nonsense") {
		t.Error(err)
	}
}

func TestDatagrams(t *testing.T) {
	server, client := pair(t, "pair:udp%d")
	s, err := server.ListenPacket("udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := s.ReadFrom(buf)
			if err != nil {
				wantOp(t, err, "read", net.ErrClosed, false)
				return
			}
			_, _ = s.WriteTo(buf[:n], from)
		}
	}()
	for _, host := range []string{"10.0.0.2", "[fd00::2]"} {
		c, err := client.Dial("udp", host+":53")
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 1000, 1472, 9000, 65000} {
			data := bytes.Repeat([]byte{byte(n)}, n)
			if _, err := c.Write(data); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(100 * time.Second))
			got := make([]byte, 1<<16)
			if k, err := c.Read(got); err != nil || !bytes.Equal(got[:k], data) {
				t.Fatalf("%s: %d bytes: %d came, %v", host, n, k, err)
			}
		}
		_ = c.Close()
	}
	refused, _ := client.Dial("udp", "10.0.0.2:9")
	_, _ = refused.Write([]byte("x"))
	_, err = refused.Read(make([]byte, 1))
	wantOp(t, err, "read", syscall.ECONNREFUSED, false)
	_ = refused.SetReadDeadline(time.Now().Add(-1))
	_, err = refused.Read(make([]byte, 1))
	wantOp(t, err, "read", os.ErrDeadlineExceeded, true)
	_, err = refused.Write(make([]byte, 70000))
	wantOp(t, err, "write", syscall.EMSGSIZE, false)
	_ = s.Close()
}

// TestSmallQueues: what a peer sends is more than the window, and what is written is more than the send queue. A reader
// that waits has given its buffers back before, and the end of a stream stays behind its bytes.
func TestSmallQueues(t *testing.T) {
	a, b := both(t, "tcp.rcvbuf=4096", "tcp.sndbuf=4096")
	data := make([]byte, 200_000)
	_, _ = rand.Read(data)
	for _, size := range []int{100, 4096, len(data)} {
		go func() { _, _ = a.Write(data[:size]) }()
		_ = b.SetReadDeadline(time.Now().Add(100 * time.Second))
		got := make([]byte, size)
		if n, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, data[:size]) {
			t.Fatalf("%d of %d bytes, %v", n, size, err)
		}
	}
	if _, err := a.Write(data); err != nil { // all of it is still queued in Go
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}
