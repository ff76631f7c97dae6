package iipnet_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iip.example/iip/iipnet"
)

// requests of each HTTP test: IIP_REQUESTS, or a few.
var requests = func() int {
	if n, err := strconv.Atoi(os.Getenv("IIP_REQUESTS")); err == nil && n > 0 {
		return n
	}
	return 400
}()

// pattern fills p with the stream of examples/c/README.md from byte at.
func pattern(p []byte, at int) {
	var w [8]byte
	for i := range p {
		x := uint64((at+i)/8+1) * 0x9e3779b97f4a7c15
		binary.LittleEndian.PutUint64(w[:], x^x>>32)
		p[i] = w[(at+i)%8]
	}
}

// bytesN serves /bytes/N.
func bytesN(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(n))
	buf := make([]byte, 16384)
	for at := 0; at < n; at += len(buf) {
		buf = buf[:min(cap(buf), n-at)]
		pattern(buf, at)
		if _, err := w.Write(buf); err != nil {
			return
		}
	}
}

func verifyBody(r io.Reader, n int) error {
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	want := make([]byte, n)
	pattern(want, 0)
	if string(got) != string(want) {
		return fmt.Errorf("%d bytes came, %d were asked for, or they are others", len(got), n)
	}
	return nil
}

func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "iip"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 2)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func serveHTTP(t testing.TB, stack *iipnet.Stack, v version, cert tls.Certificate) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bytes/{n}", bytesN)
	srv := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), Protocols: v.protocols()}
	l, err := stack.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	if !v.tls {
		go func() { _ = srv.Serve(l) }()
		return
	}
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	go func() { _ = srv.ServeTLS(l, "", "") }()
}

func fetchAll(t *testing.T, client *http.Client, url string, proto int) {
	t.Helper()
	var wg sync.WaitGroup
	var right atomic.Int64
	for w := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := w; i < requests; i += 16 {
				n := i * 97 % 20000
				if i%100 == 7 {
					n = 1_000_003
				}
				if err := fetch(client, fmt.Sprintf("%s/bytes/%d", url, n), n, proto); err != nil {
					t.Error(err)
					return
				}
				right.Add(1)
			}
		}()
	}
	wg.Wait()
	t.Logf("%d of %d bodies were right", right.Load(), requests)
}

func fetch(client *http.Client, url string, n, proto int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.ProtoMajor != proto {
		return fmt.Errorf("%s by %s", resp.Status, resp.Proto)
	}
	return verifyBody(resp.Body, n)
}

// version is a way to speak HTTP.
type version struct {
	name  string
	proto int
	tls   bool
}

var versions = []version{{"1.1", 1, false}, {"1.1 over TLS", 1, true}, {"2", 2, false}, {"2 over TLS", 2, true}}

func (v version) protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(v.proto == 1)
	p.SetHTTP2(v.proto == 2 && v.tls)
	p.SetUnencryptedHTTP2(v.proto == 2 && !v.tls)
	return p
}

// TestHTTP: an unmodified net/http server and client, by HTTP/1.1 and HTTP/2, plain and by TLS.
func TestHTTP(t *testing.T) {
	for _, port := range []string{"pair:http%d", "sim:http%d,loss=1%%,seed=9,delay=50us"} {
		t.Run(port[:4], func(t *testing.T) {
			cert, pool := certificate(t)
			for _, v := range versions {
				t.Run(v.name, func(t *testing.T) {
					server, client := pair(t, port)
					url := "http://10.0.0.2:80"
					if v.tls {
						url = "https://10.0.0.2:80"
					}
					serveHTTP(t, server, v, cert)
					transport := &http.Transport{DialContext: client.DialContext, TLSClientConfig: &tls.Config{RootCAs: pool},
						Protocols: v.protocols(), MaxIdleConnsPerHost: 16}
					defer transport.CloseIdleConnections()
					fetchAll(t, &http.Client{Transport: transport}, url, v.proto)
				})
			}
		})
	}
}
