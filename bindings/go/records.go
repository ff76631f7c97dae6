package iip

// #include "bridge.h"
import "C"

import (
	"strconv"
	"unsafe"
)

// Handle names a connection, listener, UDP endpoint, timer, buffer or region; 0 names nothing. Handles of what is gone
// stay stale for at least 2^20 reuses.
type Handle uint64

// Slot is a small number that no other live object of the same kind and loop has: an index for tables.
func (h Handle) Slot() uint32 { return uint32(h) & (1<<C.IIP_HANDLE_SLOT_BITS - 1) }

// EventType says what happened.
type EventType uint16

// The types of events; a reader skips types that it does not know.
const (
	EventAccept    EventType = C.IIP_EVENT_ACCEPT    // Src is a new connection, Value its listener
	EventConnected EventType = C.IIP_EVENT_CONNECTED // a connect succeeded
	EventData      EventType = C.IIP_EVENT_DATA      // bytes of the stream, in order
	EventFin       EventType = C.IIP_EVENT_FIN       // the peer sent its last byte
	EventWritable  EventType = C.IIP_EVENT_WRITABLE  // the send queue drained below half
	EventUrgent    EventType = C.IIP_EVENT_URGENT    // urgent data is announced
	EventError     EventType = C.IIP_EVENT_ERROR     // soft error, the connection lives
	EventClosed    EventType = C.IIP_EVENT_CLOSED    // the last event of Src
	EventUDP       EventType = C.IIP_EVENT_UDP       // bytes of one datagram
	EventUDPError  EventType = C.IIP_EVENT_UDP_ERROR // ICMP error for a datagram that was sent
	EventTxDone    EventType = C.IIP_EVENT_TX_DONE   // registered memory may be reused
	EventTimer     EventType = C.IIP_EVENT_TIMER     // a timer expired
	EventDone      EventType = C.IIP_EVENT_DONE      // an operation that asked for a reply is done
	EventLink      EventType = C.IIP_EVENT_LINK      // link or MTU changed
)

var eventNames = [...]string{"NONE", "ACCEPT", "CONNECTED", "DATA", "FIN", "WRITABLE", "URGENT", "ERROR", "CLOSED", "UDP", "UDP_ERROR",
	"TX_DONE", "TIMER", "DONE", "LINK"}

// String is the name in the header, without its prefix.
func (t EventType) String() string {
	if int(t) >= len(eventNames) {
		return "EVENT_" + strconv.Itoa(int(t))
	}
	return eventNames[t]
}

// Flags of events.
const (
	EventMore   uint16 = C.IIP_EVENT_MORE   // the next event goes on with this run or datagram
	EventCopied uint16 = C.IIP_EVENT_COPIED // the bytes are a copy in spill memory
)

// Event is one of 64 bytes, in C memory, valid until the next turn. A data or UDP event carries one reference of Buf,
// which the handler releases: by [Loop.Release], [Loop.Take], or by sending it on.
type Event struct {
	Src    Handle // connection, listener, endpoint or timer; 0: the loop itself
	User   uint64 // its cookie
	Type   EventType
	Flags  uint16
	Status Status
	Buf    Handle
	addr   uint64
	Len    uint32
	offset uint32
	region uint16
	_      uint16
	aux    uint32
	Value  uint64
}

// Bytes are the bytes that the event names, in place. They are valid until Buf is released.
func (e *Event) Bytes() []byte { return memory(e.addr, e.Len) }

// State is what a turn says of its loop: bits.
type State uint32

// The bits.
const (
	StateMore      State = C.IIP_STATE_MORE       // events wait for room: turn again at once
	StateTxPending State = C.IIP_STATE_TX_PENDING // the port is full
	StatePoolLow   State = C.IIP_STATE_POOL_LOW   // few packet buffers are free: release some
	StateParked    State = C.IIP_STATE_PARKED     // see TurnPark
	StateLinkDown  State = C.IIP_STATE_LINK_DOWN
	StateEnded     State = C.IIP_STATE_CLOSED // End has come to its end
)

// OpCode says what is to be done.
type OpCode uint16

