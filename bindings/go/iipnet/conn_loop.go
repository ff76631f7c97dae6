package iipnet

import iip "iip.example/iip"

// What the loop's goroutine does with a connection.

// pump turns what the connection's users left into operations, as far as there is room.
func (c *Conn) pump(lp *loop) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = false
	if c.handle == 0 {
		return // not connected yet: CONNECTED pumps
	}
	if c.gone {
		c.dropOut(lp)
		return
	}
	for len(c.opts) != 0 && lp.l.Room() > 0 {
		lp.push(c.opts[0], sent{})
		c.opts = c.opts[1:]
	}
	if c.closed && c.linger0 {
		c.dropOut(lp)
		c.end(lp, iip.OpAbort)
		return
	}
	if !c.stuck {
		c.send(lp)
	}
	if c.closeOp && c.unread && lp.l.Room() > 0 {
		c.unread = false
		lp.push(iip.Op{Code: iip.OpAbort, Obj: c.handle}, sent{})
	} else if len(c.out) == 0 && !c.stuck {
		c.finish(lp)
	} else if !c.stuck {
		c.retry(lp)
	}
}

func (c *Conn) retry(lp *loop) {
	c.told = true
	lp.later = append(lp.later, c)
}

// send offers everything; what is not taken comes back in `untaken`.
func (c *Conn) send(lp *loop) {
	n := 0
	for n < len(c.out) && lp.l.Room() > 0 {
		p := c.out[n]
		op := iip.Op{Code: iip.OpSendBuf, Obj: c.handle, Buf: p.buf, Offset: p.off, Len: p.len - p.off}
		lp.push(op, sent{conn: c, part: p})
		c.outLen -= int(op.Len)
		n++
	}
	left := copy(c.out, c.out[n:])
	clear(c.out[left:])
	c.out = c.out[:left]
	if n != 0 {
		c.writable.Broadcast()
	}
}

// finish ends the stream or the connection once all bytes were taken: sends of this turn might not be, so then later.
func (c *Conn) finish(lp *loop) {
	shut, end := c.shut && !c.shutOp && !c.closed, c.closed && !c.closeOp
	if !shut && !end {
		return
	}
	if lp.l.Room() <= 0 || lp.sending(c) {
		c.retry(lp)
		return
	}
	if shut {
		c.shutOp = true
		lp.push(iip.Op{Code: iip.OpShutdown, Obj: c.handle}, sent{})
	} else {
		c.end(lp, iip.OpClose)
		if c.closeOp && c.unread {
			c.retry(lp) // and the reset follows what ends the stream, as it came later
		}
	}
}

func (c *Conn) end(lp *loop, code iip.OpCode) {
	if c.closeOp {
		return
	}
	if lp.l.Room() <= 0 {
		c.retry(lp)
		return
	}
	c.closeOp = true
	lp.push(iip.Op{Code: code, Obj: c.handle}, sent{})
}

// sending tells whether this turn has a send of the connection; one that was just pumped is among the last.
func (lp *loop) sending(c *Conn) bool {
	for i := len(lp.sents) - 1; i >= 0; i-- {
		if lp.sents[i].conn == c {
			return true
		}
	}
	return false
}

// untaken puts back what the send queue did not take. It is called for the last part first.
func (c *Conn) untaken(lp *loop, p part, op *iip.Op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.Status != iip.OK && op.Status != iip.ErrAgain {
		lp.l.Release(p.buf) // the connection is over; CLOSED says why
		return
	}
	p.off += uint32(op.Out)
	c.out = append(c.out, part{})
	copy(c.out[1:], c.out)
	c.out[0] = p
	c.outLen += int(p.len - p.off)
	c.stuck = true
}

func (c *Conn) dropOut(lp *loop) {
	for _, p := range c.out {
		lp.l.Release(p.buf)
	}
	c.out, c.outLen = nil, 0
	c.writable.Broadcast()
}

// event is one event of the connection.
func (c *Conn) event(lp *loop, e *iip.Event) {
	if e.Src != c.handle {
		if e.Buf != 0 {
			lp.l.Release(e.Buf)
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Type {
	case iip.EventData:
		c.arrived(lp, e)
	case iip.EventFin:
		c.fin = true
		c.readable.Broadcast()
	case iip.EventWritable:
		c.stuck = false
		c.retry(lp)
	case iip.EventConnected:
		c.connected(lp, e)
	case iip.EventError:
		c.answerDial(e.Status) // one that waits gives up; connections live on
	case iip.EventClosed:
		c.over(e.Status)
		c.dropOut(lp)
		delete(lp.objects, e.Src.KindSlot())
	}
	lp.roused = true
}

func (c *Conn) arrived(lp *loop, e *iip.Event) {
	if c.closed || c.noRead {
		c.unread = c.unread || c.closed && !c.closeOp
		lp.l.Release(e.Buf)
		return
	}
	c.in = append(c.in, part{buf: e.Buf, bytes: e.Bytes(), len: e.Len})
	c.readable.Broadcast()
}

func (c *Conn) connected(lp *loop, e *iip.Event) {
	local, peer := lp.l.Addrs(e)
	c.named(ends{local, peer})
	c.answerDial(iip.OK)
}

func (c *Conn) answerDial(st iip.Status) {
	if c.dialed != nil {
		c.dialed <- st // has room for one
		c.dialed = nil
	}
}

func (c *Conn) over(st iip.Status) {
	c.gone, c.status = true, st
	if st != iip.OK {
		c.answerDial(st)
	}
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.lp.stack.connGone()
}

// fail is the end of the loop: there is no one left who could do anything for the connection.
func (c *Conn) fail(st iip.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.inHead < len(c.in) { // the memory goes with the engine
		c.dropFirst()
	}
	c.out, c.outLen = nil, 0
	c.over(st)
}
