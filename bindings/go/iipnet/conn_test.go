package iipnet_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"

	"golang.org/x/net/nettest"
)

var names atomic.Int32
var anyPort7 = netip.AddrPortFrom(netip.Addr{}, 7)

// pair opens two stacks on one port of memory: 10.0.0.2 and 10.0.0.1.
func pair(t testing.TB, port string, tunables ...string) (server, client *iipnet.Stack) {
	t.Helper()
	port = fmt.Sprintf(port, names.Add(1))
	return openStack(t, port, "2", tunables), openStack(t, port, "1", tunables)
}

func openStack(t testing.TB, port, host string, tunables []string) *iipnet.Stack {
	t.Helper()
	iipnet.NoneLeft(t)
	s, err := iipnet.Open(iip.Config{Port: port, Addresses: []string{"10.0.0." + host + "/24", "fd00::" + host + "/64"}, Tunables: tunables})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func connect(server, client *iipnet.Stack) (accepted, dialed net.Conn, err error) {
	l, err := server.Listen("tcp", "10.0.0.2:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if dialed, err = client.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	accepted, err = l.Accept()
	return accepted, dialed, err
}

func TestConn(t *testing.T) {
	for _, port := range []string{"pair:nettest%d", "sim:nettest%d,loss=1%%,seed=5,delay=50us"} {
		t.Run(port[:4], func(t *testing.T) {
			server, client := pair(t, port)
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				a, b, err := connect(server, client)
				stop := func() {
					_ = a.Close()
					_ = b.Close()
				}
				return a, b, stop, err
			})
		})
	}
}
