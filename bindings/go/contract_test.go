package iip_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
)

// The contract that all bindings keep: stale and foreign handles, wrong thread, double release, exhausted pools, close
// with work in flight. (Releases from other goroutines are in loop_test.go and exhausted_test.go, forks in fork_test.go.)

func TestStatusesMatchErrnos(t *testing.T) {
	for st, errno := range map[iip.Status]syscall.Errno{iip.ErrReset: syscall.ECONNRESET, iip.ErrRefused: syscall.ECONNREFUSED,
		iip.ErrAddrInUse: syscall.EADDRINUSE, iip.ErrTimeout: syscall.ETIMEDOUT, iip.ErrStale: syscall.EBADF} {
		if !errors.Is(st, errno) || st.Errno() != errno || !strings.HasPrefix(st.Error(), st.Name()) {
			t.Errorf("%v is not %v", st, errno)
		}
	}
	if iip.Status(-9999).Name() != "IIP_E_UNKNOWN" || iip.Status(1).Class() != iip.ClassUsage {
		t.Error("an unknown status has a name")
	}
	if errors.Is(iip.OK, syscall.Errno(0)) {
		t.Error("success is an error")
	}
}

func TestStaleAndForeignHandles(t *testing.T) {
	server, client := open(t, "pair:stale%d")
	a, b := server.Loop(0), client.Loop(0)
	h, err := a.Listen(anyPort7, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []iip.Handle{0, h + 1, 1 << 52, 1<<64 - 1} {
		if _, err := a.Do(iip.Op{Code: iip.OpClose, Obj: wrong}, netip.AddrPort{}, netip.AddrPort{}); !errors.Is(err, iip.ErrStale) {
			t.Errorf("handle %#x: %v", wrong, err)
		}
	}
	if _, err := b.Do(iip.Op{Code: iip.OpClose, Obj: h}, netip.AddrPort{}, netip.AddrPort{}); !errors.Is(err, iip.ErrStale) {
		t.Errorf("a handle of another loop: %v", err)
	}
	a.Push(iip.Op{Code: iip.OpClose, Obj: h})
	a.Push(iip.Op{Code: iip.OpClose, Obj: h})
	a.Release(h)
	if _, err := a.Turn(0); err != nil || !a.Short() {
		t.Fatal(err, a.Short())
	}
	if r := a.Results(); r[0].Status != iip.OK || r[1].Status != iip.ErrStale {
		t.Errorf("%v, %v", r[0].Status, r[1].Status)
	}
	if a.StaleReleases() != 1 {
		t.Errorf("%d stale releases", a.StaleReleases())
	}
}

func TestWrongThread(t *testing.T) {
	server, _ := open(t, "pair:thread%d")
	l := server.Loop(0)
	started := make(chan struct{})
	stop := run(t, l, handler{func(*iip.Loop) error { close(started); return nil }, func(*iip.Loop, []iip.Event) error { return nil }})
	<-started
	if err := l.Run(context.Background(), handler{idle, nil}); !errors.Is(err, iip.ErrBusy) {
		t.Errorf("a second Run: %v", err)
	}
	if _, err := server.Close(); !errors.Is(err, iip.ErrBusy) {
		t.Errorf("Close of an engine whose loop runs: %v", err)
	}
	stop()
	if _, err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Run(context.Background(), handler{idle, nil}); !errors.Is(err, iip.ErrClosed) {
		t.Errorf("Run of a closed engine: %v", err)
	}
	if _, err := server.Info(); !errors.Is(err, iip.ErrClosed) {
		t.Errorf("Info of a closed engine: %v", err)
	}
	if _, err := l.Stats(); !errors.Is(err, iip.ErrClosed) {
		t.Errorf("Stats of a closed engine: %v", err)
	}
	l.Wake() // harmless
}

// elsewhere calls f on another thread.
func elsewhere(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- f()
	}()
	return <-done
}

// TestAttachAndDetach: a loop is each call's, one goroutine's, or nobody's.
func TestAttachAndDetach(t *testing.T) {
	server, _ := open(t, "pair:attach%d")
	l := server.Loop(0)
	turn := func() error { _, err := l.Turn(0); return err }
	is := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	is("Turn of a loop that was never attached", elsewhere(turn), nil)
	is("Detach of that", l.Detach(), iip.ErrWrongThread)
	is("Attach", l.Attach(), nil)
	is("Attach again", l.Attach(), nil)
	is("Turn", turn(), nil)
	is("Turn on another thread", elsewhere(turn), iip.ErrWrongThread)
	is("Attach on another thread", elsewhere(l.Attach), iip.ErrBusy)
	is("Detach on another thread", elsewhere(l.Detach), iip.ErrWrongThread)
	stop := errors.New("stop")
	start := handler{func(l *iip.Loop) error { is("Attach in Run", l.Attach(), nil); return stop }, nil}
	is("Run by the owner", l.Run(context.Background(), start), stop)
	is("Turn behind Run", turn(), nil)
	is("Detach", l.Detach(), nil)
	is("Detach again", l.Detach(), iip.ErrWrongThread)
	is("Turn of a loop that nobody owns", turn(), iip.ErrWrongThread)
	is("End of that", l.End(), iip.ErrWrongThread)
	is("Run of that", elsewhere(func() error { return l.Run(context.Background(), start) }), stop)
	is("Turn behind that", turn(), iip.ErrWrongThread)
	is("Attach at last", l.Attach(), nil)
	if _, err := server.Close(); err != nil {
		t.Error(err)
	}
	is("Detach behind Close", l.Detach(), iip.ErrClosed)
	is("Attach behind Close", l.Attach(), iip.ErrClosed)
}

