package iipnet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/rpc"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What programs of the standard library say on the stack, and on the kernel.

// web is a server of a world's, and a client.
type web struct {
	*world
	server    *http.Server
	transport *http.Transport
	client    *http.Client
	address   string
	served    chan error
	open      atomic.Int64 // connections of the server
}

// serving serves until the test ends; more changes the server before.
func (w *world) serving(h http.HandlerFunc, proto int, more func(*http.Server, *http.Transport)) *web {
	l, err := w.listen("tcp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	b := &web{world: w, address: "http://" + l.Addr().String(), served: make(chan error, 1)}
	protocols := version{proto: proto}.protocols()
	b.server = &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0), Protocols: protocols, ConnState: b.count}
	b.transport = &http.Transport{DialContext: w.dial, Protocols: protocols}
	if more != nil {
		more(b.server, b.transport)
	}
	b.client = &http.Client{Transport: b.transport, Timeout: 2 * time.Minute}
	go func() { b.served <- b.server.Serve(l) }()
	w.t.Cleanup(func() { _ = b.server.Close(); b.transport.CloseIdleConnections() })
	return b
}

func (b *web) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		b.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		b.open.Add(-1)
	}
}

// get is what a request came to, as text.
func (b *web) get(path string) string { return text(b.client.Get(b.address + path)) }

func text(resp *http.Response, err error) string {
	if err != nil {
		var ue *url.Error
		errors.As(err, &ue)
		return anAddress.ReplaceAllString(fmt.Sprintf("%v, timeout %v", err, ue.Timeout()), "ADDRESS")
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%s %s %x %v %v", resp.Proto, resp.Status, sha256.Sum256(body), resp.Trailer, err)
}

// webShutdown: answers under way are finished, new connections refused.
func webShutdown(w *world) {
	for _, proto := range []int{1, 2} {
		const inFlight = 30
		var began atomic.Int64
		gate := make(chan struct{})
		b := w.serving(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/first" {
				began.Add(1)
				<-gate
			}
			_, _ = io.WriteString(rw, strings.Repeat(r.URL.Path, 10_000))
		}, proto, nil)
		// By HTTP/2 all others go over its connection: Shutdown waits for ever for one that comes while it begins.
		w.say("first", nil, b.get("/first"))
		answers := make([]string, inFlight)
		var all sync.WaitGroup
		for i := range inFlight {
			spawn(&all, func() { answers[i] = b.get(fmt.Sprint("/", i)) })
		}
		until(w.t, "not all requests came", func() bool { return began.Load() == inFlight })
		over := make(chan error, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		go func() { over <- b.server.Shutdown(ctx) }()
		w.say("serve", <-b.served)
		_, err := w.dial(context.Background(), "tcp4", b.address[len("http://"):])
		w.say("dial", err)
		close(gate)
		all.Wait()
		w.say("shutdown", <-over, answers)
	}
}

// webProxy: a proxy between two servers, uploads and trailers included.
func webProxy(w *world) {
	back := w.serving(func(rw http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		rw.Header().Set("Trailer", "Sum")
		_, _ = fmt.Fprintf(rw, "%d %v %s", n, err, strings.Repeat("x", int(n)))
		rw.Header().Set("Sum", fmt.Sprintf("%x", h.Sum(nil)))
	}, 1, nil)
	to, _ := url.Parse(back.address)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = back.transport
	front := w.serving(proxy.ServeHTTP, 1, nil)
	for _, n := range []int{0, 1, 100_000, 3_000_000} {
		body := make([]byte, n)
		pattern(body, 0)
		w.say("post", nil, text(front.client.Post(front.address+"/", "text/plain", struct{ io.Reader }{bytes.NewReader(body)})))
	}
}

