package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
)

const streamMax = 64 << 10 // bytes of the longest stream; short ones are more frequent

// tally is what the loops of one side counted.
type tally struct {
	opened, whole, cut atomic.Int64 // connections; of those that were closed, after all bytes or by a reset
	sent, got          atomic.Int64 // bytes, of whole connections
	most               atomic.Int64 // connections that were open at once
}

func (t *tally) open() {
	now := t.opened.Add(1) - t.whole.Load() - t.cut.Load()
	for most := t.most.Load(); now > most && !t.most.CompareAndSwap(most, now); {
		most = t.most.Load()
	}
}

// peer is one loop of either side: it sends a stream on each of its connections, and has what arrives kept.
type peer struct {
	keep  *keepers
	tally *tally
	rnd   *rand.Rand
	conns map[iip.Handle]*conn
	turn  uint64
	thin  []*conn // have something to send in the next turn

	connect uint64 // connections that are to be open; 0: it is the server
	ids     *atomic.Uint64
	over    *atomic.Bool // no more new ones
	last    *atomic.Bool // of the server: all whole ones have come to their end
}

type conn struct {
	handle   iip.Handle
	out, in  stream
	sent     uint64
	rest     iip.Op // of a send that was not taken whole; Len 0: none
	stuck    bool   // the send queue is full: WRITABLE follows
	turn     uint64 // of the last send
	thin     bool
	shut     bool
	head     [headLen]byte
	got      uint64
	fin, end bool
	cutAt    uint64 // bytes sent at which it is aborted; 0: never
}

func (p *peer) Start(l *iip.Loop) error {
	if p.connect == 0 {
		_, err := l.Listen(netip.AddrPortFrom(netip.Addr{}, 7), 0)
		return err
	}
	l.AgainIn(time.Millisecond)
	return nil
}

func (p *peer) Turn(l *iip.Loop, events []iip.Event) error {
	p.turn++
	if l.Short() {
		p.untaken(l)
	}
	for i := range events {
		if err := p.event(l, &events[i]); err != nil {
			return err
		}
	}
	thin := p.thin
	p.thin = nil
	for _, c := range thin {
		c.thin = false
		p.send(l, c)
	}
	if len(p.thin) != 0 {
		l.AgainIn(time.Millisecond)
	}
	return p.open(l)
}

// open keeps as many connections open as are asked for, a few more each turn.
func (p *peer) open(l *iip.Loop) error {
	switch {
	case p.connect == 0 && p.last.Load():
		p.abortAll(l)
		return nil
	case p.over.Load():
		return nil
	}
	for n := 0; uint64(len(p.conns)) < p.connect; n++ {
		if n == 16 {
			l.AgainIn(time.Millisecond)
			return nil
		}
		h, err := l.Connect(netip.MustParseAddrPort("10.0.0.2:7"), 0)
		if err != nil {
			return err
		}
		id := p.ids.Add(1)
		c := &conn{handle: h, out: stream{key: id << 1, len: headLen + uint64(p.length())}}
		if p.rnd.IntN(10) == 0 {
			c.cutAt = 1 + uint64(p.rnd.Int64N(int64(c.out.len)))
		}
		p.conns[h] = c
		p.tally.open()
	}
	return nil
}

func (p *peer) abortAll(l *iip.Loop) {
	for h, c := range p.conns {
		if !c.end {
			c.end = true
			l.Abort(h)
		}
	}
}

func (p *peer) length() int { return p.rnd.IntN(1 + p.rnd.IntN(streamMax)) }

func (p *peer) event(l *iip.Loop, e *iip.Event) error {
	if e.Type == iip.EventAccept {
		p.conns[e.Src] = &conn{handle: e.Src}
		p.tally.open()
		return nil
	}
	c := p.conns[e.Src]
	if c == nil || c.end && e.Type == iip.EventData {
		if e.Buf != 0 {
			l.Release(e.Buf)
		}
		return nil
	}
	switch e.Type {
	case iip.EventConnected:
		p.send(l, c)
	case iip.EventWritable:
		c.stuck = false
		p.send(l, c)
	case iip.EventData:
		return p.data(l, c, e)
	case iip.EventFin:
		if c.fin = true; c.got != c.in.len {
			return fmt.Errorf("connection %#x ended after %d of %d bytes", c.in.key, c.got, c.in.len)
		}
		p.finish(l, c)
	case iip.EventClosed:
		return p.closed(l, c, e.Status)
	}
	return nil
}

