package iipnet

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	iip "iip.example/iip"
)

const (
	backEnough  = 32      // buffers that come back: so many are reason to wake the loop
	scratchSize = 1 << 20 // memory for datagrams that fit in no buffer, each turn
)

// object is a connection or an endpoint, as the loop sees it.
type object interface {
	event(lp *loop, e *iip.Event)
	pump(lp *loop) // turns what is queued into operations; with the object's lock not held
	fail(st iip.Status)
}

// sent is what the loop remembers of an operation until its turn is over.
type sent struct {
	conn *Conn // of a SendBuf
	part part
	done func(op *iip.Op) // of those whose result somebody waits for
}

// loop turns one iip.Loop. The fields above mu belong to its goroutine.
type loop struct {
	stack   *Stack
	l       *iip.Loop
	watch   *watch
	objects map[iip.KindSlot]object
	sents   []sent // of the operations of this turn, in their order
	asked   bool   // some of sents have a done
	later   []object
	scratch []byte
	used    int // of scratch, in this turn
	roused  bool
	looks   bool // for empty buffers, soon
	turns   atomic.Uint64

	mu      sync.Mutex
	dirty   []object      // have something to do
	funcs   []func(*loop) // the same for what is rare
	back    []iip.Handle  // buffers that were read
	stock   []iip.Span    // empty buffers to write to
	waiting writers       // who found none
	low     bool          // the port has few: who has some on their way to a peer that does not take them gets no more
	ended   bool          // of no use any more
	spare   [2][]object   // memory of dirty and later, used again
	spareB  []iip.Handle  // and of back
	pending atomic.Bool   // something is in dirty, funcs or (enough) in back
	idle    atomic.Bool   // the goroutine waits or is about to
	wake    chan struct{} // ends that
	stopped chan struct{} // closed when the goroutine has ended
	quit    atomic.Bool
}

