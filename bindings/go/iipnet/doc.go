// Package iipnet is Go's package net on libiip: net.Listener, net.Conn and net.PacketConn whose packets go through a
// stack in this process.
//
//	stack, err := iipnet.Open(iip.Config{Port: "tap:iip0", Addresses: []string{"10.0.0.2/24"}})
//	listener, err := stack.Listen("tcp", ":80")
//	err = http.Serve(listener, nil)
//
// One goroutine for each loop of the engine turns it; Read, Write, Close and the setters leave what they want in
// queues of Go, and never cross into C. While nothing happens that goroutine waits in Go's own poller for the
// descriptor of the loop; a turn never waits.
//
// Close what you open: the garbage collector closes nothing here. What is dropped lives on until Stack.Close.
//
// Errors are those of package net: *net.OpError around os.ErrDeadlineExceeded, net.ErrClosed, or a system error
// (syscall.ECONNRESET, ECONNREFUSED ...), and io.EOF by itself.
package iipnet
