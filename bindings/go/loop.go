package iip

// #cgo noescape iip_loop_turn
// #cgo nocallback iip_loop_turn
// #cgo noescape iip_go_turn_anywhere
// #cgo nocallback iip_go_turn_anywhere
// #include "bridge.h"
import "C"

import (
	"context"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Handler is what an application does with a loop. Both methods run on the loop's own goroutine.
type Handler interface {
	// Start is called once, before the first turn: the place to listen and connect.
	Start(l *Loop) error
	// Turn is called after each turn, with what happened; also with no event, after a wake. The events and the bytes
	// of buffers that are not taken over are valid until it returns. An error ends Run.
	Turn(l *Loop, events []Event) error
}

// Loop is one queue of a port with a stack of its own, turned by one goroutine.
type Loop struct {
	engine *Engine
	index  int
	c      *C.struct_iip_loop

	// In C memory, mapped until the engine closes.
	turn     *turnRecord
	ops      []Op
	releases []Handle
	events   *Event
	txFree   *Span
	aux      unsafe.Pointer
	opAux    []rawAddrs
	parked   *uint32 // the loop sleeps: wakeFD wakes it
	woken    *uint32 // its owner is wanted

	wakeFD    int
	fd        int
	again     bool          // the next turn does not wait
	extra     uint32        // flags of the next turn
	limit     time.Duration // of the next wait of Run; 0: none
	owner     owner         // who attaches
	lastOps   int           // operations of the last turn, whose results lie in ops
	lastShort bool
	stale     uint64 // releases that the library refused
	overflow  []Op   // operations that had no room in a turn

	closed atomic.Bool
	mu     sync.Mutex // guards what other goroutines bring
	back   []Handle   // buffers that come back
	posted []func(*Loop)
	work   atomic.Bool // something is in back or posted
}

func newLoop(e *Engine, i int) (*Loop, error) {
	l := &Loop{engine: e, index: i}
	if err := check("loop", C.iip_engine_loop(e.c, C.uint32_t(i), &l.c)); err != nil {
		return nil, err
	}
	l.fd = int(C.iip_loop_fd(l.c))
	area := C.struct_iip_area{size: C.sizeof_struct_iip_area}
	if err := l.owned("area", func() C.int32_t { return C.iip_loop_area(l.c, &area) }); err != nil {
		return nil, err
	}
	l.turn = (*turnRecord)(unsafe.Pointer(area.turn))
	l.turn.size = uint32(unsafe.Sizeof(turnRecord{}))
	l.ops = unsafe.Slice((*Op)(unsafe.Pointer(area.ops)), int(area.op_cap))
	l.releases = unsafe.Slice((*Handle)(unsafe.Pointer(area.releases)), int(area.release_cap))
	l.events = (*Event)(unsafe.Pointer(area.events))
	l.txFree = (*Span)(unsafe.Pointer(area.tx_free))
	l.aux = unsafe.Pointer(area.aux)
	l.opAux = unsafe.Slice((*rawAddrs)(unsafe.Pointer(area.op_aux)), int(area.op_aux_bytes)/int(unsafe.Sizeof(rawAddrs{})))
	l.parked = (*uint32)(unsafe.Pointer(area.parked))
	l.woken = (*uint32)(unsafe.Pointer(area.woken))
	l.wakeFD = int(area.wake_fd)
	return l, nil
}

// owner says who makes a thread the owner of the loop.
type owner uint8

const (
	ownEachCall owner = iota // calls do, for as long as they last
	ownRun                   // Run did
	ownAttached              // Attach did
	ownDetached              // nobody since Detach: the library answers ErrWrongThread
)

// own says who does from now on, and who did before. Under the lock, so that Close by another goroutine comes before or after
// all of a Run.
func (l *Loop) own(o owner) (before owner) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.owner = l.owner, o
	return before
}

