package iipnet

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	iip "iip.example/iip"
)

// Writers who wait for buffers, and what they cost.

// stuckWriters is a server whose writers, one for each connection, wait for buffers, as none of the peers reads; more
// connections that the result makes are served.
func stuckWriters(t *testing.T, name string, stuck int) (server, client *Stack, dial func() net.Conn) {
	t.Helper()
	server = openRest(t, name, "2", func(cfg *iip.Config) { cfg.Frames = 256 })
	client = openRest(t, name, "1", func(cfg *iip.Config) { cfg.Tunables = []string{"tcp.rcvbuf=4096"} })
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = c.Write(make([]byte, whole)); _ = c.Close() }()
		}
	}()
	dial = func() net.Conn {
		c, err := client.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range stuck {
		dial()
	}
	waitFor(t, "writers do not wait", func() bool { return hungry(server.loops[0]) >= stuck-stuck/10 })
	return server, client, dial
}

const whole = 200_000

func hungry(lp *loop) int {
	lp.mu.Lock()
	defer lp.mu.Unlock()
	return lp.waiting.len()
}

// TestWaitingWritersCostNothing: how many of them a turn looks at depends on how many it could serve. Each look is a
// crossing into C beside those of the turns, so they can be counted.
func TestWaitingWritersCostNothing(t *testing.T) {
	for _, stuck := range []int{50, 200} {
		server, client, dial := stuckWriters(t, fmt.Sprint("waiting", stuck), stuck)
		turns := func() uint64 { return server.loops[0].turns.Load() }
		before, calls, ours, theirs := runtime.NumCgoCall(), int64(0), turns(), client.loops[0].turns.Load()
		c := dial()
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Second))
		if n, err := io.Copy(io.Discard, c); n != whole || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, whole, err)
		}
		if n := hungry(server.loops[0]); n > stuck {
			t.Errorf("%d of %d writers wait", n, stuck)
		}
		calls = runtime.NumCgoCall() - before
		ours, theirs = turns()-ours, client.loops[0].turns.Load()-theirs
		if looks := calls - int64(ours) - int64(theirs); looks > int64(ours)*(stockLow+looksMore)+100 {
			t.Errorf("%d writers wait: %d looks in %d turns", stuck, looks, ours)
		} else {
			t.Logf("%d writers wait: %d looks in %d turns", stuck, looks, ours)
		}
		_, _ = server.Close(), client.Close()
	}
}

// TestFewBuffersWakeFew: when there are buffers again, no more writers are woken than there are buffers, and each is
// woken in time.
func TestFewBuffersWakeFew(t *testing.T) {
	lp := &loop{}
	conns := make([]*Conn, 1000)
	for i := range conns {
		conns[i] = newConn(lp, "tcp")
		if _, ok := lp.takeTx(conns[i]); ok {
			t.Fatal("a buffer out of nothing")
		}
		_, _ = lp.takeTx(conns[i]) // and who asks again waits once
	}
	if n := lp.waiting.len(); n != len(conns) {
		t.Fatalf("%d of %d wait", n, len(conns))
	}
	for i := 0; i < len(conns); i += 10 {
		lp.stock = make([]iip.Span, 10)
		fed := lp.servable()
		if len(fed) != 10 {
			t.Fatalf("%d were woken for 10 buffers", len(fed))
		}
		for k, c := range fed {
			if c != conns[i+k] {
				t.Fatal("not who waited longest")
			}
			if _, ok := lp.takeTx(c); !ok {
				t.Fatal("no buffer for who was woken for one")
			}
		}
	}
}