// data has the bytes kept, once it is known whose they are.
func (p *peer) data(l *iip.Loop, c *conn, e *iip.Event) error {
	bytes, off := e.Bytes(), c.got
	if off < headLen {
		copy(c.head[off:], bytes)
	}
	if c.got += uint64(len(bytes)); c.got < headLen {
		l.Release(e.Buf)
		return nil
	}
	if off < headLen {
		c.in = stream{binary.LittleEndian.Uint64(c.head[:]), binary.LittleEndian.Uint64(c.head[8:])}
		if p.connect == 0 {
			c.out = stream{c.in.key | 1, headLen + uint64(p.length())}
		} else if c.in.key != c.out.key|1 {
			return fmt.Errorf("connection %#x got what belongs to %#x", c.out.key, c.in.key)
		}
	}
	if !c.in.right(bytes, off) || c.got > c.in.len {
		return fmt.Errorf("connection %#x: wrong bytes at %d", c.in.key, off)
	}
	b := l.Take(e)
	if !p.keep.keep(piece{b, c.in, off}, p.rnd) {
		if err := b.Release(); err != nil {
			return err
		}
	}
	if p.connect == 0 && off < headLen {
		p.send(l, c)
	}
	return nil
}

// send hands over one part a turn, as far as the send queue and the empty buffers allow.
func (p *peer) send(l *iip.Loop, c *conn) {
	switch {
	case c.out.len == 0 || c.stuck || c.end:
		return
	case c.turn == p.turn || l.Room() <= 0:
		p.again(c)
		return
	case c.rest.Len != 0:
		l.Push(c.rest)
		c.rest = iip.Op{}
	case c.sent == c.out.len:
		p.finish(l, c)
		return
	case c.cutAt != 0 && c.sent >= c.cutAt:
		c.end = true
		l.Abort(c.handle)
		return
	case !p.more(l, c):
		p.again(c)
		return
	}
	c.turn = p.turn
	p.again(c)
	l.Again()
}

// again has send called in the next turn.
func (p *peer) again(c *conn) {
	if !c.thin {
		c.thin = true
		p.thin = append(p.thin, c)
	}
}

// more sends the next part of the stream. False: no empty buffer is there.
func (p *peer) more(l *iip.Loop, c *conn) bool {
	span := l.TxTake()
	if span == nil {
		return false
	}
	bytes := span.Bytes()
	bytes = bytes[:min(uint64(len(bytes)), c.out.len-c.sent, uint64(headLen+p.rnd.IntN(3000)))]
	c.out.fill(bytes, c.sent)
	c.sent += uint64(len(bytes))
	l.SendBuf(c.handle, span.Buf, 0, uint32(len(bytes)))
	return true
}

// finish ends the stream once all of it was taken, and the connection once both have ended.
func (p *peer) finish(l *iip.Loop, c *conn) {
	if !c.shut && c.out.len != 0 && c.sent == c.out.len && c.rest.Len == 0 && c.turn != p.turn {
		c.shut = true
		l.Shut(c.handle)
	}
	if c.shut && c.fin && !c.end {
		c.end = true
		l.CloseHandle(c.handle)
	}
}

func (p *peer) closed(l *iip.Loop, c *conn, st iip.Status) error {
	delete(p.conns, c.handle)
	if c.rest.Len != 0 {
		l.Release(c.rest.Buf)
	}
	c.rest, c.out = iip.Op{}, stream{} // it may still be in thin
	ours, theirs := st == iip.ErrAborted, p.connect == 0 && st == iip.ErrReset
	switch {
	case c.fin && c.shut && !ours: // also by a reset: the peer's TIME-WAIT is short, and its last answer was lost
		p.tally.whole.Add(1)
		p.tally.sent.Add(int64(c.sent))
		p.tally.got.Add(int64(c.got))
	case ours || theirs:
		p.tally.cut.Add(1)
	default:
		return fmt.Errorf("connection %#x closed after %d of %d bytes: %w", c.in.key, c.got, c.in.len, st)
	}
	return nil
}

// untaken remembers what the send queue had no room for.
func (p *peer) untaken(l *iip.Loop) {
	for _, op := range l.Results() {
		if op.Code != iip.OpSendBuf || uint32(op.Out) == op.Len {
			continue
		}
		c := p.conns[op.Obj]
		full := op.Status == iip.ErrAgain || op.Status == iip.ErrNoBufs || op.Status == iip.ErrNoMem
		if c == nil || op.Status != iip.OK && !full {
			l.Release(op.Buf) // the connection is over
			continue
		}
		op.Offset, op.Len, op.Out, op.Status = op.Offset+uint32(op.Out), op.Len-uint32(op.Out), 0, 0
		c.rest, c.stuck = op, true
	}
}
