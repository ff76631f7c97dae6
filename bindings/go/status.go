package iip

// #include "bridge.h"
import "C"

import (
	"fmt"
	"syscall"
)

// Status is what libiip answers: 0 for success, or a negative number. As an error it names itself.
type Status int32

// The statuses, as <iip/status.h> lists them.
const (
	OK                Status = C.IIP_OK
	ErrAgain          Status = C.IIP_E_AGAIN           // a queue or a buffer is full
	ErrInval          Status = C.IIP_E_INVAL           // an argument is out of its range
	ErrNoMem          Status = C.IIP_E_NOMEM           // no memory
	ErrNoBufs         Status = C.IIP_E_NOBUFS          // no packet buffer is free
	ErrAddrInUse      Status = C.IIP_E_ADDR_IN_USE     // the local address and port are taken
	ErrAddrNotAvail   Status = C.IIP_E_ADDR_NOT_AVAIL  // not an address of this stack
	ErrUnreachable    Status = C.IIP_E_UNREACHABLE     // nobody answers for the address, or an ICMP error said so
	ErrNetUnreachable Status = C.IIP_E_NET_UNREACHABLE // no route to the network, here or by an ICMP error
	ErrRefused        Status = C.IIP_E_REFUSED         // the peer refused
	ErrReset          Status = C.IIP_E_RESET           // the peer reset the connection
	ErrTimeout        Status = C.IIP_E_TIMEOUT         // retransmissions ran out
	ErrAborted        Status = C.IIP_E_ABORTED         // the application aborted it
	ErrNotConnected   Status = C.IIP_E_NOT_CONNECTED   // not in a state that allows this
	ErrShutdown       Status = C.IIP_E_SHUTDOWN        // this direction was already shut down
	ErrMsgSize        Status = C.IIP_E_MSGSIZE         // the datagram is too large
	ErrNotFound       Status = C.IIP_E_NOT_FOUND       // no such name
	ErrRange          Status = C.IIP_E_RANGE           // outside of the range that is allowed
	ErrNotSupported   Status = C.IIP_E_NOT_SUPPORTED   // this port or build cannot do that
	ErrAccess         Status = C.IIP_E_ACCESS          // a right is missing
	ErrBusy           Status = C.IIP_E_BUSY            // it is in use
	ErrStale          Status = C.IIP_E_STALE           // the handle is closed, released or foreign
	ErrWrongThread    Status = C.IIP_E_WRONG_THREAD    // only the owner of the loop may call this
	ErrForked         Status = C.IIP_E_FORKED          // the object belongs to the parent of this process
	ErrUnknownField   Status = C.IIP_E_UNKNOWN_FIELD   // a structure is of a newer version
	ErrABI            Status = C.IIP_E_ABI             // library and caller are of different versions
	ErrClosed         Status = C.IIP_E_CLOSED          // the object was closed
	ErrIO             Status = C.IIP_E_IO              // the port failed
	ErrNoDevice       Status = C.IIP_E_NO_DEVICE       // no such device or port
	ErrExists         Status = C.IIP_E_EXISTS          // it is there already
	ErrLinkDown       Status = C.IIP_E_LINK_DOWN       // the link is down
)

// Class says what a caller can do about a status.
type Class uint32

// The classes of statuses.
const (
	ClassOK         Class = C.IIP_CLASS_OK
	ClassRetry      Class = C.IIP_CLASS_RETRY      // wait for the event that says so
	ClassConnection Class = C.IIP_CLASS_CONNECTION // this connection is over, others live
	ClassLoop       Class = C.IIP_CLASS_LOOP       // the port of this loop failed
	ClassUsage      Class = C.IIP_CLASS_USAGE      // the caller's mistake
	ClassResource   Class = C.IIP_CLASS_RESOURCE   // memory or buffers ran out
)

type statusRow struct {
	name, text string
	class      Class
	errno      syscall.Errno
}

// The library's table, read once, so that no error that is looked at costs a crossing.
var statusRows = func() (rows [-C.IIP_E_LAST]statusRow) {
	for i := range rows {
		st := C.int32_t(-i)
		rows[i] = statusRow{
			name:  C.GoString(C.iip_status_name(st)),
			text:  C.GoString(C.iip_status_text(st)),
			class: Class(C.iip_status_class(st)),
			errno: syscall.Errno(C.iip_status_errno(st)),
		}
	}
	return rows
}()

var unknownStatus = statusRow{"IIP_E_UNKNOWN", "a status that this binding does not know", ClassUsage, syscall.EINVAL}

func (s Status) row() *statusRow {
	if s > 0 || int(-s) >= len(statusRows) {
		return &unknownStatus
	}
	return &statusRows[-s]
}

// Name is the stable name: "IIP_E_AGAIN".
func (s Status) Name() string { return s.row().name }

// Class says what a caller can do about it.
func (s Status) Class() Class { return s.row().class }

// Errno is the system's number for it, 0 for success.
func (s Status) Errno() syscall.Errno { return s.row().errno }

// Error is the name and one sentence for people.
func (s Status) Error() string { return s.row().name + ": " + s.row().text }

// Is makes errors.Is(status, syscall.ECONNRESET) and the like true.
func (s Status) Is(target error) bool {
	errno, ok := target.(syscall.Errno)
	return ok && s < 0 && s.row().errno == errno
}

// Timeout makes a Status with ETIMEDOUT a timeout to package net.
func (s Status) Timeout() bool { return s == ErrTimeout }

// OpError is a failed call: which, and what libiip said about it.
type OpError struct {
	Op     string // "open", "listen" ...
	Detail string // one sentence that names the value and the remedy; may be empty
	Status Status
}

func (e *OpError) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("iip: %s: %s (%s)", e.Op, e.Detail, e.Status.Name())
	}
	return fmt.Sprintf("iip: %s: %s", e.Op, e.Status.Error())
}

// Unwrap gives the Status.
func (e *OpError) Unwrap() error { return e.Status }

func check(op string, st C.int32_t) error {
	if st < 0 {
		return &OpError{Op: op, Status: Status(st)}
	}
	return nil
}