// webPool: thousands of requests over a few connections; and over those that end when they are idle,
// while the next request may be under way.
func webPool(w *world) {
	for _, idle := range []time.Duration{0, time.Millisecond} {
		b := w.serving(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(rw, r.URL.Path) }, 1,
			func(_ *http.Server, t *http.Transport) {
				t.MaxConnsPerHost, t.MaxIdleConnsPerHost, t.IdleConnTimeout = 4, 4, idle
			})
		w.say("pool", nil, b.getMany(20, 100))
		if idle != 0 {
			until(w.t, "idle connections are left", func() bool { return b.open.Load() == 0 })
		}
	}
}

// getMany is how many of the answers were right.
func (b *web) getMany(clients, each int) int64 {
	var all sync.WaitGroup
	var right atomic.Int64
	for i := range clients {
		spawn(&all, func() {
			for k := range each {
				path := fmt.Sprintf("/%d/%d", i, k)
				if got, want := b.get(path), fmt.Sprintf("HTTP/1.1 200 OK %x map[] <nil>", sha256.Sum256([]byte(path))); got == want {
					right.Add(1)
				} else {
					b.t.Error(got)
				}
			}
		})
	}
	all.Wait()
	return right.Load()
}

var dates = regexp.MustCompile(`Date: [^\r]*`)

// raw sends text on a connection of its own, and reads to the end.
func (b *web) raw(request string) string {
	c, err := b.dial(context.Background(), "tcp4", b.address[len("http://"):])
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(c, request)
	got, err := io.ReadAll(c)
	return fmt.Sprint(dates.ReplaceAllString(string(got), "Date"), err)
}

// webTimeouts: of the server's, each.
func webTimeouts(w *world) {
	const soon = 100 * time.Millisecond
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		what, request string
		set           func(*http.Server)
	}{
		{"head", "GET / HTTP/1.1\r\nHo", func(s *http.Server) { s.ReadHeaderTimeout = soon }},
		{"read", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", func(s *http.Server) { s.ReadTimeout = soon }},
		{"idle", get, func(s *http.Server) { s.IdleTimeout = soon }},
		{"write", get, func(s *http.Server) { s.WriteTimeout = soon }},
	} {
		b := w.serving(func(rw http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			if c.what == "write" {
				time.Sleep(2 * soon)
			}
			_, _ = fmt.Fprintln(rw, errors.Is(err, os.ErrDeadlineExceeded))
		}, 1, func(s *http.Server, _ *http.Transport) { c.set(s) })
		w.say(c.what, nil, b.raw(c.request))
		_ = b.server.Close()
	}
}

// webControl: deadlines of one request, by its own handler.
func webControl(w *world) {
	over := make(chan bool)
	b := w.serving(func(rw http.ResponseWriter, r *http.Request) {
		defer close(over)
		c := http.NewResponseController(rw)
		w.say("full duplex", c.EnableFullDuplex())
		_, err := io.ReadFull(r.Body, make([]byte, 5))
		w.say("begun", err)
		w.say("set", c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		n, err := io.Copy(io.Discard, r.Body)
		w.say("read", nil, n, errors.Is(err, os.ErrDeadlineExceeded))
		w.say("set", c.SetWriteDeadline(time.Now().Add(time.Hour)))
		_, err = io.WriteString(rw, "answer")
		w.say("write", err)
		w.say("flush", c.Flush())
		w.say("set", c.SetWriteDeadline(time.Unix(1, 0)))
		_, err = rw.Write(tooMuch)
		w.say("write, past", nil, errors.Is(err, os.ErrDeadlineExceeded))
	}, 1, nil)
	body, feed := io.Pipe()
	go func() { _, _ = feed.Write([]byte("begun")) }()
	resp, err := b.client.Post(b.address+"/", "text/plain", body)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	<-over
	w.say("got", nil, string(got), err != nil)
	_ = feed.Close()
}

// webExpect: a body goes out when the server has said that it wants it, and else not.
func webExpect(w *world) {
	b := w.serving(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			rw.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		_, _ = fmt.Fprintf(rw, "%d %v %x", n, err, h.Sum(nil))
	}, 1, func(_ *http.Server, t *http.Transport) { t.ExpectContinueTimeout = time.Minute })
	for _, path := range []string{"/yes", "/no"} {
		body := make([]byte, 8<<20)
		pattern(body, 0)
		var read countReader
		read.r = bytes.NewReader(body)
		continued := false
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { continued = true }})
		req, _ := http.NewRequestWithContext(ctx, "PUT", b.address+path, &read)
		req.ContentLength = int64(len(body))
		req.Header.Set("Expect", "100-continue")
		w.say("put"+path, nil, text(b.client.Do(req)), continued, read.n.Load())
	}
}

type countReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// webCancel: a client that gives up within a body ends the handler's context, and its writes.
func webCancel(w *world) {
	for _, proto := range []int{1, 2} {
		ended := make(chan string, 1)
		b := w.serving(func(rw http.ResponseWriter, r *http.Request) {
			for {
				if _, err := rw.Write(tooMuch[:1<<20]); err != nil {
					break
				}
			}
			<-r.Context().Done()
			ended <- fmt.Sprint(r.Context().Err())
		}, proto, nil)
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, "GET", b.address+"/", nil)
		resp, err := b.client.Do(req)
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = io.ReadFull(resp.Body, make([]byte, 3<<20))
		w.say("some", err)
		cancel()
		_, err = io.Copy(io.Discard, resp.Body)
		w.say("the rest", err)
		_ = resp.Body.Close()
		w.say("handler", nil, <-ended)
	}
}

// Sums is a service.
type Sums struct{}

// Add is called from afar.
func (Sums) Add(args [2]int, sum *int) error {
	if *sum = args[0] + args[1]; *sum < 0 {
		return errors.New("too little")
	}
	return nil
}

// webRPC: net/rpc, many calls on one connection.
func webRPC(w *world) {
	l, err := w.listen("tcp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	server := rpc.NewServer()
	_ = server.Register(Sums{})
	go func() {
		if c, err := l.Accept(); err == nil {
			server.ServeConn(c)
		}
	}()
	c, err := w.dial(context.Background(), "tcp4", l.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	client := rpc.NewClient(c)
	calls := make([]*rpc.Call, 1000)
	for i := range calls {
		calls[i] = client.Go("Sums.Add", [2]int{i, -500}, new(int), nil)
	}
	for _, call := range calls {
		<-call.Done
		w.say("call", call.Error, *call.Reply.(*int))
	}
	w.say("close", client.Close())
	w.say("call", client.Call("Sums.Add", [2]int{}, new(int)))
	_ = l.Close()
}

// webTLS: sessions are taken up again, and the ends are told apart from what is cut off.
func webTLS(w *world) {
	cert, _ := certificate(w.t)
	l, err := w.listen("tcp4", w.host+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	secure := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	go func() {
		for {
			c, err := secure.Accept()
			if err != nil {
				return
			}
			go func() {
				line, _ := bufio.NewReader(c).ReadString('\n')
				_, _ = io.WriteString(c, line)
				if line == "cut\n" {
					_ = c.(*tls.Conn).NetConn().Close() // no close_notify
					return
				}
				_ = c.Close()
			}()
		}
	}()
	cfg := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for i := range 20 {
		line := []string{"whole\n", "cut\n"}[i/10]
		raw, err := w.dial(context.Background(), "tcp4", l.Addr().String())
		if err != nil {
			w.t.Fatal(err)
		}
		c := tls.Client(raw, cfg)
		_, err = io.WriteString(c, line)
		got, err2 := io.ReadAll(c)
		w.say("tls", err, string(got), err2, c.ConnectionState().DidResume)
		_ = c.Close()
	}
	_ = l.Close()
}

func TestWebSameAsTheKernel(t *testing.T) {
	compare(t, map[string]func(*world){"shutdown": webShutdown, "proxy": webProxy, "pool": webPool, "timeouts": webTimeouts,
		"control": webControl, "expect": webExpect, "cancel": webCancel, "rpc": webRPC, "tls": webTLS})
}
