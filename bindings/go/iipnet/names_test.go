package iipnet

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// names has all names looked up from a server that answers with these addresses, until the test ends.
func names(t *testing.T, addrs ...[4]byte) {
	t.Helper()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", server.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = before; _ = server.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if m := answer(buf[:n], addrs); m != nil {
				_, _ = server.WriteTo(m, from)
			}
		}
	}()
}

func answer(question []byte, addrs [][4]byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	for _, a := range addrs {
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body: &dnsmessage.AResource{A: a}})
		}
	}
	packed, _ := m.Pack()
	return packed
}

// TestSeveralAddresses: all of a name's addresses are tried; when none answers, the error is of the first.
func TestSeveralAddresses(t *testing.T) {
	server, client := twoRest(t, "names")
	l, err := server.Listen("tcp", "10.0.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	names(t, [4]byte{10, 0, 0, 2}, [4]byte{10, 9, 9, 9}) // nobody listens there, and no route
	_, err = client.Dial("tcp4", "two.example.:9")
	var oe *net.OpError
	if !errors.As(err, &oe) || !errors.Is(err, syscall.ECONNREFUSED) || oe.Addr.String() != "10.0.0.2:9" {
		t.Error(err)
	}
	names(t, [4]byte{10, 9, 9, 9}, [4]byte{10, 0, 0, 2})
	c, err := client.DialTimeout("tcp4", "two.example.:7", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr().String() != l.Addr().String() {
		t.Error(c.RemoteAddr())
	}
}

// TestSharesOfTime: one address of several does not use up the time of all.
func TestSharesOfTime(t *testing.T) {
	for _, c := range []struct {
		left, share time.Duration
		addrs       int
	}{{time.Hour, time.Hour, 1}, {time.Hour, 30 * time.Minute, 2}, {time.Hour, time.Minute, 60}, {time.Minute, shareMin, 1000}} {
		end := time.Now().Add(c.left)
		ctx, cancel := context.WithDeadline(context.Background(), end)
		share, cancelShare := shareOf(ctx, c.addrs)
		at, ok := share.Deadline()
		if early := end.Add(c.share - c.left); !ok || at.Before(early.Add(-c.left/10)) || at.After(early.Add(c.left/10)) || at.After(end) {
			t.Errorf("%d addresses in %v: %v", c.addrs, c.left, time.Until(at))
		}
		cancelShare()
		cancel()
	}
	if ctx, _ := shareOf(context.Background(), 2); ctx != context.Background() {
		t.Error("a limit out of nothing")
	}
}
