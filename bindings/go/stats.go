package iip

// #include "bridge.h"
import "C"

// Stats is what a loop counted. From other goroutines than the loop's it is as of one of its last turns.
type Stats struct {
	Conns                                                    uint64
	Turns, Events, Ops, OpsFailed, Posts, Parks, Wakes       uint64
	Releases, ForeignReleases, StaleHandles                  uint64
	SpillCopies, SpillBytes, BufsHeld, FramesFree, TxPending uint64
	MemUsed, RxPackets, RxBytes, RxDropped, TxPackets        uint64
	TxBytes, TxRefused, WireLost, WireDuplicated, HandedOver uint64
	HandedLost                                               uint64
}

// Stats is what the loop counted. Any goroutine may call it.
func (l *Loop) Stats() (Stats, error) {
	c := C.struct_iip_loop_stats{size: C.sizeof_struct_iip_loop_stats}
	err := l.any("stats", func() C.int32_t { return C.iip_loop_stats_get(l.c, &c) })
	u := func(v C.uint64_t) uint64 { return uint64(v) }
	return Stats{uint64(c.conns), u(c.turns), u(c.events), u(c.ops), u(c.ops_failed), u(c.posts), u(c.parks), u(c.wakes),
		u(c.releases), u(c.foreign_releases), u(c.stale_handles), u(c.spill_copies), u(c.spill_bytes), u(c.bufs_held),
		u(c.frames_free), u(c.tx_pending), u(c.mem_used), u(c.rx_packets), u(c.rx_bytes), u(c.rx_dropped), u(c.tx_packets),
		u(c.tx_bytes), u(c.tx_refused), u(c.wire_lost), u(c.wire_duplicated), u(c.handed_over), u(c.handed_lost)}, err
}

// Counters are those of the loop's stack by the names of docs/reference/counters.md. Any goroutine may call it.
func (l *Loop) Counters() (map[string]uint64, error) {
	names := counterNames()
	values := make([]C.uint64_t, len(names)+1)
	err := l.any("counters", func() C.int32_t { return C.iip_loop_counters(l.c, &values[0], C.uint32_t(len(values))) })
	out := make(map[string]uint64, len(names))
	for i, name := range names {
		out[name] = uint64(values[i])
	}
	return out, err
}

// any calls f while the engine is open.
func (l *Loop) any(op string, f func() C.int32_t) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return &OpError{Op: op, Status: ErrClosed}
	}
	return check(op, f())
}
