package iipnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// family of a network name: 4, 6, or 0 for both; false: it is not one of proto's.
func family(network, proto string) (int, bool) {
	switch network {
	case proto:
		return 0, true
	case proto + "4":
		return 4, true
	case proto + "6":
		return 6, true
	}
	return 0, false
}

func fits(a netip.Addr, fam int) bool {
	return fam == 0 || (fam == 4) == a.Is4()
}

// lookup finds the addresses of "host:port". Numbers are taken as they are; names are looked up by the system's resolver.
// An empty host is any address.
func lookup(ctx context.Context, network, address string, fam int) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return nil, lookupError(ctx, err)
	}
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(anyAddr(fam), uint16(port))}, nil
	}
	ips := []netip.Addr{}
	if ip, err := netip.ParseAddr(host); err == nil {
		ips = append(ips, ip)
	} else if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, lookupError(ctx, err)
	}
	var out []netip.AddrPort
	for _, ip := range ips {
		if ip = ip.Unmap(); fits(ip, fam) {
			out = append(out, netip.AddrPortFrom(ip, uint16(port)))
		}
	}
	if len(out) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return out, nil
}

// lookupError is the error of a lookup; that its context has ended, if it has: package net's resolver says either.
func lookupError(ctx context.Context, err error) error {
	var dns *net.DNSError
	if ctx.Err() == nil || !errors.As(err, &dns) {
		return err
	}
	end := dialError(ctx)
	late := ctx.Err() == context.DeadlineExceeded
	return &net.DNSError{UnwrapErr: end, Err: end.Error(), Name: dns.Name, IsTimeout: late, IsTemporary: late}
}

// localAddr is where to listen by a protocol; an address of the other one is not of the type that is wanted.
func localAddr(network, address, proto string) (netip.AddrPort, error) {
	other, named := "udp", func(a netip.AddrPort) net.Addr { return udpAddr(a) }
	if proto == "udp" {
		other, named = "tcp", func(a netip.AddrPort) net.Addr { return tcpAddr(a) }
	}
	fam, ok := family(network, proto)
	otherFam, isOther := family(network, other)
	if !ok && !isOther {
		return netip.AddrPort{}, opError("listen", network, nil, nil, net.UnknownNetworkError(network))
	}
	addrs, err := lookup(context.Background(), network, address, max(fam, otherFam))
	if err != nil {
		return netip.AddrPort{}, opError("listen", network, nil, nil, err)
	}
	if isOther {
		err := &net.AddrError{Err: "unexpected address type", Addr: address}
		return netip.AddrPort{}, opError("listen", network, nil, named(addrs[0]), err)
	}
	return addrs[0], nil
}

func anyAddr(fam int) netip.Addr {
	switch fam {
	case 4:
		return netip.IPv4Unspecified()
	case 6:
		return netip.IPv6Unspecified()
	}
	return netip.Addr{}
}

func tcpAddr(a netip.AddrPort) *net.TCPAddr {
	if !a.Addr().IsValid() {
		return &net.TCPAddr{IP: net.IPv6zero, Port: int(a.Port())}
	}
	return net.TCPAddrFromAddrPort(a)
}

func udpAddr(a netip.AddrPort) *net.UDPAddr {
	if !a.Addr().IsValid() {
		return &net.UDPAddr{IP: net.IPv6zero, Port: int(a.Port())}
	}
	return net.UDPAddrFromAddrPort(a)
}

// addrPort is the address of a *net.UDPAddr, as package net takes no other.
func addrPort(a net.Addr) (netip.AddrPort, error) {
	u, ok := a.(*net.UDPAddr)
	if !ok || u == nil {
		return netip.AddrPort{}, syscall.EINVAL
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}
