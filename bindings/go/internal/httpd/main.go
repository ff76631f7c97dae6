// Command httpd serves one directory by net/http as it is, HTTP/1.1 and HTTP/2: plain, or by TLS with a certificate that it
// signs itself.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

func main() {
	port := flag.String("port", "tap:iip0", "of the stack")
	addr := flag.String("addr", "10.0.0.2/24", "of the stack")
	listen := flag.Uint("listen", 80, "TCP port")
	root := flag.String("root", ".", "directory to serve")
	secure := flag.Bool("tls", false, "by TLS")
	flag.Parse()
	if err := run(*port, *addr, *listen, *root, *secure); err != nil {
		log.Fatal(err)
	}
}

func run(port, addr string, listen uint, root string, secure bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	stack, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{addr}})
	if err != nil {
		return err
	}
	l, err := stack.Listen("tcp", fmt.Sprintf(":%d", listen))
	if err != nil {
		return err
	}
	fmt.Printf("ready %s:%d\n", addr, listen)
	server := &http.Server{Handler: http.FileServer(http.Dir(root)), ErrorLog: log.New(io.Discard, "", 0), Protocols: all()}
	go func() {
		<-ctx.Done()
		stack.Drain(time.Second)
		_ = server.Close()
	}()
	if err := serve(server, l, secure); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return stack.Close()
}

func all() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func serve(server *http.Server, l net.Listener, secure bool) error {
	if !secure {
		return server.Serve(l)
	}
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	return server.ServeTLS(l, "", "")
}

func selfSigned() (cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "iip"}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
