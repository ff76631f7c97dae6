package iip_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	iip "iip.example/iip"
)

// linked connects two loops that this goroutine turns, and gives the ends of one connection.
func linked(t *testing.T, server, client *iip.Loop) (accepted, dialed iip.Handle) {
	t.Helper()
	if err := listens(server); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Connect(server7, 0); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); accepted == 0 || dialed == 0; {
		for _, l := range []*iip.Loop{server, client} {
			events, err := l.Turn(0)
			if err != nil || time.Now().After(end) {
				t.Fatal("no connection: ", err)
			}
			for _, e := range events {
				switch e.Type {
				case iip.EventAccept:
					accepted = e.Src
				case iip.EventConnected:
					dialed = e.Src
				}
			}
		}
	}
	return accepted, dialed
}

func TestInspection(t *testing.T) {
	server, client := open(t, "pair:inspect%d")
	a, b := server.Loop(0), client.Loop(0)
	accepted, dialed := linked(t, a, b)
	info, err := b.ConnInfo(dialed)
	if err != nil || info.State != iip.ConnEstablished || info.Peer != server7 || info.MSS == 0 || info.Conn != dialed {
		t.Errorf("%+v %v", info, err)
	}
	if all, err := a.Conns(); err != nil || !slices.Equal(all, []iip.Handle{accepted}) {
		t.Errorf("%v %v", all, err)
	}
	b.Push(iip.Op{Code: iip.OpSet, Obj: dialed, Offset: uint32(iip.OptDSCP), Arg: 10})
	if _, err := b.Turn(0); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Option(dialed, iip.OptDSCP); v != 10 || err != nil {
		t.Error(v, err)
	}
	if _, err := a.ConnInfo(dialed); !errors.Is(err, iip.ErrWrongThread) && !errors.Is(err, iip.ErrStale) {
		t.Errorf("a connection of another loop: %v", err)
	}
	if !slices.Contains(iip.Kinds(), "pair") || !slices.Contains(iip.Features(), "op.send_extern") || a.Index() != 0 {
		t.Error(iip.Kinds(), iip.Features())
	}
	if iip.EventUDPError.String() != "UDP_ERROR" || iip.EventType(99).String() != "EVENT_99" {
		t.Error(iip.EventUDPError)
	}
}

// TestManyConns: more than one look takes.
func TestManyConns(t *testing.T) {
	server, client := open(t, "pair:many%d")
	if err := listens(server.Loop(0)); err != nil {
		t.Fatal(err)
	}
	var want []iip.Handle
	for range 700 {
		c, err := client.Loop(0).Connect(server7, 0)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, c)
	}
	got, err := client.Loop(0).Conns()
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d connections, %v", len(got), err)
	}
}

// TestHandlesFromAnyGoroutine: retain, release, detach and post by crossings.
func TestHandlesFromAnyGoroutine(t *testing.T) {
	server, client := open(t, "pair:handles%d")
	a, b := server.Loop(0), client.Loop(0)
	accepted, dialed := linked(t, a, b)
	s, err := b.Alloc()
	if err != nil {
		t.Fatal(err)
	}
	b.SendBuf(dialed, s.Buf, 0, uint32(copy(s.Bytes(), "hello")))
	var buf iip.Handle
	for end := time.Now().Add(20 * time.Second); buf == 0 && time.Now().Before(end); {
		if _, err := b.Turn(0); err != nil {
			t.Fatal(err)
		}
		events, err := a.Turn(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			buf = max(buf, e.Buf)
		}
	}
	text := make([]byte, 8)
	if err := errors.Join(iip.RetainHandle(buf), iip.ReleaseHandle(buf)); err != nil {
		t.Error(err)
	}
	if n, err := iip.Detach(buf, text); err != nil || string(text[:n]) != "hello" {
		t.Errorf("%q %v", text[:n], err)
	}
	for _, err := range []error{iip.RetainHandle(buf), iip.ReleaseHandle(buf), second(iip.Detach(buf, text))} {
		if !errors.Is(err, iip.ErrStale) {
			t.Errorf("a buffer that was given back: %v", err)
		}
	}
	if err := a.PostOp(iip.Op{Code: iip.OpAbort, Obj: accepted, User: 5}, netip.AddrPort{}, netip.AddrPort{}); err != nil {
		t.Fatal(err)
	}
	events, err := a.Turn(0)
	if err != nil || !slices.ContainsFunc(events, func(e iip.Event) bool { return e.Type == iip.EventDone && e.User == 5 && e.Status == iip.OK }) {
		t.Errorf("%+v %v", events, err)
	}
}

func second(_ int, err error) error { return err }

func TestEndOfALoop(t *testing.T) {
	server, client := open(t, "pair:end%d")
	a, b := server.Loop(0), client.Loop(0)
	accepted, _ := linked(t, a, b)
	if err := a.End(); err != nil {
		t.Fatal(err)
	}
	closed := false
	for end := time.Now().Add(20 * time.Second); a.State()&iip.StateEnded == 0 && time.Now().Before(end); {
		events, err := a.Turn(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			closed = closed || e.Src == accepted && e.Type == iip.EventClosed && e.Status == iip.ErrAborted
		}
	}
	if !closed || a.State()&iip.StateEnded == 0 {
		t.Errorf("closed %v, state %#x", closed, a.State())
	}
	if _, err := a.Listen(anyPort7, 0); !errors.Is(err, iip.ErrClosed) {
		t.Errorf("a listener on a loop that has ended: %v", err)
	}
}

// TestNetworkingOnASecondThread: the echo, on both models of two threads a loop.
func TestNetworkingOnASecondThread(t *testing.T) {
	for _, cores := range []iip.Cores{iip.CoresSplit, iip.CoresMerge} {
		cfg := iip.Config{Port: "pair:cores", Addresses: []string{"10.0.0.2/24"}, Cores: cores}
		server := openEnd(t, cfg)
		cfg.Addresses = []string{"10.0.0.1/24"}
		client := openEnd(t, cfg)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 2)
		for _, e := range []*iip.Engine{server, client} {
			go func() { ended <- e.Loop(0).Network(ctx) }()
		}
		listening := make(chan struct{}) // before somebody knocks: the stack answers without its owner
		stop := run(t, server.Loop(0), handler{func(l *iip.Loop) error { defer close(listening); return listens(l) }, echo.turn})
		<-listening
		a := &asker{conns: 8, rounds: 200, message: []byte("by two threads")}
		if err := client.Loop(0).Run(context.Background(), a); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		stop()
		cancel()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		for _, e := range []*iip.Engine{server, client} {
			if _, err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	server, _ := open(t, "pair:cores%d")
	if err := server.Loop(0).Network(context.Background()); !errors.Is(err, iip.ErrNotSupported) {
		t.Errorf("of a unified engine: %v", err)
	}
}

// TestPortsWithoutVirtualClock say so.
func TestPortsWithoutVirtualClock(t *testing.T) {
	server, _ := open(t, "pair:real%d")
	if err := server.Inject([]byte("frame")); !errors.Is(err, iip.ErrNotSupported) {
		t.Error(err)
	}
	if err := server.SetMTU(1400); !errors.Is(err, iip.ErrNotSupported) {
		t.Error(err)
	}
	if _, err := server.Advance(time.Second); !errors.Is(err, iip.ErrNotSupported) {
		t.Error(err)
	}
}
