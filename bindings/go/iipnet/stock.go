package iipnet

import (
	"time"

	iip "iip.example/iip"
)

// Empty buffers for writers, and the writers who wait for one.

const (
	stockMax    = 256 // empty buffers that wait for writers, at most
	stockLow    = 8   // the same while the port has few: they are what is received into, too
	looksMore   = 8   // writers that a turn looks at beside as many as there are buffers
	lookAgainIn = time.Millisecond
)

// writers wait in two rows. While there are few buffers each has to be looked at: whether his peer takes what it is sent.
// Who was looked at in vain stands in the other row, until there is news. Guarded by the loop's lock.
type writers struct {
	fresh, seen []*Conn
	news        bool // packets came: those in seen may be served now
}

func (w *writers) len() int { return len(w.fresh) + len(w.seen) }

func (w *writers) add(c *Conn) {
	if !c.waits {
		c.waits = true
		w.fresh = append(w.fresh, c)
	}
}

// take takes up to n who are to be looked at, the longest waiting first.
func (w *writers) take(n int) []*Conn {
	if len(w.fresh) == 0 && w.news {
		w.fresh, w.seen, w.news = w.seen, nil, false
	}
	n = min(n, len(w.fresh))
	taken := w.fresh[:n:n]
	w.fresh = w.fresh[n:]
	return taken
}

// again has up to n who were looked at in vain looked at again.
func (w *writers) again(n int) {
	n = min(n, len(w.seen))
	w.fresh = append(w.fresh, w.seen[:n]...)
	w.seen = w.seen[n:]
}

// takeTx takes an empty buffer to write to, as much of it as c may. False: there is none, and c is told when there is.
func (lp *loop) takeTx(c *Conn) (iip.Span, bool) {
	lp.mu.Lock()
	defer lp.mu.Unlock()
	n := len(lp.stock)
	if n == 0 || lp.low && c.may == 0 {
		lp.waiting.add(c)
		lp.pending.Store(true)
		return iip.Span{}, false
	}
	s := lp.stock[n-1]
	if lp.low {
		s.Len = min(s.Len, c.may)
	}
	lp.stock, c.may = lp.stock[:n-1], 0
	return s, true
}

// restock moves empty buffers to where writers find them, and tells who waits for them.
func (lp *loop) restock() {
	low := lp.l.State()&iip.StatePoolLow != 0
	lp.mu.Lock()
	lp.low = low
	lp.waiting.news = lp.waiting.news || lp.l.Received() != 0 || len(lp.stock) == 0
	lp.refill()
	lp.mu.Unlock()
	for _, c := range lp.servable() {
		c.feed()
		lp.roused = true
	}
	lp.mu.Lock()
	starved := lp.waiting.len() != 0
	if starved && len(lp.stock) != 0 && (len(lp.waiting.fresh) != 0 || lp.waiting.news) {
		lp.pending.Store(true) // the next turn goes on
	}
	lp.mu.Unlock()
	if starved && !lp.looks {
		lp.lookAgain()
	}
}

// refill is called with the lock held.
func (lp *loop) refill() {
	limit := stockMax
	if lp.low {
		limit = stockLow
	}
	for n := len(lp.stock); n > limit; n-- {
		lp.l.Release(lp.stock[n-1].Buf)
		lp.stock = lp.stock[:n-1]
	}
	for len(lp.stock) < limit {
		s := lp.l.TxTake()
		if s == nil {
			break
		}
		lp.stock = append(lp.stock, *s)
	}
}

// servable takes out of the rows who gets a buffer: no more than there are.
func (lp *loop) servable() []*Conn {
	lp.mu.Lock()
	defer lp.mu.Unlock()
	n := len(lp.stock)
	if n == 0 || lp.waiting.len() == 0 {
		return nil
	}
	if lp.low {
		return lp.share(n)
	}
	lp.waiting.news = true // nobody needs to be looked at
	fed := lp.waiting.take(n)
	for _, c := range fed {
		c.waits = false
	}
	return fed
}

// share tells who gets one of n buffers while there are few, of some of those who wait; the lock is held, but not
// meanwhile.
func (lp *loop) share(n int) (fed []*Conn) {
	taken := lp.waiting.take(n + looksMore)
	rooms := make([]uint32, len(taken))
	lp.mu.Unlock()
	for i, c := range taken {
		rooms[i] = lp.room(c)
	}
	lp.mu.Lock()
	for i, c := range taken {
		if rooms[i] == 0 || len(fed) == n {
			lp.waiting.seen = append(lp.waiting.seen, c)
			continue
		}
		c.waits, c.may = false, rooms[i]
		fed = append(fed, c)
	}
	return fed
}

// room is how much a writer may write while there are few buffers: what his peer has room for, if it took all that it was
// sent, for else it would keep the buffer for ever. Who is closed or over wants none, and is told so.
func (lp *loop) room(c *Conn) uint32 {
	c.mu.Lock()
	queued, over := c.outLen, c.gone || c.closed
	c.mu.Unlock()
	if over {
		return 1
	}
	if queued != 0 {
		return 0
	}
	info, err := lp.l.ConnInfo(c.handle)
	if err != nil || info.Unsent != 0 || info.SndWnd <= info.Unacked {
		return 0
	}
	return info.SndWnd - info.Unacked
}

// lookAgain looks in a while whether there are empty buffers: most come with an acknowledgement or a release, either of
// which brings a turn, but a port may also give them back of its own accord.
func (lp *loop) lookAgain() {
	lp.looks = true
	time.AfterFunc(lookAgainIn, func() {
		lp.do(func(lp *loop) {
			if lp == nil {
				return
			}
			lp.looks = false
			lp.mu.Lock()
			lp.waiting.again(looksMore) // for what brings no packet: a timer of the connection's
			lp.mu.Unlock()
		})
	})
}
