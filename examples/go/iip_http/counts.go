package main

import (
	"io"
	"net/http"
	"time"

	"iip.example/examples/internal/app"
)

// answer remembers what becomes of one request.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	limit  limit
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader remembers the status.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (done int, err error) {
	for err == nil && done < len(p) {
		var n int
		a.limit.write()
		n, err = a.ResponseWriter.Write(p[done:min(len(p), done+some)])
		done += n
	}
	a.bytes += int64(done)
	return done, err
}

func (a *answer) count(c *app.Counts) {
	c.Of("requests").Add(1)
	c.Of("bytes").Add(a.bytes)
	if a.status == http.StatusOK {
		c.Of("answers_ok").Add(1)
	} else {
		c.Of("answers_refused").Add(1)
	}
}

// some of a body has to move in the time that there is.
const some = 16 << 10

// limit is the time for some of a body; 0: none.
type limit struct {
	control *http.ResponseController
	each    time.Duration
}

func (l limit) read() {
	if l.each > 0 {
		_ = l.control.SetReadDeadline(time.Now().Add(l.each))
	}
}

func (l limit) write() {
	if l.each > 0 {
		_ = l.control.SetWriteDeadline(time.Now().Add(l.each))
	}
}

// upload gives a body that arrives the time that it has.
type upload struct {
	io.ReadCloser
	limit limit
	began bool
	got   int // since the deadline was set
}

func (u *upload) Read(p []byte) (int, error) {
	if !u.began || u.got >= some {
		u.limit.read()
		u.began, u.got = true, 0
	}
	n, err := u.ReadCloser.Read(p)
	u.got += n
	return n, err
}
