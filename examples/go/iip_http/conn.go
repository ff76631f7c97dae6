package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"iip.example/examples/internal/app"
	"iip.example/iip/iipnet"
)

const lingers = time.Second // a client that is refused has so long to read why

// counted counts the connections that a listener accepts.
type counted struct {
	net.Listener
	run *app.Run
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.run.Counts.Of("accepted").Add(1)
	return &conn{Conn: c.(*iipnet.Conn), run: l.run}, nil
}

// conn adds what net/http does not say: 408 to a head that never ends. And it resets those that read no answer.
type conn struct {
	*iipnet.Conn
	run   *app.Run
	late  atomic.Bool // the last Read ran out of time
	phase atomic.Int32
}

// The phases of a connection. Between requests net/http sets a deadline for the first bytes of the next one and, when
// those came, another for the rest of its head.
const (
	busy = iota // a handler answers, or nothing came yet
	answered
	idle
	head
)

// state is a server's ConnState.
func state(nc net.Conn, s http.ConnState) {
	switch c := nc.(*conn); s {
	case http.StateIdle:
		c.phase.Store(answered)
	case http.StateActive:
		c.phase.Store(head)
	}
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// handled says that a handler answers r.
func handled(r *http.Request) { r.Context().Value(connKey{}).(*conn).phase.Store(busy) }

// SetReadDeadline follows the phases.
func (c *conn) SetReadDeadline(t time.Time) error {
	if p := c.phase.Load(); p == answered || p == idle {
		c.phase.Store(p + 1)
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.late.Store(errors.Is(err, os.ErrDeadlineExceeded))
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.late.Load() && c.phase.Load() == head {
		return len(p), nil // what net/http thinks of half a line; Close knows better
	}
	n, err := c.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.SetLinger(0)
	}
	return n, err
}

// Close lets a client that was refused read why: a close with unread input would be a reset, which may overtake it.
func (c *conn) Close() error {
	if c.phase.Swap(busy) == head {
		if c.late.Load() {
			c.tooLate()
		}
		_ = c.CloseWrite()
		_ = c.Conn.SetReadDeadline(time.Now().Add(lingers))
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	return c.Conn.Close()
}

func (c *conn) tooLate() {
	text := reason(http.StatusRequestTimeout)
	c.run.Counts.Of("timeouts").Add(1)
	c.run.Counts.Of("answers_refused").Add(1)
	fmt.Fprintf(c.Conn, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
		text, len(text)+1, text)
}

// reason is a status in words, "404 Not Found".
func reason(status int) string { return fmt.Sprint(status, " ", http.StatusText(status)) }

// refuse answers with a status and its name.
func refuse(w http.ResponseWriter, status int) { http.Error(w, reason(status), status) }
