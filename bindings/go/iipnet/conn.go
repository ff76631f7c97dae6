package iipnet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	iip "iip.example/iip"
)

const queueMax = 256 << 10 // bytes of a connection that wait in Go for its send queue, at most

// part is a stretch of a buffer: received bytes that were not read, or bytes to send.
type part struct {
	buf   iip.Handle
	bytes []byte // of the whole buffer
	off   uint32 // sent, or read, up to here
	len   uint32 // and there are bytes up to here
}

func (p *part) rest() []byte { return p.bytes[p.off:p.len] }

type ends struct{ local, peer netip.AddrPort }

// Conn is a TCP connection. It is a net.Conn with half-close; its methods may be called by any goroutine.
type Conn struct {
	lp            *loop
	network       string     // as it was dialed or listened on
	handle        iip.Handle // written by the loop before anybody sees the connection
	local, remote *net.TCPAddr
	dialed        chan iip.Status // a dial waits here

	writeLock sync.Mutex // one Write at a time

	mu       sync.Mutex // guards all below
	readable sync.Cond
	writable sync.Cond
	rd, wd   deadline

	in      []part // received, not read; from inHead
	inHead  int
	fin     bool // behind those: the end of the stream
	noRead  bool // CloseRead
	out     []part
	outLen  int  // bytes in out
	shut    bool // CloseWrite: behind out
	shutOp  bool // was asked for
	stuck   bool // the send queue is full: WRITABLE follows
	opts    []iip.Op
	linger0 bool
	closed  bool       // Close
	closeOp bool       // was asked for
	unread  bool       // bytes came between the two, and no one reads them
	gone    bool       // CLOSED came
	status  iip.Status // why
	said    bool       // a call returned that
	may     uint32     // bytes of an empty buffer, though there are few; guarded by the loop's lock
	waits   bool       // for one, in a row of the loop's; guarded the same
	told    bool       // the loop knows that there is something to do
}

func newConn(lp *loop, network string) *Conn {
	c := &Conn{lp: lp, network: network}
	c.readable.L = &c.mu
	c.writable.L = &c.mu
	return c
}

func (c *Conn) named(e ends) {
	c.local, c.remote = tcpAddr(e.local), tcpAddr(e.peer)
}

func (c *Conn) error(op string, err error) error {
	return opError(op, c.network, c.local, c.remote, err)
}

// setError is of calls that are no business of the peer's.
func (c *Conn) setError(err error) error { return opError("set", c.network, nil, c.local, err) }

// failure is why the connection is gone, to the first call that asks; OK to others, as with the kernel: a read then meets
// the end of the stream, and a write a broken pipe. A peer that had ended its stream before it reset has broken the pipe.
func (c *Conn) failure() iip.Status {
	if c.said || c.status == iip.ErrReset && c.fin {
		return iip.OK
	}
	c.said = c.status != iip.ErrClosed // which holds for all calls
	return c.status
}

// tell is called with the lock held.
func (c *Conn) tell() {
	if !c.told {
		c.told = true
		c.lp.notify(c)
	}
}

// ---- reading ----

// waitRead waits until there is something to read, with the lock held.
func (c *Conn) waitRead() error {
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.rd.expired():
			return os.ErrDeadlineExceeded
		case c.noRead:
			return io.EOF
		case c.inHead < len(c.in):
			return nil
		case c.fin:
			return io.EOF
		case c.gone:
			if st := c.failure(); st != iip.OK {
				return system("read", st)
			}
			return io.EOF
		}
		c.lp.flush()
		c.readable.Wait()
	}
}

// Read reads what has arrived, at least a byte.
func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) == 0 && !c.closed {
		return 0, nil
	}
	if err := c.waitRead(); err != nil {
		return 0, c.readError(err)
	}
	var room [16]iip.Handle
	n, used := 0, room[:0]
	for n < len(p) && c.inHead < len(c.in) {
		first := &c.in[c.inHead]
		k := copy(p[n:], first.rest())
		n += k
		if first.off += uint32(k); first.off == first.len {
			used = append(used, first.buf)
			c.dropFirst()
		}
	}
	c.lp.giveBack(used...)
	return n, nil
}

func (c *Conn) readError(err error) error {
	if err == io.EOF {
		return err
	}
	return c.error("read", err)
}

func (c *Conn) dropFirst() {
	c.in[c.inHead] = part{}
	if c.inHead++; c.inHead == len(c.in) {
		c.in, c.inHead = c.in[:0], 0
	}
}

// WriteTo writes all that arrives to w, until the end of the stream.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{c}, *buf)
	return n, c.copyError("writeto", err)
}

// ---- writing ----

// waitWrite waits until the queue takes bytes, if there are any, with the lock held.
func (c *Conn) waitWrite(any bool) error {
	for {
		switch {
		case c.closed:
			return net.ErrClosed
		case c.wd.expired():
			return os.ErrDeadlineExceeded
		case c.gone:
			if st := c.failure(); st != iip.OK {
				return system("write", st)
			}
			return system("write", iip.ErrShutdown)
		case c.shut:
			return system("write", iip.ErrShutdown)
		case c.outLen < queueMax || !any:
			return nil
		}
		c.writable.Wait()
	}
}

