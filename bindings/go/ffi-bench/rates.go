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
	"strings"
	"sync"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
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

type asker struct{ answered atomic.Int64 }

func (a *asker) Start(l *iip.Loop) error {
	for i := range conns {
		if _, err := l.Connect(server7, uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

func (a *asker) Turn(l *iip.Loop, events []iip.Event) error {
	n := int64(0)
	for i := range events {
		e := &events[i]
		if e.Type == iip.EventData {
			l.Release(e.Buf)
			n++
		} else if e.Type != iip.EventConnected {
			continue
		}
		if s := l.TxTake(); s != nil {
			s.Bytes()[0] = 'x'
			l.SendBuf(e.Src, s.Buf, 0, 1)
		}
	}
	a.answered.Add(n)
	return nil
}

func nativeRate(d time.Duration) float64 {
	s, c := ends("pair:native")
	a := &asker{}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); _ = s.Loop(0).Run(ctx, echo{}) }()
	go func() { defer wg.Done(); _ = c.Loop(0).Run(ctx, a) }()
	r := measure(&a.answered, d)
	cancel()
	wg.Wait()
	must(c.Close())
	must(s.Close())
	return r
}

// measure lets things warm up, then counts for d.
func measure(n *atomic.Int64, d time.Duration) float64 {
	time.Sleep(d / 10)
	first, began := n.Load(), time.Now()
	time.Sleep(d)
	return float64(n.Load()-first) / time.Since(began).Seconds()
}

// ---- net.Conn, of either kind ----

func pingPong(l net.Listener, dial func() (net.Conn, error), d time.Duration) float64 {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	var n atomic.Int64
	var all []net.Conn
	for range conns {
		c := must(dial())
		all = append(all, c)
		go ask(c, &n)
	}
	r := measure(&n, d)
	for _, c := range all {
		_ = c.Close()
	}
	_ = l.Close()
	return r
}

func answer(c net.Conn) {
	defer c.Close()
	var b [1]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
		if _, err := c.Write(b[:]); err != nil {
			return
		}
	}
}

func ask(c net.Conn, n *atomic.Int64) {
	var b [1]byte
	for {
		if _, err := c.Write(b[:]); err != nil {
			return
		}
		if _, err := c.Read(b[:]); err != nil {
			return
		}
		n.Add(1)
	}
}

func iipnetRate(d time.Duration) float64 {
	s := must(iipnet.Open(iip.Config{Port: "pair:net", Addresses: []string{"10.0.0.2/24"}}))
	c := must(iipnet.Open(iip.Config{Port: "pair:net", Addresses: []string{"10.0.0.1/24"}}))
	defer func() {
		if err := errors.Join(c.Close(), s.Close()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	l := must(s.Listen("tcp", ":7"))
	return pingPong(l, func() (net.Conn, error) { return c.Dial("tcp", "10.0.0.2:7") }, d)
}

func loopbackRate(d time.Duration) float64 {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	return pingPong(l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }, d)
}

// ---- C ----

func cRate(d time.Duration) float64 {
	out := must(exec.Command(*loadC, "--self", "--json", "--conns", fmt.Sprint(conns), "--size", "1",
		"--duration", fmt.Sprint(d.Seconds())).Output())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var result struct {
		Rate float64 `json:"requests_per_s"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
		fmt.Fprintln(os.Stderr, "ffi-bench: iip_load:", err)
		os.Exit(1)
	}
	return result.Rate
}
