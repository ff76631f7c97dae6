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

// What only the inside of the package can tell: how many turns its goroutines took.

func openRest(t *testing.T, name, host string, more func(*iip.Config)) *Stack {
	t.Helper()
	NoneLeft(t)
	cfg := iip.Config{Port: "pair:" + name, Addresses: []string{"10.0.0." + host + "/24"}}
	if more != nil {
		more(&cfg)
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// atRest waits until no loop turns any more, and tells of the turns so far and of the crossings.
func atRest(t *testing.T, stacks ...*Stack) (turns uint64, calls int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		was := turns
		turns, calls = 0, runtime.NumCgoCall()
		for _, s := range stacks {
			turns += s.loops[0].turns.Load()
		}
		if turns == was {
			return turns, calls
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the loops never come to rest")
	return 0, 0
}

// TestNothingElseCrosses: Read, Write, setters, Close, wakes and releases leave no trace in the number of crossings: all
// are turns.
func TestNothingElseCrosses(t *testing.T) {
	server, client := openRest(t, "cross", "2", nil), openRest(t, "cross", "1", nil)
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	dialed, err := client.Dial("tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	turns, calls := atRest(t, server, client)
	for i := range 20_000 {
		c, d := accepted, dialed
		if i/100%2 == 0 {
			c, d = dialed, accepted
		}
		b, got := [3]byte{byte(i), 2, 3}, [3]byte{}
		if _, err := c.Write(b[:]); err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadFull(d, got[:]); err != nil || got != b {
			t.Fatal(got, err)
		}
	}
	_ = dialed.Close()
	_ = accepted.Close()
	turns2, calls2 := atRest(t, server, client)
	if uint64(calls2-calls) != turns2-turns || turns2-turns < 1000 {
		t.Errorf("%d crossings in %d turns", calls2-calls, turns2-turns)
	}
}

// TestWritersWithoutBuffersWait: a writer that finds no empty buffer waits for one, and so does the loop: it does not
// turn on and on meanwhile, but parks.
func TestWritersWithoutBuffersWait(t *testing.T) {
	few := func(cfg *iip.Config) {
		cfg.Frames = 256
		cfg.Tunables = []string{"tcp.sndbuf=4194304", "tcp.rcvbuf=4194304"}
	}
	for _, cores := range []iip.Cores{iip.CoresUnified, iip.CoresMerge} {
		t.Run(fmt.Sprint(cores), func(t *testing.T) {
			client := openRest(t, fmt.Sprint("starve", cores), "1", func(cfg *iip.Config) { few(cfg); cfg.Cores = cores })
			server := openRest(t, fmt.Sprint("starve", cores), "2", few)
			starve(t, server, client)
		})
	}
}

func starve(t *testing.T, server, client *Stack) {
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	const conns, each = 8, 2 << 20
	wrote := make(chan error, conns)
	var dialed []net.Conn // to a peer that does not read
	for range conns {
		c, err := client.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		dialed = append(dialed, c)
	}
	for _, c := range dialed {
		go func() {
			_, err := c.Write(make([]byte, each))
			_ = c.Close()
			wrote <- err
		}()
	}
	parks := func() uint64 {
		st, err := client.loops[0].l.Stats()
		if err != nil {
			t.Fatal(err)
		}
		return st.Parks
	}
	for end, first := time.Now().Add(20*time.Second), uint64(0); ; time.Sleep(time.Millisecond) {
		if hungry(client.loops[0]) == 0 {
			first = 0
		} else if first == 0 {
			first = parks() + 1
		} else if parks() > first+2 {
			break // nobody has a buffer, and the loop sleeps in between
		}
		if time.Now().After(end) {
			t.Fatal("no writer lacks a buffer, or the loop does not sleep meanwhile")
		}
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	for range conns {
		<-wrote // an error, or it was taken whole before
	}
}

// TestStuckPeersStopNobody: peers by the dozen that take nothing, more of them than there are last buffers to give out,
// and some that read.
func TestStuckPeersStopNobody(t *testing.T) {
	_, _, dial := stuckWriters(t, "stuck", 100)
	for range 3 {
		c := dial()
		_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
		if n, err := io.Copy(io.Discard, c); n != whole || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, whole, err)
		}
	}
}
