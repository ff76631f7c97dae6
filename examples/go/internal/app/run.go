package app

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

// Run is a program with its stack.
type Run struct {
	Stack  *iipnet.Stack
	Counts Counts
	cfg    *Config
	began  time.Time
}

// Open opens the stack; what cannot be opened is an error of the arguments.
func (c *Config) Open() *Run {
	c.check()
	s, err := iipnet.Open(c.Engine())
	if err != nil {
		c.cannotOpen(err)
	}
	if info, err := s.Engine().Info(); err == nil && uint64(info.Loops) < c.Loops {
		fmt.Fprintf(os.Stderr, "%s: --loops %d: the port has %d queues, going on with as many\n", c.Program, c.Loops, info.Loops)
	}
	return &Run{Stack: s, cfg: c, began: time.Now()}
}

// cannotOpen ends the program with what the library says of the port, the addresses or the tunables.
func (c *Config) cannotOpen(err error) {
	var failed *iip.OpError
	text := err.Error()
	if errors.As(err, &failed) && failed.Detail != "" {
		text = failed.Detail
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", c.Program, text)
	os.Exit(2)
}

// Ready says that a server listens.
func (r *Run) Ready() {
	host := "*"
	if len(r.cfg.Addrs) != 0 {
		host = r.cfg.Addrs[0]
		if p, err := netip.ParsePrefix(host); err == nil {
			host = p.Addr().String()
			if p.Addr().Is6() {
				host = "[" + host + "]"
			}
		}
	}
	fmt.Printf("ready %s:%d\n", host, r.cfg.Listen)
}

// Wait is until a signal ends the program, or its duration does, or done.
func (r *Run) Wait(done <-chan struct{}) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	var end <-chan time.Time
	if r.cfg.Duration > 0 {
		end = time.After(r.cfg.Duration)
	}
	for {
		select {
		case <-done:
			return
		case <-end:
			return
		case sig := <-signals:
			if sig != syscall.SIGUSR1 {
				return
			}
			if err := r.WriteStats(); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", r.cfg.Program, err)
			}
		}
	}
}

// End lets go out what was written, for two seconds at most, and ends the stack.
func (r *Run) End() {
	r.Stack.Drain(2 * time.Second)
	if err := r.WriteStats(); err != nil {
		r.cfg.Fail(err)
	}
	if err := r.Stack.Close(); err != nil {
		r.cfg.Fail(err)
	}
}

// Any is a port of all addresses of the stack.
func Any(port uint64) string { return fmt.Sprintf(":%d", port) }
