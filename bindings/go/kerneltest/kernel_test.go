// Package kerneltest is the stack against the kernel: it needs a network namespace of its own, which ci/test-go makes.
package kerneltest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

func TestMain(m *testing.M) {
	if os.Getenv("IIP_GO_NAMESPACE") == "" {
		fmt.Println("skipped: not in a network namespace of its own; ci/test-go all makes one")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return out
}

// wired opens a stack at 10.78.0.2 whose other end is an interface of the kernel's at 10.78.0.1.
func wired(t *testing.T, port, device string) *iipnet.Stack {
	t.Helper()
	s, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{"10.78.0.2/24"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	command(t, "ip", "addr", "add", "10.78.0.1/24", "dev", device)
	command(t, "ip", "link", "set", device, "up")
	return s
}

func selfSigned(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "iip"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve serves 300,000 random bytes by HTTP/1.1 and HTTP/2 on port 80, and by TLS on port 443.
func serve(t *testing.T, s *iipnet.Stack) []byte {
	t.Helper()
	body := make([]byte, 300_000)
	_, _ = rand.Read(body)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	quiet := log.New(io.Discard, "", 0)
	both := &http.Protocols{}
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	plain := &http.Server{Handler: handler, ErrorLog: quiet, Protocols: both}
	secure := &http.Server{Handler: handler, ErrorLog: quiet, TLSConfig: &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}}
	for port, run := range map[string]func(net.Listener) error{":80": plain.Serve,
		":443": func(l net.Listener) error { return secure.ServeTLS(l, "", "") }} {
		l, err := s.Listen("tcp", port)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = run(l) }()
	}
	t.Cleanup(func() {
		_ = plain.Close()
		_ = secure.Close()
	})
	return body
}

// requests of each kind: IIP_REQUESTS, or a few.
var requests = func() int {
	if n, err := strconv.Atoi(os.Getenv("IIP_REQUESTS")); err == nil && n > 0 {
		return n
	}
	return 400
}()

// TestHTTP2OverTAP: the kernel's net/http asks ours by HTTP/2, over TLS and without, and ours asks the kernel's: every body
// is compared.
func TestHTTP2OverTAP(t *testing.T) {
	s := wired(t, "tap:iiph2", "iiph2")
	body := make([]byte, 10_000)
	_, _ = rand.Read(body)
	for _, secure := range []bool{false, true} {
		for name, way := range map[string]struct {
			listen func(network, address string) (net.Listener, error)
			dial   func(context.Context, string, string) (net.Conn, error)
			host   string
		}{
			"ours serves":   {s.Listen, (&net.Dialer{}).DialContext, "10.78.0.2"},
			"theirs serves": {net.Listen, s.DialContext, "10.78.0.1"},
		} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) {
				protocols := &http.Protocols{}
				protocols.SetHTTP2(secure)
				protocols.SetUnencryptedHTTP2(!secure)
				l, err := way.listen("tcp", way.host+":8443")
				if err != nil {
					t.Fatal(err)
				}
				server := serveHTTP2(t, l, body, protocols, secure)
				defer server.Close()
				url := map[bool]string{false: "http", true: "https"}[secure] + "://" + way.host + ":8443/"
				fetchHTTP2(t, url, body, func() *http.Transport {
					return &http.Transport{DialContext: way.dial, Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				})
			})
		}
	}
}

func serveHTTP2(t *testing.T, l net.Listener, body []byte, protocols *http.Protocols, secure bool) *http.Server {
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Protocols: protocols,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })}
	if secure {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
		go func() { _ = server.ServeTLS(l, "", "") }()
	} else {
		go func() { _ = server.Serve(l) }()
	}
	return server
}

// fetchHTTP2 asks on four connections, with eight requests under way on each.
func fetchHTTP2(t *testing.T, url string, want []byte, transport func() *http.Transport) {
	const conns, streams = 4, 8
	var right, asked atomic.Int64
	var all sync.WaitGroup
	for range conns {
		client := &http.Client{Transport: transport(), Timeout: 5 * time.Minute}
		defer client.CloseIdleConnections()
		for range streams {
			all.Add(1)
			go func() {
				defer all.Done()
				for asked.Add(1) <= int64(requests) {
					if err := fetchOne(client, url, want); err != nil {
						t.Error(err)
						return
					}
					right.Add(1)
				}
			}()
		}
	}
	all.Wait()
	t.Logf("%d of %d bodies were right", right.Load(), requests)
	if right.Load() != int64(requests) {
		t.Fail()
	}
}

func fetchOne(client *http.Client, url string, want []byte) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && (resp.ProtoMajor != 2 || !bytes.Equal(got, want)) {
		err = fmt.Errorf("%s, %d bytes that are not those served", resp.Proto, len(got))
	}
	return err
}

func curl(t *testing.T, want []byte, args ...string) {
	t.Helper()
	got := command(t, "curl", append([]string{"-sSk", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-m", "20"}, args...)...)
	if !bytes.Equal(got, want) {
		t.Fatalf("curl %v: %d bytes that are not those served", args, len(got))
	}
}

func TestCurlOverTAP(t *testing.T) {
	body := serve(t, wired(t, "tap:iipgo", "iipgo"))
	for range 20 {
		curl(t, body, "http://10.78.0.2/")
		curl(t, body, "--http2-prior-knowledge", "http://10.78.0.2/")
		curl(t, body, "--http1.1", "https://10.78.0.2/")
		curl(t, body, "--http2", "https://10.78.0.2/")
	}
}

// TestSurvivesSignalsOfNetTap: DPDK's net_tap has a real-time signal sent for packets that arrive, and its handler
// lacks SA_ONSTACK, which ends a Go process ("non-Go code set up signal handler without SA_ONSTACK flag"). libiip adds
// the flag.
func TestSurvivesSignalsOfNetTap(t *testing.T) {
	if !iip.Probe("port.dpdk") {
		t.Skip("the plug-in libiip_dpdk was not found: set IIP_PLUGIN_PATH")
	}
	before := handlers(t)
	s := wired(t, "dpdk:net_tap0,iface=iipdpdk", "iipdpdk")
	changed := 0
	for sig, now := range handlers(t) {
		if now.handler == before[sig].handler {
			continue
		}
		changed++
		t.Logf("DPDK handles signal %d, flags %#x", sig, now.flags)
		if now.flags&saOnStack == 0 {
			t.Errorf("the handler of signal %d lacks SA_ONSTACK", sig)
		}
	}
	if changed == 0 {
		t.Error("DPDK handles no signal: this shows nothing")
	}
	command(t, "ip", "link", "set", "iipdpdk", "address", "02:00:00:00:00:99") // net_tap gave it that of its own end
	body := serve(t, s)
	for range 20 {
		curl(t, body, "http://10.78.0.2/")
	}
}

const saOnStack = 0x08000000

// action is the kernel's struct sigaction.
type action struct {
	handler, flags, restorer, mask uint64
}

func handlers(t *testing.T) (all [65]action) {
	for sig := 1; sig < len(all); sig++ {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&all[sig])), 8, 0, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	return all
}
