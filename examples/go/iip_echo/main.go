// Command iip_echo is a TCP echo server.
package main

import (
	"io"
	"net"
	"sync"

	"iip.example/examples/internal/app"
)

func main() {
	cfg := app.New("iip_echo", "a TCP echo server", 7)
	cfg.Parse()
	run := cfg.Open()
	run.Counts.Are("accepted", "bytes")
	l, err := run.Stack.Listen("tcp", app.Any(cfg.Listen))
	if err != nil {
		cfg.Fail(err)
	}
	run.Ready()
	var all sync.WaitGroup
	go serve(run, l, &all)
	run.Wait(nil)
	_ = l.Close()
	run.End()
	all.Wait()
}

func serve(run *app.Run, l net.Listener, all *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		run.Counts.Of("accepted").Add(1)
		all.Add(1)
		go func() {
			defer all.Done()
			n, _ := io.Copy(c, c) // a connection that fails ends: there is nobody to tell
			_ = c.Close()
			run.Counts.Of("bytes").Add(n)
		}()
	}
}
