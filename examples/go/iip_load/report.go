package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"iip.example/examples/internal/app"
	"iip.example/iip/iipnet"
)

// result is added up over all connections.
type result struct {
	requests, bytes, errors, mismatches atomic.Int64
	left                                atomic.Int64 // messages that may still be started
	over                                atomic.Bool  // the duration is
	seconds                             float64

	mu      sync.Mutex
	latency []float64 // microseconds, a sample of at most latencyMax
	seen    int
}

const latencyMax = 1 << 20

func (r *result) took(d time.Duration) {
	r.requests.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	us := float64(d.Nanoseconds()) / 1e3
	if len(r.latency) < latencyMax {
		r.latency = append(r.latency, us)
	} else {
		r.latency[r.seen*40503%latencyMax] = us
	}
	r.seen++
}

func (r *result) at(part float64) float64 {
	if len(r.latency) == 0 {
		return 0
	}
	return r.latency[min(int(part*float64(len(r.latency))), len(r.latency)-1)]
}

func (r *result) report(cfg *app.Config, stack *iipnet.Stack, p *plan) {
	slices.Sort(r.latency)
	requests, bytes, seconds := r.requests.Load(), r.bytes.Load(), max(r.seconds, 1e-9)
	perS, bytesPerS := float64(requests)/seconds, float64(bytes)/seconds
	counters, _ := app.Sums(stack)
	if !p.json {
		fmt.Printf("port          %s\nconnections   %d\nrequests      %d in %.3f s, %.0f/s\n", cfg.Engine().Port, p.conns, requests, seconds, perS)
		fmt.Printf("payload       %d bytes, %.3f Gbit/s\n", bytes, bytesPerS*8/1e9)
		if len(r.latency) != 0 {
			fmt.Printf("latency [us]  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n", r.at(.5), r.at(.9), r.at(.99), r.at(.999), r.at(1))
		}
		fmt.Printf("errors        %d, mismatches %d\nretransmits   %d\ndropped       %s\n", r.errors.Load(), r.mismatches.Load(),
			counters["tcp_retrans"], app.Drops(stack))
	}
	fmt.Printf(`{"requests": %d, "requests_per_s": %.1f, "bytes": %d, "bytes_per_s": %.1f, "seconds": %.6f, "errors": %d, `+
		`"mismatches": %d, "p50_us": %.3f, "p90_us": %.3f, "p99_us": %.3f, "p999_us": %.3f, "max_us": %.3f, "retransmits": %d}`+"\n",
		requests, perS, bytes, bytesPerS, seconds, r.errors.Load(), r.mismatches.Load(), r.at(.5), r.at(.9), r.at(.99),
		r.at(.999), r.at(1), counters["tcp_retrans"])
}