func newLoop(s *Stack, l *iip.Loop) (*loop, error) {
	lp := &loop{stack: s, l: l, objects: map[iip.KindSlot]object{}, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	w, err := newWatch(l.FD(), lp.rouse)
	lp.watch = w
	return lp, err
}

// rouse ends the wait of the loop, if it waits.
func (lp *loop) rouse() {
	if lp.idle.Load() && lp.idle.CompareAndSwap(true, false) {
		select {
		case lp.wake <- struct{}{}:
		default: // it was told already
		}
	}
}

// notify tells of an object that has something to do; the caller sees to it that it is told once.
func (lp *loop) notify(o object) {
	lp.mu.Lock()
	lp.dirty = append(lp.dirty, o)
	lp.pending.Store(true)
	lp.mu.Unlock()
	lp.rouse()
}

// do has f called by the loop's goroutine. False: the loop has ended.
func (lp *loop) do(f func(*loop)) bool {
	lp.mu.Lock()
	if lp.ended {
		lp.mu.Unlock()
		return false
	}
	lp.funcs = append(lp.funcs, f)
	lp.pending.Store(true)
	lp.mu.Unlock()
	lp.rouse()
	return true
}

// giveBack returns buffers with the next turn. A sleeping loop sleeps on until there are many, or until a reader that is
// about to wait calls flush: then the peer may be waiting for the window.
func (lp *loop) giveBack(bufs ...iip.Handle) {
	if len(bufs) == 0 {
		return
	}
	lp.mu.Lock()
	lp.back = append(lp.back, bufs...)
	enough := len(lp.back) >= backEnough || lp.waiting.len() != 0
	if enough {
		lp.pending.Store(true)
	}
	lp.mu.Unlock()
	if enough {
		lp.rouse()
	}
}

func (lp *loop) flush() {
	if lp.pending.Load() { // what comes back goes with the rest
		lp.rouse()
		return
	}
	lp.mu.Lock()
	any := len(lp.back) != 0
	if any {
		lp.pending.Store(true)
	}
	lp.mu.Unlock()
	if any {
		lp.rouse()
	}
}

// run is the goroutine. It is not locked to a thread: see iip_go_turn_anywhere.
func (lp *loop) run() {
	defer close(lp.stopped)
	quiet := 0
	for !lp.quit.Load() {
		worked := lp.gather()
		park := quiet > 1 && !worked
		if park {
			lp.idle.Store(true)
			park = !lp.pending.Load() && !lp.quit.Load()
		}
		lp.turns.Add(1)
		events, err := lp.l.TurnPark(park)
		if err != nil {
			lp.fail(asStatus(err))
			return
		}
		lp.results()
		lp.events(events)
		lp.restock()
		switch {
		case park && lp.l.Parked() && len(events) == 0:
			lp.watch.arm()
			<-lp.wake
			quiet = 0
		case worked || len(events) != 0 || lp.l.More() || len(lp.later) != 0:
			quiet = 0
		default:
			quiet++
		}
		lp.idle.Store(false)
		if lp.roused || quiet > 0 {
			lp.roused = false
			runtime.Gosched() // those who were given something answer, and the next turn takes all answers at once
		}
	}
	lp.fail(iip.ErrClosed)
}

// gather turns what other goroutines left into operations and releases.
func (lp *loop) gather() bool {
	later := lp.later
	lp.later = lp.spare[1][:0]
	for _, o := range later {
		o.pump(lp)
	}
	lp.spare[1] = later
	if !lp.pending.Load() {
		return len(later) != 0
	}
	lp.mu.Lock()
	lp.pending.Store(false)
	dirty, funcs, back := lp.dirty, lp.funcs, lp.back
	lp.dirty, lp.funcs, lp.back = lp.spare[0][:0], nil, lp.spareB[:0]
	lp.mu.Unlock()
	for _, buf := range back {
		lp.l.Release(buf)
	}
	for _, f := range funcs {
		f(lp)
	}
	for _, o := range dirty {
		o.pump(lp)
	}
	lp.spare[0], lp.spareB = dirty, back
	return true
}

// push hands over an operation, and what is to be remembered of it. The caller looked for room.
func (lp *loop) push(op iip.Op, s sent) {
	lp.l.Push(op)
	lp.sents = append(lp.sents, s)
	lp.asked = lp.asked || s.done != nil
}

// ask does the same with addresses, and has done called with the result, in this turn or a later one.
func (lp *loop) ask(op iip.Op, ends ends, done func(op *iip.Op)) {
	if !lp.l.PushAddrs(op, ends.local, ends.peer) {
		lp.mu.Lock()
		lp.funcs = append(lp.funcs, func(lp *loop) { lp.askOrEnd(op, ends, done) })
		lp.pending.Store(true)
		lp.mu.Unlock()
		return
	}
	lp.sents = append(lp.sents, sent{done: done})
	lp.asked = true
}

// askOrEnd is ask of a loop that may have ended meanwhile.
func (lp *loop) askOrEnd(op iip.Op, ends ends, done func(op *iip.Op)) {
	if lp == nil {
		done(&iip.Op{Status: iip.ErrClosed})
		return
	}
	lp.ask(op, ends, done)
}

// results tells whose sends were not taken whole, last first, so that the rest of each goes back to the front.
func (lp *loop) results() {
	lp.used = 0
	if lp.l.Short() || lp.asked {
		ops := lp.l.Results()
		for i := len(ops) - 1; i >= 0; i-- {
			switch s := &lp.sents[i]; {
			case s.done != nil:
				s.done(&ops[i])
			case s.conn != nil && uint32(ops[i].Out) < ops[i].Len:
				s.conn.untaken(lp, s.part, &ops[i])
			}
		}
	}
	clear(lp.sents)
	lp.sents, lp.asked = lp.sents[:0], false
}

func (lp *loop) events(events []iip.Event) {
	for i := range events {
		e := &events[i]
		if e.Type == iip.EventAccept {
			lp.accept(e)
		} else if e.Type == iip.EventDone {
			lp.stack.listenDone(e)
		} else if o := lp.objects[e.Src.KindSlot()]; o != nil {
			o.event(lp, e)
		} else if e.Buf != 0 {
			lp.l.Release(e.Buf)
		}
	}
}

// fail ends everything that lives on the loop.
func (lp *loop) fail(st iip.Status) {
	lp.watch.close()
	lp.mu.Lock()
	lp.ended = true
	funcs := lp.funcs
	lp.funcs, lp.stock = nil, nil
	lp.mu.Unlock()
	for _, f := range funcs {
		f(nil)
	}
	for _, sent := range lp.sents { // of a turn that failed
		if sent.done != nil {
			sent.done(&iip.Op{Status: st})
		}
	}
	lp.sents = nil
	for _, o := range lp.objects {
		o.fail(st)
	}
	lp.stack.loopEnded(st)
}

// copyOut puts a datagram into memory that C may read in this turn; 0: it is full.
func (lp *loop) copyOut(data []byte) uint64 {
	if lp.scratch == nil {
		m, err := syscall.Mmap(-1, 0, scratchSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return 0
		}
		lp.scratch = m
	}
	if lp.used+len(data) > len(lp.scratch) {
		return 0
	}
	at := lp.scratch[lp.used:]
	copy(at, data)
	lp.used += len(data)
	return uint64(uintptr(unsafe.Pointer(&at[0])))
}
