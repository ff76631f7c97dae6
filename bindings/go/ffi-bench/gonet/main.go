// Command gonet is the ping-pong of ffi-bench between two stacks of gVisor, over a pair of ends in memory, by its adapter
// for package net: gonet CONNECTIONS DURATION prints the answers a second. It is a module of its own: nobody else needs
// gVisor.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"iip.example/iip/internal/pingpong"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const nic = 1

func check(err any) {
	if e, ok := err.(tcpip.Error); ok && e != nil {
		err = e.String()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gonet:", err)
		os.Exit(1)
	}
}

// end is a stack at one end of the pipe. Nagle's algorithm is off, as with every net.Conn.
func end(link stack.LinkEndpoint, addr tcpip.Address) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	check(s.CreateNIC(nic, link))
	prefix := tcpip.AddressWithPrefix{Address: addr, PrefixLen: 24}
	check(s.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: prefix}, stack.AddressProperties{}))
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return s
}

func main() {
	if len(os.Args) != 3 {
		check("give CONNECTIONS DURATION")
	}
	conns, err := strconv.Atoi(os.Args[1])
	check(err)
	d, err := time.ParseDuration(os.Args[2])
	check(err)
	a, b := pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", 1500)
	there := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4([4]byte{10, 0, 0, 2}), Port: 7}
	server, client := end(a, there.Addr), end(b, tcpip.AddrFrom4([4]byte{10, 0, 0, 1}))
	l, err := gonet.ListenTCP(server, there, ipv4.ProtocolNumber)
	check(err)
	rate, err := pingpong.Rate(l, conns, func() (net.Conn, error) { return gonet.DialTCP(client, there, ipv4.ProtocolNumber) }, d)
	check(err)
	fmt.Println(rate)
}
