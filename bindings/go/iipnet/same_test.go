package iipnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a stack says and does is compared with the kernel's, by package net, in the same situations, word for word.

// world is a network as the cases see it.
type world struct {
	t            *testing.T
	host         string // of the server
	listen       func(network, address string) (net.Listener, error)
	listenPacket func(network, address string) (net.PacketConn, error)
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	said         strings.Builder
}

var anAddress = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\])(:\d+)?|(lookup \S+).*`)

// say notes what a call returned.
func (w *world) say(what string, err error, more ...any) {
	fmt.Fprintf(&w.said, "%s: %s%v\n", what, outcome(err), more)
}

// outcome is all that can be told of an error, without addresses.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	text := fmt.Sprintf("%T %q", err, anAddress.ReplaceAllString(err.Error(), "ADDRESS"))
	var oe *net.OpError
	if errors.As(err, &oe) {
		text += fmt.Sprintf(" op=%s net=%s source=%T addr=%T cause=%s", oe.Op, oe.Net, oe.Source, oe.Addr, kind(oe.Err))
	}
	var ne interface {
		Timeout() bool
		Temporary() bool
	}
	if errors.As(err, &ne) {
		text += fmt.Sprintf(" timeout=%v temporary=%v", ne.Timeout(), ne.Temporary())
	}
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, context.Canceled,
		context.DeadlineExceeded, net.ErrWriteToConnected, os.ErrClosed} {
		if target == os.ErrDeadlineExceeded && errors.Is(err, context.DeadlineExceeded) {
			continue // of a dial that timed out both hold here, and one of them in package net
		}
		if errors.Is(err, target) {
			text += fmt.Sprintf(" is(%v)", target)
		}
	}
	for errno := syscall.Errno(1); errno < 134; errno++ {
		if errors.Is(err, errno) {
			text += fmt.Sprintf(" is(%d)", errno)
		}
	}
	return text
}

// kind is the type of a cause; what is no business of others has none.
func kind(err error) string {
	text := fmt.Sprintf("%T", err)
	if i := strings.LastIndexByte(text, '.'); strings.ToLower(text[i+1:i+2]) == text[i+1:i+2] {
		return "a type of its own"
	}
	return text
}

// pair is both ends of a connection.
func (w *world) pair() (accepted, dialed duplex) {
	w.t.Helper()
	l, err := w.listen("tcp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	d, err := w.dial(context.Background(), "tcp4", l.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = a.Close(); _ = d.Close() })
	return a.(duplex), d.(duplex)
}

type duplex interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo
	CloseRead() error
	CloseWrite() error
	SetLinger(int) error
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetKeepAlivePeriod(time.Duration) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

func kernelWorld(t *testing.T) *world {
	var d net.Dialer
	return &world{t: t, host: "127.0.0.1", listen: net.Listen, listenPacket: net.ListenPacket, dial: d.DialContext}
}

func ourWorld(t *testing.T) *world {
	server, client := pair(t, "pair:same%d")
	return &world{t: t, host: "10.0.0.2", listen: server.Listen, listenPacket: server.ListenPacket, dial: client.DialContext}
}

// soon is for what another goroutine does while a call is blocked.
func soon(f func()) { time.AfterFunc(20*time.Millisecond, f) }

var one1 = make([]byte, 1)

var tooMuch = make([]byte, 64<<20) // for all queues between two ends: a write of it waits, until something ends that

// ---- the cases ----

func sameDials(w *world) {
	past, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	gone, cancelNow := context.WithCancel(context.Background())
	cancelNow()
	for _, network := range []string{"tcp", "tcp4", "tcp6", "udp4", "tcp5", "", "TCP"} {
		for _, address := range []string{w.host + ":9", w.host + ":99999", w.host + ":", w.host, "", ":", w.host + ":-1", w.host + ":nonsense",
			w.host + ":9:9", "[" + w.host + ":9", "[::1", "1.2.3:9", "300.0.0.1:9"} {
			if strings.HasPrefix(address, "1.2.3") || strings.HasPrefix(address, "300") || address == ":" || address == "" || address == w.host+":" {
				continue // the kernel looks names up, and connects to itself
			}
			c, err := w.dial(context.Background(), network, address)
			w.say("dial "+network+" "+strings.ReplaceAll(address, w.host, "HOST"), err)
			if err == nil {
				_ = c.Close()
			}
		}
	}
	for _, network := range []string{"tcp", "udp", "tcp6", "tcp5"} {
		for _, address := range []string{w.host + ":9", w.host, w.host + ":99999"} {
			_, err := w.dial(past, network, address)
			w.say("dial, past", err)
			_, err = w.dial(gone, network, address)
			w.say("dial, gone", err)
		}
	}
	for range 3000 { // an answer that is already there does not win
		_, err := w.dial(gone, "udp", w.host+":9")
		w.say("dial udp, gone", err)
	}
}

func sameListens(w *world) {
	l, err := w.listen("tcp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, network := range []string{"tcp", "tcp4", "tcp6", "udp", "tcp5", ""} {
		for _, address := range []string{l.Addr().String(), "10.99.99.99:80", w.host + ":99999", w.host, w.host + ":-1", w.host + ":nonsense"} {
			x, err := w.listen(network, address)
			w.say("listen "+network+" "+strings.ReplaceAll(address, w.host, "HOST")[:4], err)
			if err == nil {
				_ = x.Close()
			}
		}
	}
	d := l.(interface{ SetDeadline(time.Time) error })
	w.say("past", d.SetDeadline(time.Unix(1, 0)))
	_, err = l.Accept()
	w.say("accept", err)
	w.say("none", d.SetDeadline(time.Time{}))
	soon(func() { _ = d.SetDeadline(time.Now()) })
	_, err = l.Accept()
	w.say("accept", err)
	_ = d.SetDeadline(time.Time{})
	soon(func() { _ = l.Close() })
	_, err = l.Accept()
	w.say("accept", err)
	_, err = l.Accept()
	w.say("accept again", err)
	w.say("close", l.Close())
	w.say("set", d.SetDeadline(time.Time{}))
}

func sameDeadlines(w *world) {
	a, b := w.pair()
	for _, t := range []time.Time{time.Unix(1, 0), time.Now().Add(-1), time.Now().Add(time.Millisecond)} {
		w.say("set", a.SetDeadline(t))
		n, err := a.Read(one1)
		w.say("read", err, n)
		time.Sleep(3 * time.Millisecond)
		n, err = a.Write(one1)
		w.say("write", err, n)
		n, err = a.Write(nil)
		w.say("write nothing", err, n)
		n, err = a.Read(nil)
		w.say("read nothing", err, n)
		n64, err := a.ReadFrom(strings.NewReader("x"))
		w.say("readfrom", err, n64)
		n64, err = a.WriteTo(io.Discard)
		w.say("writeto", err, n64)
	}
	w.say("none", a.SetDeadline(time.Time{}))
	n, err := a.Write(one1)
	w.say("write", err, n)
	n, err = b.Read(one1)
	w.say("read", err, n)
	_, _ = b.Write([]byte("abc"))
	for { // arrived data does not beat a deadline that is over
		_ = a.SetReadDeadline(time.Time{})
		if n, _ := a.Read(one1); n == 1 {
			break
		}
	}
	_ = a.SetReadDeadline(time.Unix(1, 0))
	n, err = a.Read(one1)
	w.say("read with data", err, n)
	_ = a.SetReadDeadline(time.Now().Add(time.Hour))
	soon(func() { _ = a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) })
	n, err = io.ReadFull(a, make([]byte, 5))
	w.say("moved nearer", err, n)
	n, err = w.movedAway(a, b)
	w.say("moved away", err, n)
	_ = a.SetWriteDeadline(time.Now().Add(time.Hour))
	soon(func() { _ = a.SetWriteDeadline(time.Unix(1, 0)) })
	_, err = a.Write(tooMuch)
	w.say("blocked write", err)
}

// movedAway reads with a deadline that is moved away before it is over; where that comes too late, it tries again.
func (w *world) movedAway(a, b duplex) (n int, err error) {
	for {
		first, late := time.Now().Add(40*time.Millisecond), make(chan bool, 1)
		_ = a.SetReadDeadline(first)
		soon(func() {
			_ = a.SetReadDeadline(time.Now().Add(time.Hour))
			late <- !time.Now().Before(first)
			time.Sleep(time.Until(first) + 10*time.Millisecond)
			_, _ = b.Write([]byte("x"))
		})
		if n, err = a.Read(one1); !<-late {
			return n, err
		}
		_ = a.SetReadDeadline(time.Time{})
		_, _ = io.ReadFull(a, make([]byte, 1-n))
	}
}

func sameCloses(w *world) {
	a, b := w.pair()
	soon(func() { _ = a.Close() })
	n, err := a.Read(one1)
	w.say("read", err, n)
	n, err = a.Read(nil)
	w.say("read nothing", err, n)
	n, err = a.Write(nil)
	w.say("write nothing", err, n)
	w.say("close", a.Close())
	w.say("closewrite", a.CloseWrite())
	w.say("closeread", a.CloseRead())
	w.say("set", a.SetDeadline(time.Time{}))
	w.say("set", a.SetReadDeadline(time.Time{}))
	w.say("set", a.SetNoDelay(true))
	w.say("set", a.SetLinger(0))
	w.say("set", a.SetKeepAlive(true))
	w.say("set", a.SetKeepAlivePeriod(time.Second))
	w.say("set", a.SetReadBuffer(10000))
	w.say("set", a.SetWriteBuffer(10000))
	n64, err := a.ReadFrom(strings.NewReader("x"))
	w.say("readfrom", err, n64)
	n64, err = a.WriteTo(io.Discard)
	w.say("writeto", err, n64)
	w.say("addresses", nil, a.LocalAddr() != nil, a.RemoteAddr() != nil)
	n, err = b.Read(one1)
	w.say("the peer reads", err, n)
	c, _ := w.pair()
	soon(func() { _ = c.Close() })
	_, err = c.Write(tooMuch)
	w.say("blocked write", err)
	d, _ := w.pair()
	soon(func() { _ = d.Close() })
	n64, err = d.ReadFrom(endlessly{})
	w.say("blocked readfrom", err, n64 > 0)
	e, _ := w.pair()
	soon(func() { _ = e.Close() })
	n64, err = io.Copy(io.Discard, e)
	w.say("blocked writeto", err, n64)
}

type endlessly struct{}

func (endlessly) Read(p []byte) (int, error) { return len(p), nil }

func sameHalves(w *world) {
	a, b := w.pair()
	w.say("closewrite", a.CloseWrite())
	w.say("closewrite", a.CloseWrite())
	n, err := a.Write(one1)
	w.say("write", err, n)
	n, err = a.Write(nil)
	w.say("write nothing", err, n)
	n, err = b.Read(one1)
	w.say("read", err, n)
	n, err = b.Read(nil)
	w.say("read nothing at the end", err, n)
	n64, err := b.WriteTo(io.Discard)
	w.say("writeto", err, n64)
	n, err = b.Write([]byte("more"))
	w.say("the other way", err, n)
	w.say("closewrite", b.CloseWrite())
	all, err := io.ReadAll(a)
	w.say("to the end", err, string(all))
	n, err = a.Read(one1)
	w.say("read again", err, n)
	w.untilGone(a, b)
	for _, c := range []duplex{a, b} {
		w.say("closeread at the end", c.CloseRead())
		w.say("closewrite at the end", c.CloseWrite())
		w.say("close", c.Close())
	}
	c, d := w.pair()
	w.say("closeread", c.CloseRead())
	n, err = c.Read(one1)
	w.say("read", err, n)
	w.say("closeread", c.CloseRead())
	n, err = c.Write([]byte("still"))
	w.say("write", err, n)
	got := make([]byte, 5)
	n, err = io.ReadFull(d, got)
	w.say("read", err, n, string(got))
	e, _ := w.pair()
	soon(func() { _ = e.CloseRead() })
	n, err = e.Read(one1)
	w.say("closeread while it reads", err, n)
	f, _ := w.pair()
	soon(func() { _ = f.CloseWrite() })
	_, err = f.Write(tooMuch)
	w.say("closewrite while it writes", err)
}

// until waits for what the network brings.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// reset makes the peer of the result reset it, and waits until that is seen.
func (w *world) reset() duplex {
	a, b := w.pair()
	_ = b.SetLinger(0)
	_ = b.Close()
	w.untilGone(a)
	return a
}

func sameResets(w *world) {
	a := w.reset()
	for _, what := range []string{"read", "read again", "read again"} {
		n, err := a.Read(one1)
		w.say(what, err, n)
	}
	n, err := a.Write(one1)
	w.say("then write", err, n)
	w.say("closewrite", a.CloseWrite())
	w.say("closeread", a.CloseRead())
	w.say("set", a.SetDeadline(time.Now().Add(time.Hour)))
	w.say("close", a.Close())
	a = w.reset()
	for _, what := range []string{"write", "write again", "write again"} {
		n, err := a.Write(one1)
		w.say(what, err, n)
	}
	n, err = a.Read(one1)
	w.say("then read", err, n)
	w.say("close", a.Close())
	a = w.reset()
	w.say("closewrite at once", a.CloseWrite())
	a = w.reset()
	n64, err := io.Copy(io.Discard, a)
	w.say("copy from", err, n64)
	a = w.reset()
	n64, err = io.Copy(a, strings.NewReader("x"))
	w.say("copy to", err, n64)
	a, b := w.pair()
	soon(func() { _ = b.SetLinger(0); _ = b.Close() })
	n, err = a.Read(one1)
	w.say("blocked read", err, n)
	c, d := w.pair()
	go func() { w.untilBytes(d, 1); _ = d.Close() }() // with unread bytes: a reset
	_, err = c.Write(tooMuch)
	w.say("blocked write", err)
	e, f := w.pair() // data before a reset
	_, _ = f.Write([]byte("before"))
	w.untilBytes(e, 6)
	_ = f.SetLinger(0)
	_ = f.Close()
	w.untilGone(e)
	got, err := io.ReadAll(e)
	w.say("data before a reset", err, string(got))
	g, h := w.pair() // a close that throws bytes away is a reset, and what was written behind it is lost
	_, _ = g.Write([]byte("nobody reads this"))
	w.untilBytes(h, 1)
	_ = h.Close()
	w.untilGone(g)
	got, err = io.ReadAll(g)
	w.say("unread", err, string(got))
}

// samePeersThatAreGone: a peer that closed gets more, and resets.
func samePeersThatAreGone(w *world) {
	a, b := w.pair()
	_ = b.Close()
	n, err := a.Read(one1)
	w.say("read", err, n)
	n, err = a.Write(one1)
	w.say("write", err, n)
	w.untilGone(a)
	n, err = a.Read(one1)
	w.say("read", err, n)
	for _, what := range []string{"write", "write again"} {
		n, err = a.Write(one1)
		w.say(what, err, n)
	}
	n64, err := io.Copy(a, strings.NewReader("x"))
	w.say("copy", err, n64)
	w.say("closewrite", a.CloseWrite())
	w.say("close", a.Close())
}

func sameDatagrams(w *world) {
	s, err := w.listenPacket("udp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := w.dial(context.Background(), "udp4", s.LocalAddr().String())
	w.say("dial", err)
	for _, size := range []int{0, 1, 1400, 65507, 65508, 100000} {
		n, err := c.Write(bytes.Repeat([]byte{7}, size))
		w.say("write", err, n)
		if err != nil {
			continue
		}
		buf := make([]byte, 1400)
		_ = s.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, from, err := s.ReadFrom(buf)
		w.say("read", err, n, from != nil, fmt.Sprintf("%T", from))
	}
	type udp interface {
		net.PacketConn
		net.Conn
	}
	u := c.(udp)
	n, err := u.WriteTo(one1, s.LocalAddr())
	w.say("writeto, connected", err, n)
	_, err = s.WriteTo(one1, nil)
	w.say("writeto nil", err)
	_, err = s.WriteTo(one1, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
	w.say("writeto tcp", err)
	_, err = s.(net.Conn).Write(one1)
	w.say("write, not connected", err)
	w.say("past", s.SetReadDeadline(time.Unix(1, 0)))
	_, _, err = s.ReadFrom(one1)
	w.say("read", err)
	_ = s.SetReadDeadline(time.Time{})
	closed := make(chan error)
	soon(func() { closed <- s.Close() })
	_, _, err = s.ReadFrom(one1)
	w.say("closed while it reads", err)
	w.say("close again", s.Close())
	w.say("close", <-closed) // the address is free then, and not before
	_, err = s.WriteTo(one1, c.LocalAddr())
	w.say("writeto", err)
	w.say("set", s.SetDeadline(time.Time{}))
	n, err = c.Write(tooMuch)
	w.say("write", err, n)
	n, err = c.Write(one1) // nobody is there any more
	w.say("write", err, n)
	w.untilRefused(c)
	n, err = c.Read(one1)
	w.say("refused", err, n)
	sameRefusals(w)
	w.say("close", c.Close())
	_, err = c.Read(one1)
	w.say("read", err)
	_, err = c.Write(one1)
	w.say("write", err)
	_, err = c.Write(tooMuch)
	w.say("write", err)
	for _, network := range []string{"udp", "udp4", "udp6", "tcp", "udp5", ""} {
		for _, address := range []string{"10.99.99.99:80", w.host + ":99999", w.host, w.host + ":0"} {
			x, err := w.listenPacket(network, address)
			w.say("listen "+network, err)
			if err == nil {
				_ = x.Close()
			}
		}
	}
}

// sameRefusals: what became of a datagram is told to the next call, whichever it is, and before all that has come; but not
// before a deadline that is over.
func sameRefusals(w *world) {
	s, err := w.listenPacket("udp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := w.dial(context.Background(), "udp4", s.LocalAddr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = c.Write(one1)
	_, from, err := s.ReadFrom(one1)
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = s.WriteTo([]byte("came before"), from)
	until(w.t, "no datagram comes", func() bool { datagram, _ := w.seenOfUDP(c); return datagram })
	_ = s.Close()
	refuse := func() {
		_, _ = c.Write(one1)
		w.untilRefused(c)
	}
	for _, data := range []string{"x", ""} {
		refuse()
		n, err := c.Write([]byte(data))
		w.say("write", err, n)
	}
	refuse()
	n, err := c.Write(tooMuch)
	w.say("write too much", err, n)
	_ = c.SetDeadline(time.Unix(1, 0))
	n, err = c.Read(one1)
	w.say("read, past", err, n)
	n, err = c.Write(one1)
	w.say("write, past", err, n)
	_ = c.SetDeadline(time.Time{})
	got := make([]byte, 100)
	for _, what := range []string{"refused", "and what came"} {
		n, err = c.Read(got)
		w.say(what, err, string(got[:n]))
	}
	w.say("close", c.Close())
}

func TestSameAsTheKernel(t *testing.T) {
	compare(t, map[string]func(*world){"dials": sameDials, "listens": sameListens, "deadlines": sameDeadlines,
		"closes": sameCloses, "halves": sameHalves, "resets": sameResets, "peers that are gone": samePeersThatAreGone,
		"datagrams": sameDatagrams})
}

// compare runs each case on the kernel and on the stack.
func compare(t *testing.T, cases map[string]func(*world)) {
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			kernel, ours := kernelWorld(t), ourWorld(t)
			f(kernel)
			f(ours)
			theirs, ours2 := strings.Split(kernel.said.String(), "\n"), strings.Split(ours.said.String(), "\n")
			for i := range max(len(theirs), len(ours2)) {
				if i >= len(theirs) || i >= len(ours2) || theirs[i] != ours2[i] {
					t.Errorf("call %d:\nkernel %s\nours   %s", i, at(theirs, i), at(ours2, i))
				}
			}
		})
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}
