package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
	"iip.example/iip/internal/pingpong"
)

// ---- native ----

type echo struct{}

func (echo) Start(l *iip.Loop) error {
	_, err := l.Listen(netip.AddrPortFrom(netip.Addr{}, 7), 0)
	return err
}

func (echo) Turn(l *iip.Loop, events []iip.Event) error {
	for i := range events {
		if e := &events[i]; e.Type == iip.EventData {
			l.SendBuf(e.Src, e.Buf, 0, e.Len)
		}
	}
	return nil
}

// asker asks on all connections from one turn on: so that it depends on no accident of the beginning how many answers a
// turn takes.
type asker struct {
	ready    []iip.Handle
	answered atomic.Int64
}

var (
	errFewBuffers = errors.New("fewer empty buffers than connections")
	errWrongReply = errors.New("a wrong reply")
)

// Start opens one connection, as packets wait for the peer's hardware address only in small numbers.
func (a *asker) Start(l *iip.Loop) error { return connect(l, 1) }

func connect(l *iip.Loop, n int) error {
	for range n {
		if _, err := l.Connect(server7, 0); err != nil {
			return err
		}
	}
	return nil
}

func (a *asker) Turn(l *iip.Loop, events []iip.Event) error {
	n := int64(0)
	for i := range events {
		switch e := &events[i]; e.Type {
		case iip.EventData:
			if e.Len != 1 || e.Bytes()[0] != 'x' {
				return errWrongReply
			}
			l.Release(e.Buf)
			n++
			if err := a.ask(l, e.Src); err != nil {
				return err
			}
		case iip.EventConnected:
			if err := a.connected(l, e.Src); err != nil {
				return err
			}
		}
	}
	a.answered.Add(n)
	return nil
}

func (a *asker) connected(l *iip.Loop, conn iip.Handle) error {
	a.ready = append(a.ready, conn)
	switch len(a.ready) {
	case 1:
		return connect(l, conns-1)
	case conns:
		for _, c := range a.ready {
			if err := a.ask(l, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *asker) ask(l *iip.Loop, conn iip.Handle) error {
	s := l.TxTake()
	if s == nil {
		return errFewBuffers
	}
	s.Bytes()[0] = 'x'
	l.SendBuf(conn, s.Buf, 0, 1)
	return nil
}

func nativeRate(d time.Duration) float64 {
	s, c := ends("pair:native")
	a, e := &asker{}, &echo{}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- s.Loop(0).Run(ctx, e) }()
	go func() { ended <- c.Loop(0).Run(ctx, a) }()
	r := pingpong.Measure(&a.answered, d)
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			must(0, err)
		}
	}
	must(c.Close())
	must(s.Close())
	return r
}

// ---- net.Conn ----

func iipnetRate(d time.Duration) float64 {
	s := must(iipnet.Open(iip.Config{Port: "pair:net", Addresses: []string{"10.0.0.2/24"}}))
	c := must(iipnet.Open(iip.Config{Port: "pair:net", Addresses: []string{"10.0.0.1/24"}}))
	defer func() {
		if err := errors.Join(c.Close(), s.Close()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	l := must(s.Listen("tcp", ":7"))
	return must(pingpong.Rate(l, conns, func() (net.Conn, error) { return c.Dial("tcp", "10.0.0.2:7") }, d))
}

func loopbackRate(d time.Duration) float64 {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	return must(pingpong.Rate(l, conns, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }, d))
}

// ---- others ----

func cRate(d time.Duration) float64 {
	out := must(exec.Command(*loadC, "--self", "--json", "--conns", fmt.Sprint(conns), "--size", "1",
		"--duration", fmt.Sprint(d.Seconds())).Output())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var result struct {
		Rate float64 `json:"requests_per_s"`
	}
	must(0, json.Unmarshal([]byte(lines[len(lines)-1]), &result))
	return result.Rate
}

func gonetRate(d time.Duration) float64 {
	out := must(exec.Command(*gonet, fmt.Sprint(conns), d.String()).Output())
	return must(strconv.ParseFloat(strings.TrimSpace(string(out)), 64))
}

// ---- all ----

func rates(t *table) {
	native := &rate{name: "native loops", run: nativeRate}
	iipnetConn := &rate{name: "iipnet net.Conn", run: iipnetRate}
	loopback := &rate{name: "Go's net over loopback", run: loopbackRate}
	all := []*rate{native, iipnetConn, loopback}
	c, other := &rate{name: "C", run: cRate}, &rate{name: "gonet", run: gonetRate}
	if *loadC != "" {
		all = append(all, c)
	}
	if *gonet != "" {
		all = append(all, other)
	}
	all = slices.DeleteFunc(all, func(r *rate) bool { return !t.wants(r.name) })
	if len(all) == 0 {
		return
	}
	fmt.Printf("\nping-pong of 1 byte, %d connections, both ends in one process [answers/s]\n", conns)
	for range *rounds {
		for _, r := range all {
			r.got = append(r.got, r.run(time.Duration(*seconds*float64(time.Second))))
		}
	}
	for _, r := range all {
		t.rate(r)
	}
	t.ratio(native, c)
	t.ratio(iipnetConn, other)
	t.ratio(iipnetConn, loopback)
}
