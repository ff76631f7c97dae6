package iipnet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

// What programs do with connections, the stack's and the kernel's mixed.

// TestCopyBetweenNetworks: io.Copy finds ReadFrom and WriteTo of either network's connections, and each ends the other.
func TestCopyBetweenNetworks(t *testing.T) {
	a, b := ourWorld(t).pair()
	c, d := kernelWorld(t).pair()
	var all sync.WaitGroup
	through := func(to, from duplex) {
		if _, err := io.Copy(to, from); err != nil {
			t.Error(err)
		}
		_ = to.CloseWrite()
	}
	spawn(&all, func() { through(c, b) }) // a | b -> c | d
	spawn(&all, func() { through(b, c) })
	for _, way := range [][2]duplex{{a, d}, {d, a}} {
		data := bytes.Repeat([]byte(fmt.Sprintf("%p", way[0])), 200_000)
		spawn(&all, func() {
			if n, err := way[0].ReadFrom(bytes.NewReader(data)); err != nil || n != int64(len(data)) {
				t.Error(n, err)
			}
			_ = way[0].CloseWrite()
		})
		spawn(&all, func() {
			hash := sha256.New()
			n, err := way[1].WriteTo(hash)
			if want := sha256.Sum256(data); err != nil || n != int64(len(data)) || !bytes.Equal(hash.Sum(nil), want[:]) {
				t.Error(n, err)
			}
		})
	}
	all.Wait()
}

// serveOn serves a handler until the test ends.
func serveOn(t *testing.T, l net.Listener, h http.Handler) *http.Server {
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func listenOn(t *testing.T, w *world, at string) net.Listener {
	t.Helper()
	l, err := w.listen("tcp4", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestProxyAndUpgrade: a reverse proxy on the stack before a server of the kernel's; what is behind it takes over the
// connection, and speaks a protocol of its own through both.
func TestProxyAndUpgrade(t *testing.T) {
	ours, theirs := ourWorld(t), kernelWorld(t)
	back := listenOn(t, theirs, "127.0.0.1:0")
	mux := http.NewServeMux()
	mux.HandleFunc("/bytes/{n}", bytesN)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, _ *http.Request) {
		c, both, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(c, both)
	})
	serveOn(t, back, mux)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: back.Addr().String()})
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	for _, h := range []http.Handler{proxy, mux} { // through the proxy, and on the stack itself
		front := listenOn(t, ours, ours.host+":0")
		serveOn(t, front, h)
		client := &http.Client{Transport: &http.Transport{DialContext: ours.dial}}
		if err := fetch(client, "http://"+front.Addr().String()+"/bytes/1000000", 1_000_000, 1); err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
		upgrade(t, ours, front.Addr().String())
	}
}

func upgrade(t *testing.T, w *world, address string) {
	c, err := w.dial(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	for i := range 100 {
		line := fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", i*10))
		fmt.Fprint(c, line)
		if got, err := in.ReadString('\n'); got != line || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// TestShutdown: http.Server.Shutdown waits for an answer under way, and ends what is idle.
func TestShutdown(t *testing.T) {
	w := ourWorld(t)
	l := listenOn(t, w, w.host+":0")
	entered, go1 := make(chan struct{}), make(chan struct{})
	server := serveOn(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-go1
		}
		fmt.Fprint(w, "done")
	}))
	client := &http.Client{Transport: &http.Transport{DialContext: w.dial}}
	at := "http://" + l.Addr().String()
	if resp, err := client.Get(at + "/idle"); err != nil {
		t.Fatal(err)
	} else {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	answer := make(chan string)
	go func() {
		resp, err := client.Get(at + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		text, _ := io.ReadAll(resp.Body)
		answer <- string(text)
	}()
	<-entered
	over := make(chan error)
	go func() { over <- server.Shutdown(context.Background()) }()
	select {
	case err := <-over:
		t.Error("it did not wait", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(go1)
	if got := <-answer; got != "done" {
		t.Error(got)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
	if _, err := client.Get(at); err == nil {
		t.Error("it still answers")
	}
}

// TestManyGoroutines: ten thousand of them on one loop, with the collector running all the time.
func TestManyGoroutines(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	many(t, 1)
}

// TestMoreLoopsThanProcessors: loops are goroutines, and any number of them gets on with one processor.
func TestMoreLoopsThanProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	many(t, 8)
}

func many(t *testing.T, loops int) {
	iipnet.NoneLeft(t)
	port := fmt.Sprintf("pair:many%d", names.Add(1))
	server, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{"10.0.0.2/24"}, Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	client := openStack(t, port, "1", nil)
	l, err := server.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	const conns, each = 1000, 10 // writers of each, and one that reads
	var all sync.WaitGroup
	for i := range conns {
		c, err := client.Dial("tcp", "10.0.0.2:7")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(3 * time.Minute))
		var sum, got [each]int
		var writers sync.WaitGroup
		for k := range each {
			sum[k] = 100 + i%7
			spawn(&writers, func() {
				for range sum[k] / 10 {
					if _, err := c.Write(bytes.Repeat([]byte{byte(k)}, 10)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		spawn(&all, func() {
			writers.Wait()
			_ = c.(*iipnet.Conn).CloseWrite()
		})
		spawn(&all, func() {
			text, err := io.ReadAll(c)
			for _, b := range text {
				got[b]++
			}
			for k := range each {
				if err != nil || got[k] != sum[k]/10*10 {
					t.Errorf("%d of %d bytes of writer %d, %v", got[k], sum[k]/10*10, k, err)
					return
				}
			}
		})
	}
	all.Wait()
}
