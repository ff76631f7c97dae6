package iipnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// Of two things that are ready at once one wins, and always the same one.

// twoRest is a pair of stacks, 10.0.0.2 and 10.0.0.1.
func twoRest(t *testing.T, name string) (server, client *Stack) {
	return openRest(t, name, "2", nil), openRest(t, name, "1", nil)
}

func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !f(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// endsWith is a context that ends when it is asked for Done, but not before ready says so.
type endsWith struct {
	context.Context
	end   context.CancelFunc
	ready func()
}

func (c endsWith) Done() <-chan struct{} {
	c.ready()
	c.end()
	return c.Context.Done()
}

// TestAnEndedContextWins: a dial whose context has ended fails, though the answer is there.
func TestAnEndedContextWins(t *testing.T) {
	server, client := twoRest(t, "context")
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		for _, network := range []string{"tcp", "udp"} {
			ctx, cancel := context.WithCancel(context.Background())
			ready := func() {
				if network == "tcp" {
					c, err := l.Accept()
					if err != nil {
						t.Error(err)
						return
					}
					_ = c.Close()
				}
				done := make(chan bool) // two turns later whatever was asked for has its answer
				for range 2 {
					client.loops[0].do(func(*loop) { go func() { done <- true }() })
					<-done
				}
				time.Sleep(time.Millisecond)
			}
			c, err := client.DialContext(endsWith{ctx, cancel, ready}, network, "10.0.0.2:7")
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("round %d, %s: %v, %v", i, network, c, err)
			}
		}
	}
	if !client.Drain(60 * time.Second) {
		t.Error("a dial that ended left a connection")
	}
}

// TestADeadlineThatIsOverWins: by time, not by whether a timer has had its turn, which is all that package net goes by;
// arrived data, connections and room are kept for later.
func TestADeadlineThatIsOverWins(t *testing.T) {
	server, client := twoRest(t, "deadline")
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range tcpReady(t, l.(*Listener), client) {
		for i := range 200 {
			if err := call(time.Now().Add(20 * time.Microsecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("%s, round %d: %v", name, i, err)
			}
		}
	}
}

// tcpReady has two bytes wait in a connection, and a connection in a listener; the calls sleep until a deadline is over.
func tcpReady(t *testing.T, l *Listener, client *Stack) map[string]func(time.Time) error {
	t.Helper()
	a, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "nothing arrives", func() bool { n, _, _ := a.(*Conn).Seen(); return n == 2 })
	other, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "no connection comes", func() bool { return l.Waiting() == 1 })
	t.Cleanup(func() { _, _, _ = a.Close(), b.Close(), other.Close() })
	over := func(set func(time.Time) error, call func() error) func(time.Time) error {
		return func(at time.Time) error {
			_ = set(at)
			time.Sleep(time.Until(at) + time.Microsecond)
			return call()
		}
	}
	return map[string]func(time.Time) error{
		"read":   over(a.SetReadDeadline, func() error { _, err := a.Read(make([]byte, 1)); return err }),
		"write":  over(a.SetWriteDeadline, func() error { _, err := a.Write([]byte("x")); return err }),
		"accept": over(l.SetDeadline, func() error { _, err := l.Accept(); return err }),
	}
}

// TestADatagramsDeadline is the same for datagrams.
func TestADatagramsDeadline(t *testing.T) {
	server, client := twoRest(t, "datagram")
	s, err := server.ListenPacket("udp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial("udp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "nothing arrives", func() bool { datagram, _ := s.(*PacketConn).Seen(); return datagram })
	for i := range 200 {
		at := time.Now().Add(20 * time.Microsecond)
		_, _ = s.SetReadDeadline(at), c.SetWriteDeadline(at)
		time.Sleep(time.Until(at) + time.Microsecond)
		if _, _, err := s.ReadFrom(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read, round %d: %v", i, err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("write, round %d: %v", i, err)
		}
	}
}

// TestEndpointsOfAnyPort: "any port" finds one that is free, however many there are.
func TestEndpointsOfAnyPort(t *testing.T) {
	server, _ := twoRest(t, "anyport")
	seen := map[string]bool{}
	for i := range 3000 {
		p, err := server.ListenPacket("udp", "10.0.0.2:0")
		if err != nil {
			t.Fatalf("endpoint %d: %v", i, err)
		}
		if at := p.LocalAddr().String(); seen[at] {
			t.Fatalf("%s twice", at)
		} else {
			seen[at] = true
		}
		c, err := server.Dial("udp", "10.0.0.1:7")
		if err != nil {
			t.Fatalf("connected endpoint %d: %v", i, err)
		}
		_ = c.Close()
	}
}

// TestAClosedStackSaysSo: to whatever is asked of it, at whatever time, in one way.
func TestAClosedStackSaysSo(t *testing.T) {
	for i := range 100 {
		s := openRest(t, fmt.Sprint("closed", i), "1", nil)
		c, err := s.Dial("udp", "10.0.0.9:7")
		if err != nil {
			t.Fatal(err)
		}
		errs := make(chan error)
		for _, f := range []func() error{
			func() error { _, err := s.Listen("tcp", ":7"); return err },
			func() error { _, err := s.ListenPacket("udp", ":7"); return err },
			func() error { _, err := s.Dial("udp", "10.0.0.2:7"); return err },
			func() error { _, err := s.Dial("tcp", "10.0.0.2:7"); return err },
			func() error { _, err := c.Read(make([]byte, 1)); return err },
			func() error { _, err := c.Write(make([]byte, 1)); return err },
		} {
			go func() {
				for err := error(nil); ; {
					if err = f(); err != nil && !errors.Is(err, syscall.EADDRINUSE) {
						errs <- err
						return
					}
				}
			}()
		}
		time.Sleep(time.Duration(i) * 10 * time.Microsecond)
		_ = s.Close()
		for range 6 {
			var oe *net.OpError
			if err := <-errs; !errors.As(err, &oe) || !errors.Is(err, net.ErrClosed) {
				t.Fatalf("round %d: %v", i, err)
			}
		}
	}
}

// TestWriteOfNothing waits for no room, as there is none to wait for.
func TestWriteOfNothing(t *testing.T) {
	server, client := twoRest(t, "nothing")
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	full := make(chan error)
	go func() { _, err := c.Write(make([]byte, 64<<20)); full <- err }()
	in := c.(*Conn)
	waitFor(t, "the queue never fills", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return in.outLen >= queueMax && in.stuck })
	atRest(t, server, client)
	_ = c.SetWriteDeadline(time.Unix(1, 0))
	if err := <-full; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// TestBytesBehindAClose: what arrives when the user has closed already, and the stack does not know yet, was read by
// nobody: behind the end of the stream the peer hears of that by a reset.
func TestBytesBehindAClose(t *testing.T) {
	server, client := twoRest(t, "behind")
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		c, err := client.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		held, closed := make(chan bool), make(chan bool)
		server.loops[0].do(func(*loop) { held <- true; <-closed })
		<-held
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the byte is not sent", func() bool { return sentAll(c.(*Conn)) })
		_ = a.Close()
		close(closed)
		waitFor(t, "no reset comes", func() bool { _, _, gone := c.(*Conn).Seen(); return gone })
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF { // the end of the stream came first
			t.Fatal(n, err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Fatal(err)
		}
	}
}

func sentAll(c *Conn) bool {
	sent := make(chan bool)
	c.lp.do(func(lp *loop) {
		info, err := lp.l.ConnInfo(c.handle)
		sent <- err == nil && info.Unacked == 1 && info.Unsent == 0
	})
	return <-sent
}
