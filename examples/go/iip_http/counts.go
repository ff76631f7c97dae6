package main

import (
	"io"
	"net"
	"net/http"

	"iip.example/examples/internal/app"
)

// counted counts the connections that a listener accepts.
type counted struct {
	net.Listener
	run *app.Run
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.run.Counts.Of("accepted").Add(1)
	}
	return c, err
}

// answer remembers what becomes of one request.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader remembers the status.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// ReadFrom is how files are sent.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(a.ResponseWriter, r)
	a.bytes += n
	return n, err
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
