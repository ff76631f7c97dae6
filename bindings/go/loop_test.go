package iip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
)

var names atomic.Int32

// open opens the two ends of a port of memory: the server is 10.0.0.2, the client 10.0.0.1.
func open(t testing.TB, port string) (server, client *iip.Engine) {
	t.Helper()
	port = fmt.Sprintf(port, names.Add(1))
	return openEnd(t, iip.Config{Port: port, Addresses: []string{"10.0.0.2/24", "fd00::2/64"}}),
		openEnd(t, iip.Config{Port: port, Addresses: []string{"10.0.0.1/24", "fd00::1/64"}})
}

func openEnd(t testing.TB, cfg iip.Config) *iip.Engine {
	t.Helper()
	e, err := iip.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = e.Close() })
	return e
}

var anyPort7 = netip.AddrPortFrom(netip.Addr{}, 7)
var server7 = netip.MustParseAddrPort("10.0.0.2:7")

// handler is a Handler of two functions.
type handler struct {
	start func(l *iip.Loop) error
	turn  func(l *iip.Loop, events []iip.Event) error
}

func (h handler) Start(l *iip.Loop) error                    { return h.start(l) }
func (h handler) Turn(l *iip.Loop, events []iip.Event) error { return h.turn(l, events) }
func listens(l *iip.Loop) error                              { _, err := l.Listen(anyPort7, 0); return err }
func idle(*iip.Loop) error                                   { return nil }
func run(t testing.TB, l *iip.Loop, h iip.Handler) (stop func()) {
	return runErr(t, l, h, context.Canceled)
}
func runErr(t testing.TB, l *iip.Loop, h iip.Handler, want error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, h) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, want) {
			t.Errorf("Run ended with %v, not %v", err, want)
		}
	}
}

// echo sends every buffer back as it came.
var echo = handler{listens, func(l *iip.Loop, events []iip.Event) error {
	for i := range events {
		switch e := &events[i]; e.Type {
		case iip.EventData:
			l.SendBuf(e.Src, e.Buf, 0, e.Len)
		case iip.EventFin:
			l.CloseHandle(e.Src)
		}
	}
	return nil
}}

var errDone = errors.New("done")

// asker sends a message on each of its connections, verifies what comes back, and asks again.
type asker struct {
	conns, rounds, answered int
	message                 []byte
}

func (a *asker) Start(l *iip.Loop) error {
	for i := range a.conns {
		if _, err := l.Connect(server7, uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

func (a *asker) Turn(l *iip.Loop, events []iip.Event) error {
	for i := range events {
		e := &events[i]
		switch e.Type {
		case iip.EventClosed:
			return e.Status
		case iip.EventData:
			if !bytes.Equal(e.Bytes(), a.message) {
				return fmt.Errorf("got %q", e.Bytes())
			}
			l.Release(e.Buf)
			if a.answered++; a.answered == a.rounds {
				return errDone
			}
			a.ask(l, e.Src)
		case iip.EventConnected:
			a.ask(l, e.Src)
		}
	}
	return nil
}

func (a *asker) ask(l *iip.Loop, conn iip.Handle) {
	if s := l.TxTake(); s != nil {
		l.SendBuf(conn, s.Buf, 0, uint32(copy(s.Bytes(), a.message)))
	}
}

func TestEchoOnTwoLoops(t *testing.T) {
	for _, port := range []string{"pair:echo%d", "sim:echo%d,loss=1%%,seed=3"} {
		server, client := open(t, port)
		stop := run(t, server.Loop(0), echo)
		a := &asker{conns: 32, rounds: 5000, message: []byte("ping over a pair")}
		if err := client.Loop(0).Run(context.Background(), a); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		stop()
		if n := client.Loop(0).StaleReleases(); n != 0 {
			t.Fatalf("%d stale releases", n)
		}
	}
}

func TestWakeReachesASleepingLoop(t *testing.T) {
	server, _ := open(t, "pair:wake%d")
	l := server.Loop(0)
	defer run(t, l, handler{idle, func(*iip.Loop, []iip.Event) error { return nil }})()
	for range 2000 { // each a chance to fall into the gap between looking for work and sleeping
		seen := make(chan struct{})
		l.Post(func(*iip.Loop) { close(seen) })
		select {
		case <-seen:
		case <-time.After(100 * time.Second):
			t.Fatal("the loop slept on")
		}
	}
}

// Every buffer is taken over, and released by other goroutines, some of them after the last turn: none is a leak.
func TestReleasesFromOtherGoroutines(t *testing.T) {
	server, client := open(t, "pair:storm%d")
	bufs := make(chan *iip.Buffer, 64)
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for b := range bufs {
				got.Add(int64(b.Len()))
				if err := errors.Join(b.Retain(), b.Release(), b.Release()); err != nil {
					t.Error(err)
				}
				if err := b.Release(); !errors.Is(err, iip.ErrStale) || !errors.Is(err, syscall.EBADF) || b.Bytes() != nil {
					t.Errorf("released once too often: %v", err)
				}
			}
		}()
	}
	stop := run(t, server.Loop(0), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			switch e := &events[i]; e.Type {
			case iip.EventData:
				bufs <- l.Take(e)
			case iip.EventFin:
				l.CloseHandle(e.Src)
			}
		}
		return nil
	}})
	f := &flood{left: 20 << 20}
	if err := client.Loop(0).Run(context.Background(), f); !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	stop()
	close(bufs)
	wg.Wait()
	if got.Load() != 20<<20 {
		t.Fatalf("%d bytes came", got.Load())
	}
	if leaks, err := server.Close(); err != nil || server.Loop(0).StaleReleases() != 0 || leaks.Bufs != 0 {
		t.Fatalf("%+v %v, %d stale releases", leaks, err, server.Loop(0).StaleReleases())
	}
}