// The codes of operations; <iip/iip.h> says which fields each reads.
const (
	OpNop         OpCode = C.IIP_OP_NOP
	OpConnect     OpCode = C.IIP_OP_CONNECT
	OpListen      OpCode = C.IIP_OP_LISTEN
	OpUDPOpen     OpCode = C.IIP_OP_UDP_OPEN
	OpSendBuf     OpCode = C.IIP_OP_SEND_BUF
	OpSendExtern  OpCode = C.IIP_OP_SEND_EXTERN
	OpSendCopy    OpCode = C.IIP_OP_SEND_COPY // of memory that is not Go's, as OpUDPSendCopy
	OpUDPSend     OpCode = C.IIP_OP_UDP_SEND
	OpUDPSendCopy OpCode = C.IIP_OP_UDP_SEND_COPY
	OpCredit      OpCode = C.IIP_OP_CREDIT
	OpShutdown    OpCode = C.IIP_OP_SHUTDOWN
	OpClose       OpCode = C.IIP_OP_CLOSE
	OpAbort       OpCode = C.IIP_OP_ABORT
	OpTimer       OpCode = C.IIP_OP_TIMER
	OpCancel      OpCode = C.IIP_OP_CANCEL
	OpSet         OpCode = C.IIP_OP_SET
	OpUser        OpCode = C.IIP_OP_USER
	OpUrgent      OpCode = C.IIP_OP_URGENT
)

// Flags of operations.
const (
	OpAbsolute uint16 = C.IIP_OP_ABSOLUTE // OpTimer: Arg is a time
	OpShut     uint16 = C.IIP_OP_SHUT     // sends: and OpShutdown, if all was taken
)

// Option is an option of a connection; those of UDP endpoints are DSCP and TTL.
type Option uint32

// The options.
const (
	OptNoDelay        Option = C.IIP_OPT_NODELAY
	OptCork           Option = C.IIP_OPT_CORK
	OptKeepAlive      Option = C.IIP_OPT_KEEPALIVE
	OptKeepIdleUs     Option = C.IIP_OPT_KEEPIDLE_US
	OptKeepIntvlUs    Option = C.IIP_OPT_KEEPINTVL_US
	OptKeepCnt        Option = C.IIP_OPT_KEEPCNT
	OptUserTimeoutUs  Option = C.IIP_OPT_USER_TIMEOUT_US
	OptDSCP           Option = C.IIP_OPT_DSCP
	OptTTL            Option = C.IIP_OPT_TTL
	OptSndBuf         Option = C.IIP_OPT_SNDBUF
	OptRcvBuf         Option = C.IIP_OPT_RCVBUF
	OptQuickAck       Option = C.IIP_OPT_QUICKACK
	OptCC             Option = C.IIP_OPT_CC
	OptSynRetries     Option = C.IIP_OPT_SYN_RETRIES
	OptExplicitCredit Option = C.IIP_OPT_EXPLICIT_CREDIT
)

// Op is an operation of 64 bytes; the turn writes Out and Status.
type Op struct {
	Code   OpCode
	Flags  uint16
	Len    uint32
	Obj    Handle
	User   uint64
	Buf    Handle
	Arg    uint64
	Offset uint32
	Aux    uint32
	Out    uint64
	Status Status
	_      uint32
}

// Span is an empty buffer to write to and send.
type Span struct {
	Buf    Handle
	addr   uint64
	Len    uint32
	offset uint32
	region uint16
	_      uint16
	_      uint32
}

// Bytes are the bytes of the span, in place.
func (s *Span) Bytes() []byte { return memory(s.addr, s.Len) }

// memory makes a slice of C memory. The address comes as an integer, so the conversion is by way of the variable.
func memory(addr uint64, n uint32) []byte {
	if n == 0 || addr == 0 { // the len of EventTxDone and EventDone is of no bytes
		return nil
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), int(n))
}

type rawAddr struct {
	ip       [16]byte
	port     uint16
	family   uint16
	scope    uint32
	reserved uint64
}

type rawAddrs struct{ local, peer rawAddr }

// turnRecord is struct iip_turn, in C memory.
type turnRecord struct {
	size, flags                                             uint32
	waitUs                                                  int64
	opN, releaseN, txTaken, eventMax                        uint32
	eventN, txFreeN, opShort, releaseFailed, state, rxCount uint32
	nowUs, deadlineUs                                       uint64
}

// KindSlot is what tells a handle from those of all other live objects of its loop: small, and of use as a key.
type KindSlot uint32

// KindSlot is the kind and the slot of a handle.
func (h Handle) KindSlot() KindSlot {
	return KindSlot(h>>(C.IIP_HANDLE_SLOT_BITS+C.IIP_HANDLE_GENERATION_BITS+C.IIP_HANDLE_LOOP_BITS))<<C.IIP_HANDLE_SLOT_BITS |
		KindSlot(h.Slot())
}
