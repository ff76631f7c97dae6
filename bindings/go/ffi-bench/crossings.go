package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	iip "iip.example/iip"
)

var server7 = netip.MustParseAddrPort("10.0.0.2:7")

func ends(port string) (server, client *iip.Engine) {
	server = must(iip.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.2/24"}, TxFreeCap: 128}))
	return server, must(iip.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.1/24"}, TxFreeCap: 128}))
}

// bench is both ends on this goroutine: the client sends, the server's turn is what is measured.
type bench struct {
	server, client *iip.Loop
	conns          []iip.Handle
}

func newBench() *bench {
	s, c := ends("pair:crossings")
	b := &bench{server: s.Loop(0), client: c.Loop(0)}
	must(b.server.Listen(netip.AddrPortFrom(netip.Addr{}, 7), 0))
	for range 64 {
		must(b.client.Connect(server7, 0))
	}
	for len(b.conns) < 64 {
		must(b.server.Turn(0))
		for _, e := range must(b.client.Turn(0)) {
			if e.Type == iip.EventConnected {
				b.conns = append(b.conns, e.Src)
			}
		}
	}
	for range 100 { // to the end of the handshakes
		must(b.server.Turn(0))
		must(b.client.Turn(0))
	}
	return b
}

// exchange sends a byte on n connections and has it come back, so that acknowledgements ride on data; it tells what the
// turn of the server took that hands up the n events. 0: it handed up fewer.
func (b *bench) exchange(n int) time.Duration {
	for _, c := range b.conns[:n] {
		s := b.client.TxTake()
		b.client.SendBuf(c, s.Buf, 0, uint32(copy(s.Bytes(), "x")))
	}
	must(b.client.Turn(0))
	began := time.Now()
	events := must(b.server.Turn(0))
	took := time.Since(began)
	if len(events) != n {
		took = 0
	}
	for back := 0; ; events = must(b.server.Turn(0)) {
		for i := range events {
			b.server.SendBuf(events[i].Src, events[i].Buf, 0, events[i].Len)
		}
		must(b.server.Turn(0))
		for _, e := range must(b.client.Turn(0)) {
			b.client.Release(e.Buf)
			back++
		}
		if back == n {
			return took
		}
	}
}

func (b *bench) turns(t *table, name string, n int) {
	var total time.Duration
	count := 0
	for range 5000 {
		if d := b.exchange(n); d != 0 {
			total += d
			count++
		}
	}
	began := time.Now().Add(-total)
	t.cost(name, began, max(count, 1))
}

func crossings(t *table) {
	if !t.wants("crossing") {
		return
	}
	const n = 2_000_000
	began := time.Now()
	for range n {
		iip.ABIVersion()
	}
	t.cost("crossing: nop", began, n)
	b := newBench()
	b.idle(t, "crossing: turn by any thread, idle")
	both := pinned(func() {
		b.idle(t, "crossing: turn, idle")
		b.turns(t, "crossing: turn with 1 event", 1)
		b.turns(t, "crossing: turn with 64 events", 64)
		b.buffers(t)
		b.count(t)
	})
	_ = b.server.Run(context.Background(), pinned(func() { _ = b.client.Run(context.Background(), both) }))
}

func (b *bench) idle(t *table, name string) {
	const n = 300_000
	began := time.Now()
	for range n {
		must(b.server.Turn(0))
	}
	t.cost(name, began, n)
}

// pinned is a Handler that does something once, on the thread that owns the loop.
type pinned func()

var errDone = errors.New("done")

func (p pinned) Start(*iip.Loop) error {
	p()
	return errDone
}

func (p pinned) Turn(*iip.Loop, []iip.Event) error { return errDone }

// buffers: what a view and a release cost, apart from the turn.
func (b *bench) buffers(t *table) {
	s := b.client.TxTake()
	b.client.SendBuf(b.conns[0], s.Buf, 0, uint32(copy(s.Bytes(), "x")))
	must(b.client.Turn(0))
	events := must(b.server.Turn(0))
	const n = 5_000_000
	sum := byte(0)
	began := time.Now()
	for range n {
		sum += events[0].Bytes()[0]
	}
	t.cost("view of an event's bytes", began, n)
	if sum == 1 {
		panic("not reached: so that the loop stays")
	}
	began = time.Now()
	for range n / 10 {
		buf := b.server.Take(&events[0])
		_ = buf.Retain()
		_ = buf.Release()
	}
	t.cost("Take, Retain and Release", began, n/10)
	began = time.Now()
	for range n / 1000 {
		for range 1000 {
			b.server.Release(0) // names nothing: refused by the turn, for the price of one that is taken
		}
		must(b.server.Turn(0))
	}
	t.cost("release, 1000 a turn", began, n)
}

// count is of a thousand rounds of 64 messages there and back: what it takes to read, write, send and release them.
func (b *bench) count(t *table) {
	turns := func() uint64 { return must(b.server.Stats()).Turns + must(b.client.Stats()).Turns }
	n, calls := turns(), runtime.NumCgoCall()
	for range 1000 {
		b.exchange(len(b.conns))
	}
	calls = runtime.NumCgoCall() - calls
	n = turns() - n
	fmt.Printf("%-34s %10.3f (%d in %d turns)\n", "crossings per turn", float64(calls)/float64(n), calls, n)
	t.lines = append(t.lines, line{Row: "crossings per turn", Value: float64(calls) / float64(n), Unit: "crossings"})
}