// Close counts what was kept, exactly: not what was released without a turn after, by whatever way, nor what was to be
// sent in a turn that did not come.
func TestCloseCountsWhatWasKept(t *testing.T) {
	const kept = 3
	server, client := open(t, "pair:kept%d")
	var bufs []*iip.Buffer
	var last []iip.Handle
	stop := run(t, client.Loop(0), &asker{conns: kept + 4, rounds: -1, message: []byte("to be kept")})
	err := server.Loop(0).Run(context.Background(), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			if e := &events[i]; e.Type == iip.EventData {
				bufs, last = append(bufs, l.Take(e)), append(last, e.Buf)
			}
		}
		if len(bufs) < kept+4 {
			return nil
		}
		l.Release(last[kept])
		return errors.Join(errDone, bufs[kept+1].Send(0), bufs[kept+2].Retain(), bufs[kept+2].Release(), bufs[kept+2].Release())
	}})
	stop()
	if !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	elsewhere := make(chan error)
	go func() { elsewhere <- bufs[kept+3].Release() }()
	if err := <-elsewhere; err != nil {
		t.Fatal(err)
	}
	if leaks, err := server.Close(); err != nil || leaks.Bufs != kept || server.Loop(0).StaleReleases() != 0 {
		t.Fatalf("%+v %v, %d stale releases", leaks, err, server.Loop(0).StaleReleases())
	}
}

// flood sends so many bytes on one connection, as its send queue takes them, and ends when they are acknowledged.
type flood struct {
	left  int
	parts []iip.Op // sends that were not taken whole
	stuck bool
	conn  iip.Handle

	drained, shut bool // the last send was taken whole; the stream was ended
}

func (f *flood) Start(l *iip.Loop) error { _, err := l.Connect(server7, 0); return err }

func (f *flood) Turn(l *iip.Loop, events []iip.Event) error {
	if l.Short() {
		for _, op := range l.Results() {
			if op.Code == iip.OpSendBuf && uint32(op.Out) < op.Len {
				op.Offset, op.Len, op.Out, op.Status = op.Offset+uint32(op.Out), op.Len-uint32(op.Out), 0, 0
				f.parts, f.stuck = append(f.parts, op), true
			}
		}
	}
	for i := range events {
		switch e := &events[i]; e.Type {
		case iip.EventConnected, iip.EventWritable:
			f.conn, f.stuck = e.Src, false
		case iip.EventClosed:
			if e.Status != iip.OK {
				return e.Status
			}
			return errDone
		case iip.EventFin:
			l.CloseHandle(e.Src)
		}
	}
	if f.conn != 0 && !f.stuck && !f.shut {
		if f.send(l, f.conn) {
			l.Again()
		} else {
			l.AgainIn(time.Millisecond)
		}
	}
	return nil
}

// send is false when no empty buffer was there.
func (f *flood) send(l *iip.Loop, conn iip.Handle) bool {
	some := len(f.parts) != 0
	for _, op := range f.parts {
		l.Push(op)
	}
	if len(f.parts) != 0 {
		f.drained = false
	}
	f.parts = f.parts[:0]
	for f.left > 0 {
		s := l.TxTake()
		if s == nil {
			return some
		}
		some = true
		n := min(f.left, int(s.Len))
		l.SendBuf(conn, s.Buf, 0, uint32(n))
		f.left, f.drained = f.left-n, false
	}
	if f.left == 0 && len(f.parts) == 0 {
		f.shut = f.drained
		f.drained = true
		if f.shut {
			l.Shut(conn)
		}
	}
	return true
}
