package main

import (
	"encoding/json"
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

func (r *result) report(stack *iipnet.Stack, p *plan) {
	slices.Sort(r.latency)
	requests, bytes, seconds := float64(r.requests.Load()), float64(r.bytes.Load()), max(r.seconds, 1e-9)
	counters, _ := app.Sums(stack)
	if !p.json {
		fmt.Printf("connections   %d\nrequests      %.0f in %.3f s, %.0f/s\n", p.conns, requests, seconds, requests/seconds)
		fmt.Printf("payload       %.0f bytes, %.3f Gbit/s\n", bytes, bytes*8/seconds/1e9)
		fmt.Printf("latency [us]  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f\n", r.at(.5), r.at(.9), r.at(.99), r.at(.999))
		fmt.Printf("errors        %d, mismatches %d\nretransmits   %d\ndropped       %s\n", r.errors.Load(), r.mismatches.Load(),
			counters["tcp_retrans"], app.Drops(stack))
	}
	line, _ := json.Marshal(map[string]any{"requests": r.requests.Load(), "requests_per_s": requests / seconds, "bytes": r.bytes.Load(),
		"bytes_per_s": bytes / seconds, "seconds": seconds, "errors": r.errors.Load(), "mismatches": r.mismatches.Load(),
		"p50_us": r.at(.5), "p90_us": r.at(.9), "p99_us": r.at(.99), "p999_us": r.at(.999), "max_us": r.at(1),
		"retransmits": counters["tcp_retrans"]})
	fmt.Println(string(line))
}
