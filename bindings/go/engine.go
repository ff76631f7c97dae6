package iip

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Config says how an engine is opened. Zero values mean the library's defaults.
type Config struct {
	Port       string   // needed: "tap:iip0", "pair:a", "sim:w,loss=1%", "dpdk:net_memif0,..."
	Addresses  []string // our own, with prefix lengths: "10.0.0.1/24", "fd00::1/64"
	Routes     []string // "default via 10.0.0.254", "10.9.0.0/16 via 10.0.0.7"
	Tunables   []string // "tcp.mss=1400": names of docs/reference/tunables.md
	Neighbours []string // permanent ones: "10.0.0.9=02:00:00:00:00:09"
	Pcap       string   // record all packets to this file

	Loops      int    // queues of the port, one loop each; 0: 1
	Cores      Cores  // which threads do the networking of a loop; 0: the one that turns it
	Frames     int    // packet buffers of each queue
	FrameBytes int    // of each packet buffer
	Ring       int    // descriptors of each ring
	MTU        int    // bytes of an IP packet
	OpCap      int    // operations a turn takes; 0: 256
	ReleaseCap int    // releases a turn takes; 0: 1024
	EventCap   int    // events a turn hands up; 0: 512
	TxFreeCap  int    // empty buffers laid out for sending; 0: 64
	PostCap    int    // operations of PostOp that wait for a loop; 0: 1024
	SpillBytes uint64 // memory for copies when packet buffers run low; 0: 4 MiB
	MemLimit   uint64 // bytes that the tables of each loop's stack may grow to; 0: none
	LogLevel   int    // records up to this level are kept; 0: warnings

	PollInterval time.Duration // how often a port without interrupt is looked at; 0: 100 µs
	Seed         uint64        // for what is random but not secret; 0: from the system
	Key          [16]byte      // secret key of sequence numbers and hashes; zeros: from the system
}

// Engine is an open port with its loops. Its methods may be called by any goroutine.
type Engine struct {
	mu    sync.Mutex
	c     *C.struct_iip_engine // nil: closed
	loops []*Loop
	info  Info
	cores Cores
}

// Info is what was opened.
type Info struct {
	Loops    int     // may be fewer than asked for
	MTU      int     // bytes of an IP packet
	LinkUp   bool    // the link is up
	Polls    bool    // the port has no interrupt
	Conns    int     // live connections of all loops
	HardAddr [6]byte // MAC address
}

// Leaks is what had not been given back when an engine was closed.
type Leaks struct {
	Bufs, Conns, Listeners, UDPs, Timers, Externs, Regions int
}

// Version is the release of the libiip that is loaded.
func Version() string { return C.GoString(C.iip_version()) }

// Probe tells whether the library has a feature: "port.tap", "port.dpdk", "tcp.sack" ...
func Probe(feature string) bool {
	s := C.CString(feature)
	defer C.free(unsafe.Pointer(s))
	return C.iip_probe(s) == 1
}

// strings4c makes C strings and frees them all at once.
type strings4c []unsafe.Pointer

func (s *strings4c) make(text string) *C.char {
	if text == "" {
		return nil
	}
	c := C.CString(text)
	*s = append(*s, unsafe.Pointer(c))
	return c
}

func (s strings4c) free() {
	for _, p := range s {
		C.free(p)
	}
}

func (cfg *Config) toC(out *C.struct_iip_engine_cfg) strings4c {
	var s strings4c
	out.size = C.sizeof_struct_iip_engine_cfg
	out.port = s.make(cfg.Port)
	out.addresses = s.make(strings.Join(cfg.Addresses, " "))
	out.routes = s.make(strings.Join(cfg.Routes, ", "))
	out.tunables = s.make(strings.Join(cfg.Tunables, ","))
	out.neighbours = s.make(strings.Join(cfg.Neighbours, " "))
	out.pcap = s.make(cfg.Pcap)
	out.loops, out.frames = C.uint32_t(cfg.Loops), C.uint32_t(cfg.Frames)
	out.frame_bytes, out.ring = C.uint32_t(cfg.FrameBytes), C.uint32_t(cfg.Ring)
	out.mtu, out.op_cap = C.uint32_t(cfg.MTU), C.uint32_t(cfg.OpCap)
	out.release_cap, out.event_cap = C.uint32_t(cfg.ReleaseCap), C.uint32_t(cfg.EventCap)
	out.tx_free_cap, out.poll_us = C.uint32_t(cfg.TxFreeCap), C.uint32_t(cfg.PollInterval.Microseconds())
	out.spill_bytes, out.mem_limit = C.uint64_t(cfg.SpillBytes), C.uint64_t(cfg.MemLimit)
	out.seed, out.log_level = C.uint64_t(cfg.Seed), C.uint32_t(cfg.LogLevel)
	out.cores, out.post_cap = C.uint32_t(cfg.Cores), C.uint32_t(cfg.PostCap)
	for i, b := range cfg.Key {
		out.key[i] = C.uint8_t(b)
	}
	return s
}

// Open opens a port and makes its loops. The error names the value and the remedy.
func Open(cfg Config) (*Engine, error) {
	if err := loaded(); err != nil {
		return nil, err
	}
	prepareSignals(cfg.Port)
	var c C.struct_iip_engine_cfg
	held := cfg.toC(&c)
	defer held.free()
	why := (*C.char)(C.calloc(512, 1))
	defer C.free(unsafe.Pointer(why))
	e := &Engine{cores: cfg.Cores}
	if st := C.iip_engine_open(&c, &e.c, why, 512); st < 0 {
		return nil, &OpError{Op: "open " + cfg.Port, Status: Status(st), Detail: C.GoString(why)}
	}
	if err := e.makeLoops(); err != nil {
		C.iip_engine_close(e.c, nil)
		return nil, err
	}
	return e, nil
}

