// Command soak has many connections over native loops, keeps what they receive, and releases it at random on other threads.
// It ends with 1 when anything was not as it should be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
)

// plan is what the flags ask for.
type plan struct {
	seconds     float64
	connections uint64
	seed        uint64
	mistake     mistake
}

const (
	loops    = 2
	threads  = 4               // that keep buffers
	keepMost = 2048            // buffers that are kept at once
	patience = 2 * time.Minute // for connections to come to their end
)

func main() {
	var p plan
	flag.Float64Var(&p.seconds, "seconds", 30, "how long connections are opened")
	flag.Uint64Var(&p.connections, "connections", 1000, "that are open at once")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "of all that is random")
	wrong := flag.String("mistake", "", "made on purpose: "+string(readLate)+", "+string(loseRelease)+", "+string(releaseMore))
	flag.Parse()
	p.mistake = mistake(*wrong)
	line, err := soak(p)
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: seed %d: %v\n", p.seed, err)
	}
	fmt.Println(line)
	if err != nil {
		os.Exit(1)
	}
}

var errEarly = errors.New("the time is not over")

type side struct {
	engine *iip.Engine
	tally  tally
}

func open(port, address string) (*side, error) {
	e, err := iip.Open(iip.Config{Port: port, Addresses: []string{address}, Loops: loops, Frames: 8192,
		Tunables: []string{"tcp.msl_us=100000"}})
	if err != nil {
		return nil, err
	}
	return &side{engine: e}, nil
}

func (s *side) run(ctx context.Context, i int, ended chan<- error, p *peer) {
	p.tally, p.conns = &s.tally, map[iip.Handle]*conn{}
	go func() { ended <- s.engine.Loop(i).Run(ctx, p) }()
}

func (s *side) wake() {
	for _, l := range s.engine.Loops() {
		l.Wake()
	}
}

// soak runs all of it. The line is what ci/test-go ends with.
func soak(p plan) (string, error) {
	port := fmt.Sprintf("pair:soak%d", p.seed)
	server, err := open(port, "10.0.0.2/24")
	if err != nil {
		return "", err
	}
	client, err := open(port, "10.0.0.1/24")
	if err != nil {
		return "", err
	}
	k := startKeepers(threads, keepMost, p.seed, p.mistake)
	took, err := exchange(p, k, server, client)
	k.end()
	leaks := 0
	for _, s := range []*side{client, server} {
		for _, l := range s.engine.Loops() {
			k.stale.Add(int64(l.StaleReleases()))
		}
		left, err2 := s.engine.Close()
		leaks += left.Bufs + left.Conns
		err = errors.Join(err, err2)
	}
	line := fmt.Sprintf("soak: seconds=%.0f connections=%d opened=%d bytes=%d kept_max=%d stale=%d leaks=%d", took.Seconds(),
		client.tally.most.Load(), client.tally.opened.Load(), client.tally.got.Load()+server.tally.got.Load(), k.keptMax.Load(), k.stale.Load(), leaks)
	if k.stale.Load() != 0 || leaks != 0 {
		err = errors.Join(err, errors.New("a buffer was read or released too late, or never"))
	}
	return line, err
}

// exchange opens connections until the time is over, and waits for their end.
func exchange(p plan, k *keepers, server, client *side) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var ids atomic.Uint64
	var over, last atomic.Bool
	ended := make(chan error, 2*loops)
	for i := range loops {
		random := func(n int) *rand.Rand { return rand.New(rand.NewPCG(p.seed, uint64(n*loops+i))) }
		server.run(ctx, i, ended, &peer{keep: k, rnd: random(0), over: &over, last: &last})
		client.run(ctx, i, ended, &peer{keep: k, rnd: random(1), over: &over, ids: &ids, connect: (p.connections + uint64(i)) / loops})
	}
	err := settle(p, server, client, &over, &last, ended)
	cancel()
	for range 2 * loops {
		if one := <-ended; !errors.Is(one, context.Canceled) {
			err = one
		}
	}
	return time.Since(began), err
}

// settle waits until the time is over, then for the client's connections, then for what the server has not seen of them
// yet, and has it abort those whose reset was lost on the way.
func settle(p plan, server, client *side, over, last *atomic.Bool, ended chan error) error {
	until := time.Now().Add(time.Duration(p.seconds * float64(time.Second)))
	for _, step := range []func() error{
		func() error {
			if time.Now().Before(until) {
				return errEarly
			}
			over.Store(true)
			return client.tally.ended()
		},
		func() error { return same(&server.tally, &client.tally) },
		func() error {
			last.Store(true)
			server.wake()
			return server.tally.ended()
		},
	} {
		for end := until.Add(patience); step() != nil; {
			select {
			case err := <-ended:
				ended <- err
				return err
			case <-time.After(time.Millisecond):
			}
			if time.Now().After(end) {
				return step()
			}
		}
	}
	return nil
}

// ended says whether all connections came to an end.
func (t *tally) ended() error {
	if n := t.whole.Load() + t.cut.Load(); n != t.opened.Load() {
		return fmt.Errorf("%d connections were opened, and %d came to an end", t.opened.Load(), n)
	}
	return nil
}

// same says in what the two sides differ. (Of a connection that was cut short the server may have seen nothing.)
func same(server, client *tally) error {
	for what, n := range map[string][2]int64{
		"whole connections":     {client.whole.Load(), server.whole.Load()},
		"bytes to the server":   {client.sent.Load(), server.got.Load()},
		"bytes from the server": {server.sent.Load(), client.got.Load()},
	} {
		if n[0] != n[1] {
			return fmt.Errorf("%s: %d of one side, %d of the other", what, n[0], n[1])
		}
	}
	return nil
}