// owned calls f as the owner of the loop: the calling thread is attached for that long if nobody said who owns it.
func (l *Loop) owned(op string, f func() C.int32_t) error {
	if l.closed.Load() {
		return &OpError{Op: op, Status: ErrClosed}
	}
	if l.owner == ownEachCall {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := check(op, C.iip_loop_attach(l.c)); err != nil {
			return err
		}
		defer C.iip_loop_detach(l.c)
	}
	return check(op, f())
}

// Run turns the loop on a thread of its own until ctx is done, whose error it then returns, or until the handler
// returns an error. While nothing happens the thread sleeps in the library.
func (l *Loop) Run(ctx context.Context, h Handler) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if l.closed.Load() {
		return &OpError{Op: "run", Status: ErrClosed}
	}
	if err := check("run", C.iip_loop_attach(l.c)); err != nil {
		return err
	}
	before := l.own(ownRun)
	defer func() {
		l.own(before)
		if before != ownAttached {
			C.iip_loop_detach(l.c)
		}
	}()
	stop := context.AfterFunc(ctx, l.Wake)
	defer stop()
	if err := h.Start(l); err != nil {
		return err
	}
	for ctx.Err() == nil {
		wait := time.Duration(-1)
		if l.limit > 0 {
			wait, l.limit = l.limit, 0
		}
		events, err := l.Turn(wait)
		if err == nil {
			err = h.Turn(l, events)
		}
		if err != nil {
			return err
		}
	}
	l.flush()
	return ctx.Err()
}

// Attach makes the calling goroutine the owner of the loop, until Detach, and locks it to its thread: for goroutines that
// turn a loop by themselves. Without it each call attaches for as long as it lasts, from whichever goroutine. ErrBusy while
// another owns the loop; again by the owner, as within Run, it is harmless.
func (l *Loop) Attach() error {
	if l.closed.Load() {
		return &OpError{Op: "attach", Status: ErrClosed}
	}
	runtime.LockOSThread()
	if err := check("attach", C.iip_loop_attach(l.c)); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	switch before := l.own(ownAttached); before {
	case ownRun, ownAttached: // ours already
		l.own(before)
		runtime.UnlockOSThread()
	}
	return nil
}

// Detach gives up what Attach took. From then on the loop is nobody's, and what is the owner's is ErrWrongThread, until
// any goroutine calls Attach or Run.
func (l *Loop) Detach() error {
	var err error = &OpError{Op: "detach", Status: ErrClosed}
	if !l.closed.Load() {
		if err = check("detach", C.iip_loop_detach(l.c)); err != nil {
			return err
		}
	}
	if l.own(ownDetached) == ownAttached {
		runtime.UnlockOSThread() // also behind a Close
	}
	return err
}

// flush brings what the handler left for the next turn on its way. What happens meanwhile is handed to nobody.
func (l *Loop) flush() {
	for !l.closed.Load() && (l.turn.opN != 0 || len(l.overflow) != 0) {
		events, err := l.Turn(0)
		if err != nil {
			return
		}
		for i := range events {
			if events[i].Buf != 0 {
				l.Release(events[i].Buf)
			}
		}
	}
}

// settle gives back by calls what waits for a turn that will not come: releases, and buffers of operations. The loop is
// ours, and l.mu is held.
func (l *Loop) settle() {
	back := append(l.back, l.releases[:l.turn.releaseN]...)
	l.stale += uint64(len(back)) - released(back)
	var sends []Handle
	for _, op := range append(l.overflow, l.ops[:l.turn.opN]...) {
		if op.Code == OpSendBuf || op.Code == OpUDPSend {
			sends = append(sends, op.Buf) // one that no turn declared taken is refused: it is still the library's own
		}
	}
	released(sends)
	l.back, l.overflow, l.turn.opN, l.turn.releaseN = nil, nil, 0, 0
	l.work.Store(len(l.posted) != 0)
}

