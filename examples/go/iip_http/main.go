// Command iip_http is an HTTP server: GET and HEAD of a directory and of /bytes/N, and PUT /sink. It is net/http, which
// knows nothing of the stack below it.
package main

import (
	"crypto/sha256"
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

type site struct {
	run     *app.Run
	bodyMax int64
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
	var client *app.Config
	if selfTest {
		client = app.TwoEnds(cfg)
	}
	run := cfg.Open()
	s := &site{run: run, bodyMax: int64(bodyMax), files: http.HandlerFunc(welcome)}
	if root != "" {
		dir, err := os.OpenRoot(root) // no path and no symbolic link leads out of it
		if err != nil {
			cfg.Usage("root", root, err.Error())
		}
		s.files = index(http.FileServerFS(dir.FS()))
	}
	l, err := run.Stack.Listen("tcp", app.Any(cfg.Listen))
	if err != nil {
		cfg.Fail(err)
	}
	server := &http.Server{Handler: s.mux(), ReadHeaderTimeout: head, ReadTimeout: body, IdleTimeout: idle,
		ErrorLog: log.New(io.Discard, "", 0)}
	run.Counts.Are("accepted", "requests", "answers_ok", "answers_refused", "bytes")
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
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!doctype html><title>iip</title><h1>It works</h1>\n"+
		"<p>This page was sent by a TCP/IP stack in user space.\n"+
		"<p><a href=\"/bytes/1000\">/bytes/1000</a> is 1000 bytes that can be verified; "+
		"a PUT to /sink is answered with its SHA-256.\n")
}

// index has /index.html served, which net/http answers with a redirection to the directory.
func index(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/index.html") {
			r.URL.Path = strings.TrimSuffix(r.URL.Path, "index.html")
		}
		files.ServeHTTP(w, r)
	})
}

func (s *site) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bytes/{n}", s.bytes)
	mux.HandleFunc("PUT /sink", s.sink)
	mux.HandleFunc("POST /sink", s.sink)
	mux.Handle("GET /", s.files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		r.Body = http.MaxBytesReader(answer, r.Body, s.bodyMax)
		mux.ServeHTTP(answer, r)
		answer.count(&s.run.Counts)
	})
}

func (s *site) bytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 50)
	if err != nil {
		http.NotFound(w, r)
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
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	fmt.Fprintf(w, "%d bytes, sha256 %x\n", n, digest.Sum(nil))
}
