package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
)

// piece is a buffer that is kept, and what must be in it.
type piece struct {
	buf    *iip.Buffer
	stream stream
	off    uint64
}

// mistake is something done wrong on purpose, to see it noticed.
type mistake string

const (
	readLate    mistake = "read-after-release"
	loseRelease mistake = "lost-release"
	releaseMore mistake = "double-release"
)

// every so many pieces one suffers the mistake.
const every = 100

// keepers hold buffers for random times, on threads of their own, look at them again, and release them.
type keepers struct {
	all     []*keeper
	stopped sync.WaitGroup
	kept    atomic.Int64
	keptMax atomic.Int64
	stale   atomic.Int64 // bytes that changed while they were kept, and releases that were refused
	count   atomic.Int64
	mistake mistake
	late    chan latePiece
}

type keeper struct {
	set *keepers
	in  chan piece
	bag []piece
	max int
	rnd *rand.Rand
}

// latePiece is read though it was released: what no program may do.
type latePiece struct {
	piece
	bytes []byte
}

func startKeepers(n, most int, seed uint64, m mistake) *keepers {
	k := &keepers{mistake: m, late: make(chan latePiece, 64)}
	for i := range n {
		one := &keeper{set: k, in: make(chan piece, 64), max: most / n, rnd: rand.New(rand.NewPCG(seed, uint64(1000+i)))}
		k.all = append(k.all, one)
		k.stopped.Add(1)
		go one.run()
	}
	return k
}

// keep gives a piece to one of the keepers. False: it has enough.
func (k *keepers) keep(p piece, rnd *rand.Rand) bool {
	now := k.kept.Add(1)
	select {
	case k.all[rnd.IntN(len(k.all))].in <- p:
		for most := k.keptMax.Load(); now > most && !k.keptMax.CompareAndSwap(most, now); {
			most = k.keptMax.Load()
		}
		return true
	default:
		k.kept.Add(-1)
		return false
	}
}

// end waits until everything is released: nobody calls keep any more.
func (k *keepers) end() {
	for _, one := range k.all {
		close(one.in)
	}
	k.stopped.Wait()
}

func (one *keeper) run() {
	runtime.LockOSThread()
	defer one.set.stopped.Done()
	for {
		select {
		case p, open := <-one.in:
			if !open {
				one.shrink(0)
				return
			}
			one.bag = append(one.bag, p)
		case <-time.After(time.Millisecond): // peers wait for the window
			one.shrink(len(one.bag) * 3 / 4)
		}
		if len(one.bag) >= one.max {
			one.shrink(one.rnd.IntN(one.max))
		}
	}
}

// shrink releases pieces at random until so many are left.
func (one *keeper) shrink(left int) {
	for len(one.bag) > left {
		i, last := one.rnd.IntN(len(one.bag)), len(one.bag)-1
		p := one.bag[i]
		one.bag[i] = one.bag[last]
		one.bag = one.bag[:last]
		one.set.kept.Add(-1)
		if one.rnd.IntN(4) == 0 {
			one.share(p)
		}
		one.set.finish(p)
	}
}

// share has another thread release a reference of its own, at the same time.
func (one *keeper) share(p piece) {
	if err := p.buf.Retain(); err != nil {
		one.set.wrong("retain", p, err)
		return
	}
	one.set.stopped.Add(1)
	go func() {
		defer one.set.stopped.Done()
		one.set.finish(p)
	}()
}

// finish looks at a piece for the last time, and releases it.
func (k *keepers) finish(p piece) {
	bytes := p.buf.Bytes()
	if !p.stream.right(bytes, p.off) {
		k.wrong("kept bytes changed", p, nil)
	}
	m := mistake("")
	if k.mistake != "" && k.count.Add(1)%every == 0 {
		m = k.mistake
	}
	if m == loseRelease {
		return
	}
	if err := p.buf.Release(); err != nil {
		k.wrong("release", p, err)
	}
	switch m {
	case readLate:
		k.readLate(latePiece{p, bytes})
	case releaseMore:
		if err := p.buf.Release(); err != nil {
			k.wrong("release", p, err)
		}
	}
}

// readLate looks at an earlier piece that was released meanwhile.
func (k *keepers) readLate(p latePiece) {
	select {
	case k.late <- p:
	default:
		old := <-k.late
		if !old.stream.right(old.bytes, old.off) {
			k.wrong("bytes read after their release changed", old.piece, nil)
		}
	}
}

func (k *keepers) wrong(what string, p piece, err error) {
	if k.stale.Add(1) <= 3 {
		fmt.Fprintf(os.Stderr, "soak: %s: stream %#x, offset %d: %v\n", what, p.stream.key, p.off, err)
	}
}
