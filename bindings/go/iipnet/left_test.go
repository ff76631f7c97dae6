package iipnet

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var checked sync.Map // tests that look at their end

// NoneLeft has a test fail that leaves a goroutine in this package or in package iip, once all of its stacks are closed. It
// is called before the first of them opens.
func NoneLeft(t testing.TB) {
	if _, again := checked.LoadOrStore(t, true); again {
		return
	}
	before := len(within())
	t.Cleanup(func() {
		checked.Delete(t)
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(time.Millisecond) {
			left := within()
			if len(left) <= before {
				return
			}
			if time.Now().After(end) {
				t.Errorf("%d goroutines are left, %d before:\n%s", len(left), before, strings.Join(left, "\n\n"))
				return
			}
		}
	})
}

// within are the stacks of goroutines that run methods of either package.
func within() (all []string) {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	for ; n == len(buf); n = runtime.Stack(buf, true) {
		buf = make([]byte, 2*len(buf))
	}
	for _, g := range strings.Split(string(buf[:n]), "\n\n") {
		if strings.Contains(g, "iip.example/iip/iipnet.(*") || strings.Contains(g, "iip.example/iip.(*") {
			all = append(all, g)
		}
	}
	return all
}

// TestDroppedIsNotClosed: the collector closes nothing, as the guide says, and unlike package net; Stack.Close does.
func TestDroppedIsNotClosed(t *testing.T) {
	server, client := twoRest(t, "dropped")
	accept := func() *Conn {
		l, err := server.Listen("tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Dial("tcp", "10.0.0.2:7"); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*Conn)
	}
	c := accept()
	for range 5 {
		runtime.GC()
	}
	if _, err := client.Dial("tcp", "10.0.0.2:7"); err != nil {
		t.Error("the listener that was dropped:", err)
	}
	if _, fin, gone := c.Seen(); fin || gone {
		t.Error("the connection that was dropped is closed")
	}
	_ = client.Close()
	waitFor(t, "it lives on without its stack", func() bool { _, _, gone := c.Seen(); return gone })
}
