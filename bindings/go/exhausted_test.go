package iip_test

import (
	"errors"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	iip "iip.example/iip"
)

// TestNoEmptyBuffers: who takes all buffers is told so, and gets as many again once they are back.
func TestNoEmptyBuffers(t *testing.T) {
	e := openEnd(t, iip.Config{Port: "pair:empty", Addresses: []string{"10.0.0.2/24"}, Frames: 64, TxFreeCap: 4})
	l := e.Loop(0)
	if err := l.Attach(); err != nil {
		t.Fatal(err)
	}
	most := 0
	for round := range 3 {
		var all []iip.Handle
		for s := l.TxTake(); s != nil; s = l.TxTake() { // those that a turn laid out
			all = append(all, s.Buf)
		}
		for {
			s, err := l.Alloc()
			if err != nil {
				if !errors.Is(err, iip.ErrNoBufs) || !errors.Is(err, syscall.ENOBUFS) {
					t.Fatal(err)
				}
				break
			}
			if all = append(all, s.Buf); len(all) > 64 {
				t.Fatal("there are more buffers than there are")
			}
		}
		if round == 0 {
			most = len(all)
		}
		if len(all) == 0 || len(all) != most {
			t.Errorf("round %d: %d buffers, before %d", round, len(all), most)
		}
		if _, err := l.Turn(0); err != nil || l.State()&iip.StatePoolLow == 0 {
			t.Errorf("the turn does not tell: %v, %#x", err, l.State())
		}
		for l.TxTake() != nil {
			t.Error("a turn has laid out a buffer that there is not")
		}
		l.ReleaseAll(all)
		if _, err := l.Turn(0); err != nil || l.StaleReleases() != 0 {
			t.Error(err, l.StaleReleases())
		}
	}
	if err := l.Detach(); err != nil {
		t.Error(err)
	}
}

// TestFullPostQueue: PostOp says ErrAgain while the queue is full, and takes more once a turn has emptied it.
func TestFullPostQueue(t *testing.T) {
	e := openEnd(t, iip.Config{Port: "pair:posts", Addresses: []string{"10.0.0.2/24"}, PostCap: 8})
	l := e.Loop(0)
	for range 3 {
		posted := 0
		for ; posted < 1000; posted++ {
			err := l.PostOp(iip.Op{Code: iip.OpNop, User: uint64(posted)}, netip.AddrPort{}, netip.AddrPort{})
			if errors.Is(err, iip.ErrAgain) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if posted < 8 || posted == 1000 {
			t.Fatalf("%d operations were taken", posted)
		}
		events, err := l.Turn(0)
		if err != nil || len(events) != posted {
			t.Fatalf("%d answers of %d, %v", len(events), posted, err)
		}
		for i, e := range events {
			if e.Type != iip.EventDone || e.User != uint64(i) || e.Status != iip.OK {
				t.Fatalf("%+v", e)
			}
		}
	}
}

// TestReleaseStorm: a buffer with many references, released by many goroutines at once, goes home once; all that come
// too late are told.
func TestReleaseStorm(t *testing.T) {
	const releasers, each, late = 8, 200_000, 7
	server, client := open(t, "pair:storms%d")
	taken := make(chan *iip.Buffer, 1)
	stop := run(t, server.Loop(0), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			if events[i].Type == iip.EventData {
				taken <- l.Take(&events[i])
			}
		}
		return nil
	}})
	stopClient := run(t, client.Loop(0), &asker{conns: 1, rounds: -1, message: []byte("a storm is coming")})
	b := <-taken
	for range releasers*each - 1 {
		if err := b.Retain(); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	stale, begin := make(chan int, releasers), make(chan struct{})
	for range releasers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := 0
			<-begin
			for range each + late {
				if err := b.Release(); errors.Is(err, iip.ErrStale) {
					n++
				} else if err != nil {
					t.Error(err)
				}
			}
			stale <- n
		}()
	}
	close(begin)
	wg.Wait()
	stopClient()
	stop()
	sum := 0
	for range releasers {
		sum += <-stale
	}
	if sum != releasers*late || b.Bytes() != nil || !errors.Is(b.Retain(), iip.ErrStale) {
		t.Errorf("%d releases too many were told of, not %d", sum, releasers*late)
	}
	if leaks, err := server.Close(); err != nil || leaks.Bufs != 0 || server.Loop(0).StaleReleases() != 0 {
		t.Errorf("%+v %v, %d stale releases", leaks, err, server.Loop(0).StaleReleases())
	}
}