// released gives references back at once, and tells how many were.
func released(bufs []Handle) uint64 {
	if len(bufs) == 0 {
		return 0
	}
	return uint64(C.iip_buf_release_n((*C.uint64_t)(unsafe.Pointer(&bufs[0])), C.uint32_t(len(bufs))))
}

// Turn is one turn, the only crossing into C on the data path; Run calls it. With wait it sleeps that long at most if
// nothing is due; negative: until something happens. For goroutines that turn a loop by themselves.
func (l *Loop) Turn(wait time.Duration) ([]Event, error) {
	if l.prepare() || wait == 0 || l.again {
		l.again = false
		return l.cross(0)
	}
	l.turn.waitUs = -1
	if wait > 0 {
		l.turn.waitUs = wait.Microseconds()
	}
	return l.cross(C.IIP_TURN_WAIT) // who brings work after prepare has set woken, which the library looks at
}

// TurnPark is a turn that never waits. With park, and unless events are handed up, the loop then wants its next turn
// when its descriptor (see FD) is readable: Parked tells.
func (l *Loop) TurnPark(park bool) ([]Event, error) {
	flags := uint32(0)
	if !l.prepare() && park {
		flags = C.IIP_TURN_PARK
	}
	return l.cross(flags)
}

// prepare moves into the turn what waits for it. True: more is left, so there is no time to wait.
func (l *Loop) prepare() bool {
	more := len(l.overflow) != 0
	for len(l.overflow) != 0 && int(l.turn.opN) < len(l.ops) {
		l.ops[l.turn.opN] = l.overflow[0]
		l.turn.opN++
		l.overflow = l.overflow[1:]
	}
	if !l.work.Load() {
		return more
	}
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	n := min(len(l.back), len(l.releases)-int(l.turn.releaseN))
	copy(l.releases[l.turn.releaseN:], l.back[:n])
	l.turn.releaseN += uint32(n)
	l.back = l.back[:copy(l.back, l.back[n:])]
	left := len(l.back) != 0
	l.work.Store(left)
	l.mu.Unlock()
	for _, f := range posted {
		f(l)
	}
	return more || left || len(posted) != 0
}

func (l *Loop) cross(flags uint32) ([]Event, error) {
	if l.closed.Load() {
		return nil, &OpError{Op: "turn", Status: ErrClosed}
	}
	t := l.turn
	t.flags, l.extra = flags|l.extra, 0
	l.lastOps = int(t.opN)
	var n C.int32_t
	if l.owner != ownEachCall {
		n = C.iip_loop_turn(l.c, (*C.struct_iip_turn)(unsafe.Pointer(t)))
	} else {
		n = C.iip_go_turn_anywhere(l.c, (*C.struct_iip_turn)(unsafe.Pointer(t)))
	}
	if n < 0 {
		return nil, &OpError{Op: "turn", Status: Status(n)}
	}
	l.lastShort = t.opShort != 0
	l.stale += uint64(t.releaseFailed)
	return unsafe.Slice(l.events, int(n)), nil
}

// State is what the last turn said of the loop.
func (l *Loop) State() State { return State(l.turn.state) }

// Parked tells whether the last turn parked the loop.
func (l *Loop) Parked() bool { return l.State()&StateParked != 0 }

// More tells whether events wait for room: the next turn is due at once.
func (l *Loop) More() bool { return l.State()&StateMore != 0 }

// Received is how many packets the last turn received.
func (l *Loop) Received() int { return int(l.turn.rxCount) }

// Again keeps the next turn of Run from waiting: for a handler that has more to do than a turn takes.
func (l *Loop) Again() { l.again = true }

// AgainIn keeps the next turn of Run from waiting for longer than d.
func (l *Loop) AgainIn(d time.Duration) { l.limit = d }

// Flush has the next turn send what is held for the application's answer (acknowledgements).
func (l *Loop) Flush() { l.extra |= C.IIP_TURN_FLUSH }

// FD is a descriptor that is readable when a parked loop wants a turn. Never read or close it.
func (l *Loop) FD() int { return l.fd }

