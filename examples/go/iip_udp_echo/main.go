// Command iip_udp_echo is a UDP echo server.
package main

import (
	"net"

	"iip.example/examples/internal/app"
)

func main() {
	cfg := app.New("iip_udp_echo", "a UDP echo server", 7)
	cfg.Parse()
	run := cfg.Open()
	c, err := run.Stack.ListenPacket("udp", app.Any(cfg.Listen))
	if err != nil {
		cfg.Fail(err)
	}
	run.Counts.Are("datagrams", "bytes", "refused")
	run.Ready()
	go serve(run, c)
	run.Wait(nil)
	_ = c.Close()
	run.End()
}

func serve(run *app.Run, c net.PacketConn) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		run.Counts.Of("datagrams").Add(1)
		run.Counts.Of("bytes").Add(int64(n))
		if _, err := c.WriteTo(buf[:n], from); err != nil {
			run.Counts.Of("refused").Add(1)
		}
	}
}