func (e *Engine) makeLoops() error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	e.info = info
	for i := range info.Loops {
		l, err := newLoop(e, i)
		if err != nil {
			return err
		}
		e.loops = append(e.loops, l)
	}
	return nil
}

// use calls f while the engine is open.
func (e *Engine) use(op string, f func(c *C.struct_iip_engine) C.int32_t) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return &OpError{Op: op, Status: ErrClosed}
	}
	return check(op, f(e.c))
}

// Info is what was opened, as it is now.
func (e *Engine) Info() (Info, error) {
	c := C.struct_iip_engine_info{size: C.sizeof_struct_iip_engine_info}
	err := e.use("info", func(p *C.struct_iip_engine) C.int32_t { return C.iip_engine_info_get(p, &c) })
	info := Info{Loops: int(c.loops), MTU: int(c.mtu), LinkUp: c.link_up != 0, Polls: c.polls != 0, Conns: int(c.conns)}
	for i, b := range c.mac {
		info.HardAddr[i] = byte(b)
	}
	return info, err
}

// Loops are the loops of the engine.
func (e *Engine) Loops() []*Loop { return e.loops }

// Loop is the i-th loop.
func (e *Engine) Loop(i int) *Loop { return e.loops[i] }

// Listen listens on all loops; connections come up as EventAccept, with user as their cookie, on the loop that owns
// them. Each loop tells by EventDone whether it could.
func (e *Engine) Listen(local netip.AddrPort, backlog int, user uint64) (Handle, error) {
	var out C.uint64_t
	addr := toRaw(local)
	err := e.use("listen", func(p *C.struct_iip_engine) C.int32_t {
		return C.iip_engine_listen(p, (*C.struct_iip_addr)(unsafe.Pointer(&addr)), C.uint32_t(backlog), C.uint64_t(user), &out)
	})
	return Handle(out), err
}

// Unlisten ends it on all loops; accepted connections live on.
func (e *Engine) Unlisten(listener Handle) error {
	return e.use("unlisten", func(p *C.struct_iip_engine) C.int32_t {
		return C.iip_engine_unlisten(p, C.uint64_t(listener))
	})
}

// Close closes everything: connections are aborted, handles go stale, bytes of buffers are gone. ErrBusy while a loop
// runs: end it first, by its context. What was released before is no leak, whichever goroutine released it and whether or
// not a turn followed; nor is a buffer of a send that no turn did.
func (e *Engine) Close() (Leaks, error) {
	c := C.struct_iip_leaks{size: C.sizeof_struct_iip_leaks}
	err := e.use("close", func(p *C.struct_iip_engine) C.int32_t {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for _, l := range e.loops {
			l.mu.Lock()
			defer l.mu.Unlock()
			if st := C.iip_loop_attach(l.c); st < 0 {
				return st
			}
			if l.owner != ownRun && l.owner != ownAttached { // else it is the loop's own goroutine that closes
				defer C.iip_loop_detach(l.c)
			}
		}
		for _, l := range e.loops {
			l.settle()
		}
		st := C.iip_engine_close(p, &c)
		if st >= 0 {
			e.c = nil
			for _, l := range e.loops {
				l.closed.Store(true)
			}
		}
		return st
	})
	return Leaks{Bufs: int(c.bufs), Conns: int(c.conns), Listeners: int(c.listeners), UDPs: int(c.udps), Timers: int(c.timers),
		Externs: int(c.externs), Regions: int(c.regions)}, err
}

// LogRecord is one record of the log.
type LogRecord struct {
	Time   time.Duration // of CLOCK_MONOTONIC
	Obj    Handle
	Level  int
	Status Status
	Lost   int // records that were overwritten unread before this one
	Text   string
}

// Log takes the oldest records, at most 64.
func (e *Engine) Log() ([]LogRecord, error) {
	var raw [64]C.struct_iip_log_record
	n := 0
	err := e.use("log", func(p *C.struct_iip_engine) C.int32_t {
		st := C.iip_engine_log(p, &raw[0], C.uint32_t(len(raw)))
		n = max(int(st), 0)
		return st
	})
	out := make([]LogRecord, n)
	for i := range out {
		r := &raw[i]
		out[i] = LogRecord{time.Duration(r.time_us) * time.Microsecond, Handle(r.obj), int(r.level), Status(r.status), int(r.lost),
			C.GoString(&r.text[0])}
	}
	return out, err
}

func toRaw(a netip.AddrPort) (raw rawAddr) {
	raw.port = a.Port()
	if !a.Addr().IsValid() {
		return raw
	}
	raw.ip = a.Addr().As16()
	raw.family = 6
	if a.Addr().Is4() || a.Addr().Is4In6() {
		raw.family = 4
	}
	if a.Addr().IsUnspecified() {
		raw.ip = [16]byte{}
	}
	return raw
}

func rawOf(c *C.struct_iip_addr) *rawAddr { return (*rawAddr)(unsafe.Pointer(c)) }

func fromRaw(raw *rawAddr) netip.AddrPort {
	ip := netip.AddrFrom16(raw.ip)
	if raw.family == 4 {
		if raw.ip == [16]byte{} {
			return netip.AddrPortFrom(netip.IPv4Unspecified(), raw.port)
		}
		ip = ip.Unmap()
	}
	return netip.AddrPortFrom(ip, raw.port)
}

// ABIVersion is major << 16 | minor of the interface of the library that is loaded. It is the cheapest crossing into C.
func ABIVersion() uint32 { return uint32(C.iip_abi_version()) }
