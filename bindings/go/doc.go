// Package iip is the Go binding of libiip, a TCP/IP stack that you integrate.
//
// Two layers share one engine:
//
//   - This package is the native loop: an [Engine] opens a port and has one [Loop] a core; [Loop.Run] turns it on a
//     thread of its own and hands batches of events to a [Handler]. Events, operations and bytes are read and written
//     in place, in C memory; a turn is one crossing into C, and nothing else crosses.
//   - Package iipnet, below, gives net.Listener, net.Conn and net.PacketConn on top of it.
//
// The package carries libiip as two C files that cgo compiles. With the build tag iip_system it links the system's
// library instead, which pkg-config finds as "iip". It needs cgo either way.
//
// # Threads
//
// Methods of [Loop] belong to the goroutine that runs it: inside a [Handler] that is the case, and between [Loop.Attach] and
// [Loop.Detach]. Methods that any goroutine may call say so. libiip checks, and answers with [ErrWrongThread].
//
// # Errors
//
// All errors are a [Status] or wrap one, and match the errno that they stand for: errors.Is(err, syscall.EADDRINUSE).
package iip
