package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"iip.example/examples/internal/app"
	"iip.example/iip/iipnet"
)

// grace is how long an answer may take behind the end of the duration, before it is an error.
const grace = 2 * time.Second

// connectLimit is how long a server may take to answer a connect.
const connectLimit = 10 * time.Second

var errMismatch = errors.New("a wrong byte")

// one is the life of a connection.
func one(ctx context.Context, stack *iipnet.Stack, p *plan, r *result) {
	limit := connectLimit
	if p.duration != 0 {
		limit = min(limit, p.duration+grace)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := stack.DialContext(ctx, "tcp", p.connect)
	if err == nil {
		if p.duration != 0 {
			_ = c.SetDeadline(time.Now().Add(p.duration + grace))
		}
		err = talk(c.(*iipnet.Conn), p, r)
		_ = c.Close()
	}
	switch {
	case errors.Is(err, errMismatch):
		r.mismatches.Add(1)
	case err != nil:
		r.errors.Add(1)
	default:
		return
	}
	fmt.Fprintf(os.Stderr, "iip_load: %v\n", err)
}

func talk(c *iipnet.Conn, p *plan, r *result) error {
	switch p.mode {
	case "send":
		return send(c, p, r)
	case "recv":
		return receive(c, p, r)
	case "http":
		return get(c, p, r)
	}
	return pingPong(c, p, r)
}

// more tells whether one more message may be started.
func (r *result) more() bool { return !r.over.Load() && r.left.Add(-1) >= 0 }

// ---- messages that come back ----

func pingPong(c *iipnet.Conn, p *plan, r *result) error {
	var started []time.Time
	out, in := make([]byte, p.size), make([]byte, p.size)
	sent, got := uint64(0), uint64(0)
	start := func() error {
		if !r.more() {
			return nil
		}
		app.Fill(out, sent)
		sent += p.size
		started = append(started, time.Now())
		_, err := c.Write(out)
		return err
	}
	for range p.depth {
		if err := start(); err != nil {
			return err
		}
	}
	for len(started) != 0 {
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		if app.Check(in, got) != len(in) {
			return errMismatch
		}
		got += p.size
		r.bytes.Add(int64(p.size))
		r.took(time.Since(started[0]))
		started = started[1:]
		if err := start(); err != nil {
			return err
		}
	}
	return nil
}

// ---- streams ----

func send(c *iipnet.Conn, p *plan, r *result) error {
	buf := make([]byte, 1<<16)
	sent := uint64(0)
	for !r.over.Load() && (p.bytes == 0 || sent < p.bytes) {
		if p.bytes != 0 {
			buf = buf[:min(uint64(cap(buf)), p.bytes-sent)]
		}
		app.Fill(buf, sent)
		n, err := c.Write(buf)
		sent += uint64(n)
		r.bytes.Add(int64(n))
		if err != nil {
			return err
		}
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(c, 100)) // "1000 bytes right\n"
	if err != nil {
		return err
	}
	if string(answer) != fmt.Sprintf("%d bytes right\n", sent) {
		return fmt.Errorf("%w: the server says %q", errMismatch, answer)
	}
	r.requests.Add(1)
	return nil
}

func receive(c *iipnet.Conn, p *plan, r *result) error {
	buf := make([]byte, 1<<16)
	got := uint64(0)
	for !r.over.Load() && (p.bytes == 0 || got < p.bytes) {
		n, err := c.Read(buf)
		if app.Check(buf[:n], got) != n {
			return errMismatch
		}
		got += uint64(n)
		r.bytes.Add(int64(n))
		if err == io.EOF && p.bytes != 0 && got < p.bytes {
			return fmt.Errorf("an end after %d of %d bytes", got, p.bytes)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	r.requests.Add(1)
	return nil
}

// ---- HTTP ----

func get(c *iipnet.Conn, p *plan, r *result) error {
	expect, known := strings.CutPrefix(p.path, "/bytes/")
	in := bufio.NewReader(c)
	for r.more() {
		began := time.Now()
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", p.path, p.connect); err != nil {
			return err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		if resp.StatusCode != 200 || known && (strconv.Itoa(len(body)) != expect || app.Check(body, 0) != len(body)) {
			return fmt.Errorf("%w: %s, %d bytes", errMismatch, resp.Status, len(body))
		}
		r.bytes.Add(int64(len(body)))
		r.took(time.Since(began))
	}
	return nil
}

// ---- the server of a mode ----

func serve(cfg *app.Config, stack *iipnet.Stack, p *plan) {
	l, err := stack.Listen("tcp", app.Any(cfg.Listen))
	if err != nil {
		cfg.Fail(err)
	}
	answer := map[string]func(*iipnet.Conn, *plan){"pp": echo, "send": sink, "recv": source}[p.mode]
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				answer(c.(*iipnet.Conn), p)
			}(c)
		}
	}()
}

func echo(c *iipnet.Conn, _ *plan) { _, _ = io.Copy(c, c) }

func sink(c *iipnet.Conn, _ *plan) {
	buf := make([]byte, 1<<16)
	got, right := uint64(0), uint64(0)
	for {
		n, err := c.Read(buf)
		if right == got {
			right += uint64(app.Check(buf[:n], got))
		}
		got += uint64(n)
		if err != nil {
			break
		}
	}
	verdict := "right"
	if right != got {
		verdict = "right, then a wrong one"
	}
	fmt.Fprintf(c, "%d bytes %s\n", right, verdict)
}

func source(c *iipnet.Conn, p *plan) {
	buf := make([]byte, 1<<16)
	for at := uint64(0); p.bytes == 0 || at < p.bytes; at += uint64(len(buf)) {
		if p.bytes != 0 {
			buf = buf[:min(uint64(cap(buf)), p.bytes-at)]
		}
		app.Fill(buf, at)
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}