// Write queues all of p. It waits while the queue is full; an error says how much went before it.
func (c *Conn) Write(p []byte) (int, error) {
	c.writeLock.Lock()
	defer c.writeLock.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	done := 0
	for {
		if err := c.waitWrite(len(p) != 0); err != nil {
			return done, c.error("write", err)
		}
		done += c.enqueue(p[done:])
		if done == len(p) {
			return done, nil
		}
		if c.outLen < queueMax { // no empty buffer is there
			c.writable.Wait()
		}
	}
}

// enqueue copies what fits, into the last buffer of the queue and then into new ones.
func (c *Conn) enqueue(p []byte) int {
	done := 0
	if n := len(c.out); n != 0 && c.out[n-1].off == 0 {
		last := &c.out[n-1]
		k := copy(last.bytes[last.len:], p)
		last.len += uint32(k)
		done = k
	}
	for done < len(p) && c.outLen+done < queueMax {
		s, ok := c.lp.takeTx(c)
		if !ok {
			break
		}
		b := s.Bytes()
		k := copy(b, p[done:])
		c.out = append(c.out, part{buf: s.Buf, bytes: b, len: uint32(k)})
		done += k
	}
	c.outLen += done
	if done != 0 {
		c.tell()
	} else if len(p) != 0 {
		c.lp.rouse()
	}
	return done
}

// feed says that there are empty buffers again.
func (c *Conn) feed() {
	c.mu.Lock()
	c.writable.Broadcast()
	c.mu.Unlock()
}

// Memory for ReadFrom and WriteTo, which hide each other from io.Copy.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// ReadFrom sends all that r gives, until its end.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{r}, *buf)
	return n, c.copyError("readfrom", err)
}

func (c *Conn) copyError(op string, err error) error {
	if err == nil {
		return nil
	}
	return c.error(op, err)
}

// ---- the end ----

// CloseWrite ends the stream to the peer, behind what was written; reading goes on.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	if c.gone {
		return c.error("close", system("shutdown", iip.ErrNotConnected))
	}
	c.shut = true
	c.writable.Broadcast()
	c.tell()
	return nil
}

// CloseRead has readers see the end of the stream; what arrives is thrown away.
func (c *Conn) CloseRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	if c.gone {
		return c.error("close", system("shutdown", iip.ErrNotConnected))
	}
	c.noRead = true
	c.dropIn()
	c.readable.Broadcast()
	return nil
}

func (c *Conn) dropIn() {
	for c.inHead < len(c.in) {
		c.lp.giveBack(c.in[c.inHead].buf)
		c.dropFirst()
	}
}

// Close ends both directions; what was written still goes out, unless bytes arrived that nobody read: then the peer is
// told so by a reset, as the kernel does. Blocked calls return net.ErrClosed.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	c.closed = true
	c.rd.stop()
	c.wd.stop()
	c.linger0 = c.linger0 || c.inHead < len(c.in)
	c.dropIn()
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.tell()
	c.lp.flush()
	return nil
}

// abort is Close with a reset, for connections that nobody has seen.
func (c *Conn) abort() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// ---- addresses, deadlines, options ----

// LocalAddr is this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline is for calls to come and for those that wait already; a time that is past aborts them at once, the
// zero time means none.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline is the same for writing.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.setError(net.ErrClosed)
	}
	if read {
		c.rd.set(t, &c.readable)
	}
	if write {
		c.wd.set(t, &c.writable)
	}
	return nil
}

func (c *Conn) set(option iip.Option, value uint64) error {
	if !c.queueOption(option, value) {
		return c.error("set", net.ErrClosed)
	}
	return nil
}

func (c *Conn) setBuffer(option iip.Option, bytes int) error {
	if !c.queueOption(option, uint64(max(bytes, 2048))) {
		return c.setError(net.ErrClosed)
	}
	return nil
}

// queueOption is false when the connection is closed.
func (c *Conn) queueOption(option iip.Option, value uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.opts = append(c.opts, iip.Op{Code: iip.OpSet, Obj: c.handle, Offset: uint32(option), Arg: value})
	c.tell()
	return true
}

func flag(on bool) uint64 {
	if on {
		return 1
	}
	return 0
}

// SetNoDelay switches Nagle's algorithm off (the default) or on.
func (c *Conn) SetNoDelay(noDelay bool) error { return c.set(iip.OptNoDelay, flag(noDelay)) }

// SetKeepAlive switches keep-alive probes on (the default) or off.
func (c *Conn) SetKeepAlive(keepAlive bool) error { return c.set(iip.OptKeepAlive, flag(keepAlive)) }

// SetKeepAlivePeriod is how long a connection is silent before a probe, and between probes.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	us := uint64(max(d, time.Second).Microseconds())
	if err := c.set(iip.OptKeepIdleUs, us); err != nil {
		return err
	}
	return c.set(iip.OptKeepIntvlUs, us)
}

// SetReadBuffer is the size of the receive buffer.
func (c *Conn) SetReadBuffer(bytes int) error { return c.setBuffer(iip.OptRcvBuf, bytes) }

// SetWriteBuffer is the size of the send queue.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.setBuffer(iip.OptSndBuf, bytes) }

// SetLinger with 0 makes Close reset the connection. Otherwise Close sends what was written, in the background, as ever.
func (c *Conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.error("set", net.ErrClosed)
	}
	c.linger0 = sec == 0
	return nil
}

// SyscallConn says that there is no descriptor.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	return noSyscallConn(c.network, c.local, c.remote)
}

var _ interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo
	syscall.Conn
} = (*Conn)(nil)
