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
	cfg := app.New("iip_http", "HTTP server", 80)
	root := cfg.Flags.String("root", "", "directory to serve")
	bodyMax := cfg.Flags.Int64("body-max", 1<<40, "bytes of a body at most")
	selfTest := cfg.Flags.Bool("self-test", false, "serve on pair: to a client in the same process, and verify")
	requests := cfg.Flags.Uint("requests", 1000, "of the self-test")
	head, body, idle := 10*time.Second, 30*time.Second, 60*time.Second
	cfg.Seconds(&head, "head-timeout", "seconds for a head to arrive")
	cfg.Seconds(&body, "body-timeout", "seconds for a request to arrive and to be answered; 0: none")
	cfg.Seconds(&idle, "idle-timeout", "seconds of a connection without request")
	cfg.Parse()
	if *selfTest && cfg.Port == "" {
		cfg.Port = "pair:self-test"
	}
	if *selfTest {
		cfg.Addrs = []string{app.Server + "/24"}
	}
	run := cfg.Open()
	s := &site{run: run, bodyMax: *bodyMax, files: http.NotFoundHandler()}
	if *root != "" {
		dir, err := os.OpenRoot(*root) // no path and no symbolic link leads out of it
		if err != nil {
			cfg.Usage("--root %s: %v", *root, err)
		}
		s.files = index(http.FileServerFS(dir.FS()))
	}
	l, err := run.Stack.Listen("tcp", app.Any(cfg.Listen))
	if err != nil {
		cfg.Fail(err)
	}
	server := &http.Server{Handler: s.mux(), ReadHeaderTimeout: head, ReadTimeout: body, IdleTimeout: idle,
		ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(l) }()
	if *selfTest {
		err = s.selfTest(cfg, *requests)
	} else {
		run.Ready()
		run.Wait(nil)
	}
	_ = server.Close()
	run.End()
	if err != nil {
		cfg.Fail(err)
	}
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
		s.run.Counts.Of("requests").Add(1)
		r.Body = http.MaxBytesReader(w, r.Body, s.bodyMax)
		mux.ServeHTTP(w, r)
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
