// Package pingpong measures connections that exchange one byte, of whichever stack.
package pingpong

import (
	"net"
	"sync/atomic"
	"time"
)

// Measure lets things warm up, then tells how much n grew in a second of d.
func Measure(n *atomic.Int64, d time.Duration) float64 {
	time.Sleep(d / 10)
	first, began := n.Load(), time.Now()
	time.Sleep(d)
	return float64(n.Load()-first) / time.Since(began).Seconds()
}

// Rate is the answers a second on so many connections, each of which asks again when it has its answer. It closes the
// listener and the connections.
func Rate(l net.Listener, conns int, dial func() (net.Conn, error), d time.Duration) (float64, error) {
	defer l.Close()
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
	for range conns {
		c, err := dial()
		if err != nil {
			return 0, err
		}
		defer c.Close()
		go ask(c, &n)
	}
	return Measure(&n, d), nil
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
	for sent := byte(0); ; sent++ {
		b[0] = sent
		if _, err := c.Write(b[:]); err != nil {
			return
		}
		if _, err := c.Read(b[:]); err != nil {
			return
		}
		if b[0] != sent {
			panic("a wrong reply")
		}
		n.Add(1)
	}
}