// TestExhaustedPool: everything that arrives is kept, until nothing more can arrive; then it goes on.
func TestExhaustedPool(t *testing.T) {
	cfg := iip.Config{Port: "pair:pool", Addresses: []string{"10.0.0.2/24"}, Frames: 256, SpillBytes: 1 << 16}
	server := openEnd(t, cfg)
	cfg.Addresses = []string{"10.0.0.1/24"}
	client := openEnd(t, cfg)
	var kept []*iip.Buffer
	var got atomic.Int64
	last := time.Now()
	stop := run(t, server.Loop(0), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			switch e := &events[i]; e.Type {
			case iip.EventData:
				kept = append(kept, l.Take(e))
				got.Add(int64(e.Len))
				last = time.Now()
			case iip.EventFin:
				l.CloseHandle(e.Src)
			}
		}
		if time.Since(last) > 30*time.Millisecond || len(kept) > 2000 { // nothing moves any more
			for _, b := range kept {
				_ = b.Release()
			}
			kept = nil
		}
		l.Again()
		runtime.Gosched()
		return nil
	}})
	f := &flood{left: 3 << 20}
	if err := client.Loop(0).Run(context.Background(), f); !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	stop()
	if got.Load() != 3<<20 {
		t.Errorf("%d bytes came", got.Load())
	}
}

func TestCloseWithWorkInFlight(t *testing.T) {
	server, client := open(t, "pair:close%d")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var kept *iip.Buffer
	stop := run(t, server.Loop(0), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			if e := &events[i]; e.Type == iip.EventData && kept == nil {
				kept = l.Take(e)
				cancel()
			} else if e.Buf != 0 {
				l.Release(e.Buf)
			}
		}
		return nil
	}})
	if err := client.Loop(0).Run(ctx, &flood{left: 1 << 40}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if leaks, err := client.Close(); err != nil || leaks.Conns != 1 {
		t.Errorf("%+v %v", leaks, err)
	}
	stop()
	leaks, err := server.Close()
	if err != nil || leaks.Bufs != 1 || leaks.Listeners != 1 {
		t.Errorf("%+v %v", leaks, err)
	}
	if err := kept.Release(); !errors.Is(err, iip.ErrStale) || kept.Bytes() != nil {
		t.Errorf("a buffer of a closed engine: %v", err)
	}
}

func TestLeaksAreReported(t *testing.T) {
	found := make(chan int, 1)
	iip.ReportLeaks(func(_ iip.Handle, n int) { found <- n })
	defer iip.ReportLeaks(nil)
	server, client := open(t, "pair:leak%d")
	stop := run(t, server.Loop(0), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			if events[i].Type == iip.EventData {
				l.Take(&events[i]) // and forgotten
			}
		}
		return nil
	}})
	defer stop()
	defer run(t, client.Loop(0), &asker{conns: 1, message: []byte("12345")})()
	for end := time.Now().Add(100 * time.Second); time.Now().Before(end); {
		runtime.GC()
		select {
		case n := <-found:
			if n != 5 {
				t.Errorf("a buffer of %d bytes was lost", n)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
	t.Error("nobody told of the buffer")
}

// TestOneCrossingATurn: the library counts turns, and a turn of the binding is one of them.
func TestOneCrossingATurn(t *testing.T) {
	server, _ := open(t, "pair:count%d")
	l := server.Loop(0)
	before, _ := l.Stats()
	for range 100 {
		if _, err := l.Turn(0); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := l.Stats()
	if after.Turns-before.Turns != 100 {
		t.Errorf("%d turns", after.Turns-before.Turns)
	}
}

func TestVirtualClock(t *testing.T) {
	server, client := open(t, "sim:clock%d,clock=virtual,delay=10ms")
	a, b := server.Loop(0), client.Loop(0)
	if err := listens(a); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Connect(server7, 0); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, dueA, err := a.Deadline()
		events, dueB, err2 := b.Deadline()
		if err = errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Type == iip.EventConnected {
				return
			}
		}
		_ = min(dueA, dueB)
		if _, err := server.Advance(5 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("half a second went by, and there is no connection")
}

func TestPcapAndLog(t *testing.T) {
	file := t.TempDir() + "/packets.pcap"
	server := openEnd(t, iip.Config{Port: "pair:pcap", Addresses: []string{"10.0.0.2/24"}, Pcap: file})
	if _, err := server.Log(); err != nil {
		t.Error(err)
	}
	if counters, err := server.Loop(0).Counters(); err != nil || len(counters) < 10 {
		t.Errorf("%d counters, %v", len(counters), err)
	}
	if _, err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(text, []byte{0xd4, 0xc3, 0xb2, 0xa1}) && !bytes.HasPrefix(text, []byte{0x4d, 0x3c, 0xb2, 0xa1}) {
		t.Errorf("no capture: %v, %x", err, text[:min(len(text), 4)])
	}
}
