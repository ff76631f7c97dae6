package kerneltest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

// What package net says of the kernel in the same situation, from the other end of one wire.

// errnos are those that a caller asks for.
var errnos = []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EADDRINUSE,
	syscall.EADDRNOTAVAIL, syscall.ETIMEDOUT, syscall.EPIPE}

var ours = regexp.MustCompile(`10\.78\.0\.[12]:\d+`)

// outcome is all that is to be the same.
func outcome(err error) string {
	var oe *net.OpError
	var se *os.SyscallError
	if !errors.As(err, &oe) || !errors.As(err, &se) {
		return fmt.Sprintf("%T %v", err, err)
	}
	text := fmt.Sprintf("%s | op=%s net=%s source=%T addr=%T call=%s timeout=%v temporary=%v", ours.ReplaceAllString(err.Error(), "END"),
		oe.Op, oe.Net, oe.Source, oe.Addr, se.Syscall, oe.Timeout(), oe.Temporary())
	for _, errno := range errnos {
		if errors.Is(err, errno) {
			text += fmt.Sprintf(" is %v", errno)
		}
	}
	return text
}

func TestErrorsAreThoseOfTheKernel(t *testing.T) {
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_syn_retries", []byte("2"), 0); err != nil { // of this namespace
		t.Fatal(err)
	}
	s, err := iipnet.Open(iip.Config{Port: "tap:iipsame", Addresses: []string{"10.78.0.2/24"},
		Tunables: []string{"tcp.syn_retries=2"}, Routes: []string{"192.0.2.0/24 via 10.78.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	command(t, "ip", "link", "set", "lo", "up") // by which the kernel tells itself that a host cannot be reached
	command(t, "ip", "addr", "add", "10.78.0.1/24", "dev", "iipsame")
	command(t, "ip", "link", "set", "iipsame", "up")
	command(t, "ip", "route", "add", "192.0.2.0/24", "via", "10.78.0.2")
	dial := map[bool]func(string) error{
		false: func(address string) error {
			_, err := (&net.Dialer{Timeout: 100 * time.Second}).Dial("tcp", address)
			return err
		},
		true: func(address string) error { _, err := s.Dial("tcp", address); return err },
	}
	for _, c := range []struct{ what, kernel, stack string }{
		{"nobody listens", "10.78.0.2:9", "10.78.0.1:9"},
		{"nobody has the address", "10.78.0.77:9", "10.78.0.77:9"},
		{"nobody answers", "192.0.2.9:9", "192.0.2.9:9"}, // the other end is a router that passes nothing on
		{"no route", "198.51.100.1:9", "198.51.100.1:9"},
		{"no route, IPv6", "[2001:db8::1]:9", "[2001:db8::1]:9"},
	} {
		same(t, c.what, dial[false](c.kernel), dial[true](c.stack))
	}
	sameListeners(t, s)
	sameEnds(t, s)
}

func same(t *testing.T, what string, kernel, stack error) {
	t.Helper()
	t.Log(what, "|", outcome(kernel))
	a, b := outcome(kernel), outcome(stack)
	if a != b {
		t.Errorf("%s:\nkernel %s\nstack  %s", what, a, b)
	}
}

func sameListeners(t *testing.T, s *iipnet.Stack) {
	for _, host := range []string{"", "192.0.2.9"} {
		kernel, _ := net.Listen("tcp4", "10.78.0.1:99")
		stack, _ := s.Listen("tcp4", "10.78.0.2:99")
		where := [2]string{"10.78.0.1:99", "10.78.0.2:99"}
		if host != "" {
			where = [2]string{host + ":99", host + ":99"}
		}
		_, err := net.Listen("tcp4", where[0])
		_, err2 := s.Listen("tcp4", where[1])
		same(t, "listen "+host, err, err2)
		_ = kernel.Close()
		_ = stack.Close()
	}
}

type resets interface{ SetLinger(int) error }

// sameEnds: each end sees what the other one does to it.
func sameEnds(t *testing.T, s *iipnet.Stack) {
	l, err := s.Listen("tcp", ":98")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	both := func() [2]net.Conn {
		kernel, err := net.Dial("tcp", "10.78.0.2:98")
		if err != nil {
			t.Fatal(err)
		}
		stack, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return [2]net.Conn{kernel, stack}
	}
	var reads, writes, late [2]error
	for i := range 2 {
		c := both()
		_ = c[1-i].(resets).SetLinger(0)
		_ = c[1-i].Close()
		_, reads[i] = c[i].Read(make([]byte, 1))
		_, writes[i] = c[i].Write(make([]byte, 1))
		c = both()
		_ = c[1-i].Close()
		_, _ = c[i].Write(make([]byte, 1))
		until(t, "nothing breaks", func() bool { _, late[i] = c[i].Write(make([]byte, 1)); return late[i] != nil })
	}
	same(t, "read, reset", reads[0], reads[1])
	same(t, "write behind a reset", writes[0], writes[1])
	same(t, "write to a peer that is gone", late[0], late[1])
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
