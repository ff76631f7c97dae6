package iipnet

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
)

// Stack is an engine with goroutines that turn its loops. Its methods may be called by any goroutine.
type Stack struct {
	engine *iip.Engine
	loops  []*loop
	next   atomic.Uint32 // whose turn it is to get an active connection
	conns  atomic.Int64
	cores  iip.Cores
	net    sync.WaitGroup // the networking threads, and what ends them
	endNet context.CancelFunc

	mu        sync.Mutex
	listeners map[uint64]*Listener
	ended     map[iip.Handle]*Listener // whose loops have not all said that they ended it
	ids       uint64
	closed    bool
	failure   error
}

// Open opens an engine and starts its goroutines. As with package net, Nagle's algorithm is off and keep-alive is on
// unless cfg.Tunables say otherwise.
func Open(cfg iip.Config) (*Stack, error) {
	cfg.Tunables = append([]string{"tcp.nodelay=1", "tcp.keepalive=1"}, cfg.Tunables...)
	if cfg.TxFreeCap == 0 {
		cfg.TxFreeCap = stockMax
		if cfg.Frames != 0 {
			cfg.TxFreeCap = min(stockMax, max(cfg.Frames/4, stockLow))
		}
	}
	engine, err := iip.Open(cfg)
	if err != nil {
		return nil, err
	}
	s := &Stack{engine: engine, listeners: map[uint64]*Listener{}, ended: map[iip.Handle]*Listener{}, cores: cfg.Cores}
	for _, l := range engine.Loops() {
		lp, err := newLoop(s, l)
		if err != nil {
			for _, lp := range s.loops {
				lp.watch.close()
			}
			_, _ = engine.Close()
			return nil, err
		}
		s.loops = append(s.loops, lp)
	}
	s.network()
	for _, lp := range s.loops {
		go lp.run()
	}
	return s, nil
}

// network starts a thread for each loop that does its networking, where cfg.Cores asks for it.
func (s *Stack) network() {
	ctx, cancel := context.WithCancel(context.Background())
	s.endNet = cancel
	if s.cores == iip.CoresUnified {
		return
	}
	for _, l := range s.engine.Loops() {
		s.net.Add(1)
		go func() {
			defer s.net.Done()
			_ = l.Network(ctx)
		}()
	}
}

// Engine is the engine of the stack, for what is neither listening nor connecting: Info, Log.
func (s *Stack) Engine() *iip.Engine { return s.engine }

func (s *Stack) connGone() { s.conns.Add(-1) }

// Drain waits until no connection is left, or for d: what was written and closed goes out meanwhile. It tells whether
// none is left.
func (s *Stack) Drain(d time.Duration) bool {
	for end := time.Now().Add(d); s.conns.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Close ends everything: listeners, connections (by reset; see Drain for an orderly end), the goroutines and the engine.
// Blocked calls return net.ErrClosed or the system error of an aborted connection.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	for _, lp := range s.loops {
		lp.quit.Store(true)
		lp.pending.Store(true)
		lp.rouse()
	}
	for _, lp := range s.loops {
		<-lp.stopped
	}
	s.endNet()
	s.net.Wait()
	_, err := s.engine.Close()
	return err
}

// loopEnded: a port that failed ends the listeners too.
func (s *Stack) loopEnded(st iip.Status) {
	s.mu.Lock()
	all := make([]*Listener, 0, len(s.listeners))
	for _, l := range s.listeners {
		all = append(all, l)
	}
	for _, l := range s.ended {
		all = append(all, l)
	}
	if s.failure == nil {
		s.failure = st
	}
	s.mu.Unlock()
	for _, l := range all {
		l.end(st)
	}
}

// pick is the loop of the next active connection or endpoint.
func (s *Stack) pick() *loop { return s.loops[int(s.next.Add(1))%len(s.loops)] }

// ephemeral is a port to try when the caller does not care.
func (s *Stack) ephemeral() uint16 {
	return uint16(49152 + (time.Now().UnixNano()/64+int64(s.next.Add(7)))%16384)
}

func withPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}