// Now is the time of the last turn, by the port's clock.
func (l *Loop) Now() time.Duration { return time.Duration(l.turn.nowUs) * time.Microsecond }

// Deadline, for virtual clocks: a turn that also works out when the next one is due.
func (l *Loop) Deadline() (events []Event, due time.Duration, err error) {
	l.prepare()
	events, err = l.cross(C.IIP_TURN_DEADLINE)
	if l.turn.deadlineUs > uint64(1<<63-1)/1000 {
		return events, 1<<63 - 1, err
	}
	return events, time.Duration(l.turn.deadlineUs) * time.Microsecond, err
}

// StaleReleases is how many releases the library refused, since the start: each is a mistake of the application.
func (l *Loop) StaleReleases() uint64 { return l.stale }

// ---- operations ----

// Push hands an operation to the next turn. Operations that have no room in it follow in the turns after, in order.
// Results of the last turn are gone with the first Push.
func (l *Loop) Push(op Op) {
	if int(l.turn.opN) == len(l.ops) || len(l.overflow) != 0 {
		l.overflow = append(l.overflow, op)
		return
	}
	l.ops[l.turn.opN] = op
	l.turn.opN++
}

// Room is how many operations the next turn still takes.
func (l *Loop) Room() int { return len(l.ops) - int(l.turn.opN) - len(l.overflow) }

// Results are the operations of the last turn, with Out and Status, until the first Push.
func (l *Loop) Results() []Op { return l.ops[:l.lastOps] }

// Short tells whether any of them failed, or was a send that was taken in part: look at each.
func (l *Loop) Short() bool { return l.lastShort }

// PushAddrs is Push for an operation with addresses: OpConnect, OpListen, OpUDPOpen, OpUDPSend. False: no room.
func (l *Loop) PushAddrs(op Op, local, peer netip.AddrPort) bool {
	if l.Room() <= 0 || int(l.turn.opN)+1 >= len(l.opAux) {
		return false
	}
	i := l.turn.opN + 1 // offset 0 stays unused
	l.opAux[i] = rawAddrs{toRaw(local), toRaw(peer)}
	op.Aux = i * uint32(unsafe.Sizeof(rawAddrs{}))
	l.Push(op)
	return true
}

// Do does an operation at once, by a crossing of its own: for what is rare, as listening. It returns op.Out.
func (l *Loop) Do(op Op, local, peer netip.AddrPort) (Handle, error) {
	i := len(l.opAux) - 1
	l.opAux[i] = rawAddrs{toRaw(local), toRaw(peer)}
	op.Aux = uint32(i) * uint32(unsafe.Sizeof(rawAddrs{}))
	err := l.owned("op", func() C.int32_t { return C.iip_loop_op(l.c, (*C.struct_iip_op)(unsafe.Pointer(&op))) })
	return Handle(op.Out), err
}

// Listen listens on this loop; the cookie comes with EventAccept.
func (l *Loop) Listen(local netip.AddrPort, user uint64) (Handle, error) {
	h, err := l.Do(Op{Code: OpListen, User: user}, local, netip.AddrPort{})
	return h, named(err, "listen "+local.String())
}

// Connect begins a connection; EventConnected or EventClosed follows.
func (l *Loop) Connect(peer netip.AddrPort, user uint64) (Handle, error) {
	h, err := l.Do(Op{Code: OpConnect, User: user}, netip.AddrPort{}, peer)
	return h, named(err, "connect "+peer.String())
}

// OpenUDP opens an endpoint; with a valid peer it is connected.
func (l *Loop) OpenUDP(local, peer netip.AddrPort, user uint64) (Handle, error) {
	h, err := l.Do(Op{Code: OpUDPOpen, User: user}, local, peer)
	return h, named(err, "udp "+local.String())
}

func named(err error, op string) error {
	if e, ok := err.(*OpError); ok {
		e.Op = op
	}
	return err
}

