package iipnet

import (
	"errors"
	"net"
	"os"
	"syscall"

	iip "iip.example/iip"
)

// system is a status as the error of a system call, so that errors.Is with an errno holds as it does with package net. What
// ended with its stack is closed.
func system(call string, st iip.Status) error {
	if st == iip.ErrClosed {
		return net.ErrClosed
	}
	return os.NewSyscallError(call, st.Errno())
}

func asStatus(err error) iip.Status {
	var st iip.Status
	if errors.As(err, &st) {
		return st
	}
	return iip.ErrIO
}

func opError(op, network string, local, peer net.Addr, err error) error {
	return &net.OpError{Op: op, Net: network, Source: local, Addr: peer, Err: err}
}

var errNoSyscallConn = errors.New("a connection of iipnet has no descriptor of the system")

// SyscallConn is there to say so.
func noSyscallConn(network string, local, peer net.Addr) (syscall.RawConn, error) {
	return nil, opError("raw-control", network, local, peer, errNoSyscallConn)
}
