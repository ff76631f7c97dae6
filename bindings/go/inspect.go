package iip

// #include "bridge.h"
import "C"

import (
	"net/netip"
	"sync"
	"time"
)

// What is rare enough for a crossing of its own.

// namesOf reads a list of the library.
func namesOf(name func(i C.uint32_t) *C.char) (names []string) {
	for i := C.uint32_t(0); ; i++ {
		c := name(i)
		if c == nil {
			return names
		}
		names = append(names, C.GoString(c))
	}
}

// Features are the names that [Probe] knows, without those of ports and tunables.
func Features() []string {
	return namesOf(func(i C.uint32_t) *C.char { return C.iip_feature_name(i) })
}

// Kinds are the kinds of ports that the library can open: "tap", "pair" ...
func Kinds() []string {
	return namesOf(func(i C.uint32_t) *C.char { return C.iip_engine_kind(i) })
}

var counterNames = sync.OnceValue(func() []string {
	return namesOf(func(i C.uint32_t) *C.char { return C.iip_counter_name(i) })
})

// ConnState is a state of RFC 9293, 3.3.2.
type ConnState uint32

// The states.
const (
	ConnClosed      ConnState = C.IIP_CONN_CLOSED
	ConnListen      ConnState = C.IIP_CONN_LISTEN
	ConnSynSent     ConnState = C.IIP_CONN_SYN_SENT
	ConnSynReceived ConnState = C.IIP_CONN_SYN_RECEIVED
	ConnEstablished ConnState = C.IIP_CONN_ESTABLISHED
	ConnFinWait1    ConnState = C.IIP_CONN_FIN_WAIT_1
	ConnFinWait2    ConnState = C.IIP_CONN_FIN_WAIT_2
	ConnCloseWait   ConnState = C.IIP_CONN_CLOSE_WAIT
	ConnClosing     ConnState = C.IIP_CONN_CLOSING
	ConnLastAck     ConnState = C.IIP_CONN_LAST_ACK
	ConnTimeWait    ConnState = C.IIP_CONN_TIME_WAIT
)

// ConnInfo is one connection.
type ConnInfo struct {
	State                          ConnState
	Conn                           Handle
	User                           uint64
	Local, Peer                    netip.AddrPort
	Timestamps, SACK, WindowScale  bool
	MSS                            uint32 // payload bytes of a full segment
	RTT, RTTVar, RTO, MinRTT       time.Duration
	Cwnd, Ssthresh, SndWnd, RcvWnd uint32 // bytes
	Unacked, Unsent, Unread        uint32 // bytes sent; accepted and not sent; received and not handed up
	Uncredited, OutOfOrder         uint32 // bytes of buffers that the application holds; held for reassembly
	Retransmits, RTOs, DupAcks     uint32
	BytesIn, BytesOut              uint64
}

func (info *ConnInfo) fill(c *C.struct_iip_conn_info) {
	us := func(v C.uint32_t) time.Duration { return time.Duration(v) * time.Microsecond }
	*info = ConnInfo{State: ConnState(c.state), Conn: Handle(c.conn), User: uint64(c.user),
		Timestamps: c.options&1 != 0, SACK: c.options&2 != 0, WindowScale: c.options&4 != 0, MSS: uint32(c.mss),
		RTT: us(c.srtt_us), RTTVar: us(c.rttvar_us), RTO: us(c.rto_us), MinRTT: us(c.min_rtt_us),
		Cwnd: uint32(c.cwnd), Ssthresh: uint32(c.ssthresh), SndWnd: uint32(c.snd_wnd), RcvWnd: uint32(c.rcv_wnd),
		Unacked: uint32(c.unacked), Unsent: uint32(c.unsent), Unread: uint32(c.unread), Uncredited: uint32(c.uncredited),
		OutOfOrder: uint32(c.out_of_order), Retransmits: uint32(c.retransmits), RTOs: uint32(c.rto_count),
		DupAcks: uint32(c.dup_acks), BytesIn: uint64(c.bytes_in), BytesOut: uint64(c.bytes_out),
		Local: fromRaw(rawOf(&c.local)), Peer: fromRaw(rawOf(&c.peer))}
}

// ConnInfo is what the loop knows of a connection of its own.
func (l *Loop) ConnInfo(conn Handle) (info ConnInfo, err error) {
	c := C.struct_iip_conn_info{size: C.sizeof_struct_iip_conn_info}
	if err = l.owned("info", func() C.int32_t { return C.iip_conn_info_get(C.uint64_t(conn), &c) }); err == nil {
		info.fill(&c)
	}
	return info, err
}

// Conns are the connections of the loop: from another goroutine than its own, a view of a moving target.
func (l *Loop) Conns() (all []Handle, err error) {
	var some [256]C.uint64_t
	for n, after := len(some), C.uint64_t(0); n == len(some); after = some[n-1] {
		err := l.any("conns", func() C.int32_t {
			st := C.iip_loop_conns(l.c, after, &some[0], C.uint32_t(len(some)))
			n = int(max(st, 0))
			return st
		})
		if err != nil || n == 0 {
			return all, err
		}
		for _, h := range some[:n] {
			all = append(all, Handle(h))
		}
	}
	return all, nil
}

// Option is the value of an option of a connection; [OpSet] sets it.
func (l *Loop) Option(conn Handle, option Option) (uint64, error) {
	var value C.uint64_t
	err := l.owned("option", func() C.int32_t { return C.iip_conn_get(C.uint64_t(conn), C.uint32_t(option), &value) })
	return uint64(value), err
}

// Index is the number of the loop in its engine.
func (l *Loop) Index() int { return l.index }