// SendBuf queues the first n bytes of a buffer on a connection, behind offset. Taken whole, the buffer is gone with
// the turn; see Results.
func (l *Loop) SendBuf(conn, buf Handle, offset, n uint32) {
	l.Push(Op{Code: OpSendBuf, Obj: conn, Buf: buf, Offset: offset, Len: n})
}

// Shut ends the stream behind what is queued.
func (l *Loop) Shut(conn Handle) { l.Push(Op{Code: OpShutdown, Obj: conn}) }

// CloseHandle is done with a connection, listener, endpoint or timer.
func (l *Loop) CloseHandle(h Handle) { l.Push(Op{Code: OpClose, Obj: h}) }

// Abort resets a connection.
func (l *Loop) Abort(conn Handle) { l.Push(Op{Code: OpAbort, Obj: conn}) }

// TxTake takes an empty buffer to write to; nil: none is laid out before the next turn. If it is the first of a turn that
// fails, all are under way: [Loop.AgainIn] looks for one in a while, where Again would spin.
func (l *Loop) TxTake() *Span {
	i := l.turn.txTaken
	if i >= l.turn.txFreeN {
		return nil
	}
	l.turn.txTaken++
	return (*Span)(unsafe.Add(unsafe.Pointer(l.txFree), uintptr(i)*unsafe.Sizeof(Span{})))
}

// Addrs are the two ends that an event names, as this side sees them.
func (l *Loop) Addrs(e *Event) (local, peer netip.AddrPort) {
	if e.aux == 0 {
		return
	}
	a := (*rawAddrs)(unsafe.Add(l.aux, e.aux))
	return fromRaw(&a.local), fromRaw(&a.peer)
}

// Release gives a reference of a buffer back with the next turn. Of the loop's goroutine only; others have [Buffer].
func (l *Loop) Release(buf Handle) {
	if int(l.turn.releaseN) < len(l.releases) {
		l.releases[l.turn.releaseN] = buf
		l.turn.releaseN++
		return
	}
	l.giveBack(buf)
}

// ---- from other goroutines ----

// giveBack tells how many buffers wait to go back now.
func (l *Loop) giveBack(buf Handle) int {
	l.mu.Lock()
	l.back = append(l.back, buf)
	n := len(l.back)
	l.work.Store(true)
	l.mu.Unlock()
	return n
}

// ReleaseAll gives references back with the next turn, and leaves a sleeping loop asleep: Wake, where the peer may wait
// for the window. Any goroutine may call it.
func (l *Loop) ReleaseAll(bufs []Handle) {
	l.mu.Lock()
	l.back = append(l.back, bufs...)
	l.work.Store(true)
	l.mu.Unlock()
}

// Post runs f on the loop's goroutine before its next turn, and wakes it. Any goroutine may call it.
func (l *Loop) Post(f func(*Loop)) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.work.Store(true)
	l.mu.Unlock()
	l.rouse()
}

var one = []byte{1, 0, 0, 0, 0, 0, 0, 0}

// rouse ends a wait, or the next one: the protocol of iip_area, see iip.h. One of all who come writes. Where a thread of
// its own does the networking the library is called, which wakes whoever waits.
func (l *Loop) rouse() {
	if atomic.SwapUint32(l.woken, 1) != 0 || atomic.LoadUint32(l.parked) == 0 {
		return
	}
	l.mu.Lock() // so that the descriptor is not closed meanwhile
	defer l.mu.Unlock()
	switch {
	case l.closed.Load():
	case l.engine.cores != CoresUnified:
		C.iip_loop_wake(l.c)
	default:
		_, _ = syscall.Write(l.wakeFD, one) // full means readable, all the same
	}
}

// Wake ends the wait of the loop, or of its next one. Any goroutine may call it; no crossing, and no system call unless
// the loop sleeps.
func (l *Loop) Wake() { l.Post(func(*Loop) {}) }
