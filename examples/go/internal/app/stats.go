package app

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

// Counts are what an example counts itself, by name.
type Counts struct {
	mu sync.Mutex
	n  map[string]*atomic.Int64
}

// Of is the counter of a name.
func (c *Counts) Of(name string) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]*atomic.Int64{}
	}
	if c.n[name] == nil {
		c.n[name] = &atomic.Int64{}
	}
	return c.n[name]
}

// Are names all that will be counted, so that zeros are told too.
func (c *Counts) Are(names ...string) {
	for _, name := range names {
		c.Of(name)
	}
}

// Sums are the counters of all loops, and their statistics.
func Sums(s *iipnet.Stack) (map[string]uint64, []iip.Stats) {
	sum := map[string]uint64{}
	var stats []iip.Stats
	for _, l := range s.Engine().Loops() {
		counters, _ := l.Counters()
		for name, n := range counters {
			sum[name] += n
		}
		st, _ := l.Stats()
		stats = append(stats, st)
	}
	return sum, stats
}

// Drops is what the stack dropped, and why.
func Drops(s *iipnet.Stack) string {
	sum, _ := Sums(s)
	var out []string
	for name, n := range sum {
		if n != 0 && strings.HasPrefix(name, "drop_") {
			text, _ := json.Marshal(n)
			out = append(out, name+" "+string(text))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

func (r *Run) document() map[string]any {
	counters, all := Sums(r.Stack)
	doc := map[string]any{"program": r.cfg.Program, "version": iip.Version(), "port": r.cfg.Engine().Port,
		"addresses": strings.Join(r.cfg.Addrs, " "), "listen": r.cfg.Listen, "seconds": time.Since(r.began).Seconds(),
		"counters": counters}
	r.Counts.mu.Lock()
	for name, n := range r.Counts.n {
		doc[name] = n.Load()
	}
	accepted, serves := r.Counts.n["accepted"]
	r.Counts.mu.Unlock()
	turns, ports, conns := map[string]uint64{}, map[string]uint64{}, uint64(0)
	for _, s := range all {
		conns += s.Conns
		for name, n := range map[string]uint64{"turns": s.Turns, "events": s.Events, "ops": s.Ops, "ops_failed": s.OpsFailed,
			"stale_handles": s.StaleHandles, "spill_copies": s.SpillCopies, "bufs_held": s.BufsHeld, "mem_used": s.MemUsed} {
			turns[name] += n
		}
		for name, n := range map[string]uint64{"rx_packets": s.RxPackets, "rx_bytes": s.RxBytes, "rx_dropped": s.RxDropped,
			"tx_packets": s.TxPackets, "tx_bytes": s.TxBytes, "tx_refused": s.TxRefused, "tx_pending": s.TxPending,
			"wire_lost": s.WireLost, "wire_duplicated": s.WireDuplicated, "handed_over": s.HandedOver, "handed_lost": s.HandedLost} {
			ports[name] += n
		}
	}
	if serves { // over for the stack, not only for the program: what was sent has arrived
		doc["closed"] = max(accepted.Load()-int64(conns), 0)
	}
	doc["conns"], doc["turns"], doc["ports"] = conns, turns, ports
	return doc
}

// WriteStats writes the file whole: under another name first.
func (r *Run) WriteStats() error {
	if r.cfg.StatsJSON == "" {
		return nil
	}
	text, err := json.MarshalIndent(r.document(), "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.cfg.newStats(), append(text, '\n'), 0o666); err != nil {
		return err
	}
	return os.Rename(r.cfg.newStats(), r.cfg.StatsJSON)
}
