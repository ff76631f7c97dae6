// Command iip_http is an HTTP server: GET and HEAD of a directory and of /bytes/N, and PUT /sink. It is net/http, which
// knows nothing of the stack below it.
//
// It answers as iip_http in C does, but where net/http has read no further: a first line is judged when it is whole (to
// one that never ends the answer is 408, not 400 at its first byte), a head that is too long is 431 also where its first
// line alone is (not 414), and behind another request on the same connection a head may be 4 KiB longer.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"iip.example/examples/internal/app"
)

const (
	headMax    = 8192    // bytes of a head, about
	bufferSize = 4096    // which net/http adds to what it is told
	discardMax = 1 << 20 // bytes of a body that nobody wants
)

type site struct {
	run     *app.Run
	bodyMax int64
	bodyFor time.Duration // for some of a body, either way
	files   http.Handler
}

func main() {
	cfg := app.New("iip_http", "an HTTP/1.1 server", 80)
	var root string
	var selfTest bool
	bodyMax, requests := uint64(1<<40), uint64(1000)
	head, body, idle := 10*time.Second, 20*time.Second, 60*time.Second
	cfg.Text(&root, "root", "DIR", "directory to serve (default: a built-in page, and /bytes/N)")
	cfg.Number(&bodyMax, "body-max", "BYTES", "longest body of a PUT to /sink", 0, 1<<60)
	cfg.Seconds(&head, "head-timeout", "S", "for the head of a request (10)")
	cfg.Seconds(&body, "body-timeout", "S", "for 16 KiB of a body, either way (20)")
	cfg.Seconds(&idle, "idle-timeout", "S", "between requests (60)")
	cfg.Flag(&selfTest, "self-test", "serve a client in this process, on pair: or sim:")
	cfg.Number(&requests, "requests", "N", "how many the self-test makes (1000)", 1, 1000000000)
	cfg.Parse()
	s := &site{bodyMax: int64(bodyMax), bodyFor: body, files: http.HandlerFunc(welcome)}
	if cfg.Given("root") {
		dir, err := openFiles(root)
		if err != nil {
			cfg.Usage("root", root, app.Why(err))
		}
		s.files = dir
	}
	var client *app.Config
	if selfTest {
		client = app.TwoEnds(cfg)
	}
	run := cfg.Open()
	s.run = run
	l, err := run.Stack.Listen("tcp", app.Any(cfg.Listen))
	if err != nil {
		cfg.Fail(err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: head, IdleTimeout: idle, MaxHeaderBytes: headMax - bufferSize,
		ConnState: state, ConnContext: withConn, ErrorLog: log.New(io.Discard, "", 0)}
	run.Counts.Are("accepted", "requests", "answers_ok", "answers_refused", "timeouts", "bytes")
	go func() { _ = server.Serve(counted{l, run}) }()
	run.Ready()
	if selfTest {
		err = s.selfTest(client, requests)
	} else {
		run.Wait(nil)
	}
	_ = server.Close()
	run.End()
	if err != nil {
		cfg.Fail(err)
	}
}

// welcome is what is served where no directory is.
func welcome(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		refuse(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!doctype html><title>iip</title><h1>It works</h1>\n"+
		"<p>This page was sent by a TCP/IP stack in user space.\n"+
		"<p><a href=\"/bytes/1000\">/bytes/1000</a> is 1000 bytes that can be verified; "+
		"a PUT to /sink is answered with its SHA-256.\n")
}

// ServeHTTP answers one request, and counts it.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handled(r)
	a := &answer{ResponseWriter: w, status: http.StatusOK, limit: limit{http.NewResponseController(w), s.bodyFor}}
	longest := int64(discardMax)
	if isSink(r) {
		longest = s.bodyMax
	}
	r.Body = http.MaxBytesReader(a, &upload{ReadCloser: r.Body, limit: a.limit}, longest)
	if r.ContentLength > longest {
		w.Header().Set("Connection", "close")
		refuse(a, http.StatusRequestEntityTooLarge)
	} else {
		s.route(a, r)
	}
	a.count(&s.run.Counts)
}

func isSink(r *http.Request) bool {
	return r.URL.Path == "/sink" && (r.Method == http.MethodPut || r.Method == http.MethodPost)
}

func (s *site) route(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case above(path):
		refuse(w, http.StatusBadRequest)
	case isSink(r):
		s.sink(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuseMethod(w, r)
	case strings.HasPrefix(path, "/bytes/"):
		s.bytes(w, r, strings.TrimPrefix(path, "/bytes/"))
	default:
		s.files.ServeHTTP(w, r)
	}
}

func refuseMethod(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT":
		w.Header().Set("Allow", "GET, HEAD")
		if r.URL.Path == "/sink" {
			w.Header().Set("Allow", "PUT, POST")
		}
		refuse(w, http.StatusMethodNotAllowed)
	default:
		refuse(w, http.StatusNotImplemented)
	}
}

func (s *site) bytes(w http.ResponseWriter, r *http.Request, number string) {
	n, err := strconv.ParseUint(number, 10, 50)
	if err != nil {
		refuse(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatUint(n, 10))
	if r.Method == http.MethodHead {
		return
	}
	buf := make([]byte, 1<<16)
	for at := uint64(0); at < n; at += uint64(len(buf)) {
		buf = buf[:min(uint64(cap(buf)), n-at)]
		app.Fill(buf, at)
		if _, err := w.Write(buf); err != nil {
			return
		}
	}
}

func (s *site) sink(w http.ResponseWriter, r *http.Request) {
	digest := sha256.New()
	n, err := io.Copy(digest, r.Body)
	if err != nil {
		s.refuseBody(w, err)
		return
	}
	fmt.Fprintf(w, "%d bytes, sha256 %x\n", n, digest.Sum(nil))
}

// refuseBody says why a body was not read to its end.
func (s *site) refuseBody(w http.ResponseWriter, err error) {
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		refuse(w, http.StatusRequestEntityTooLarge)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.run.Counts.Of("timeouts").Add(1)
		refuse(w, http.StatusRequestTimeout)
	default:
		refuse(w, http.StatusBadRequest)
	}
}
