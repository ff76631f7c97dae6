// Command iip_load is a load generator that verifies every byte.
package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"iip.example/examples/internal/app"
	"iip.example/iip/iipnet"
)

// plan is what the flags ask for.
type plan struct {
	connect, mode, path       string
	conns, size, depth, count uint64
	bytes                     uint64
	duration                  time.Duration
	serve, self, json         bool
}

func flags(cfg *app.Config, p *plan) {
	*p = plan{mode: "pp", path: "/bytes/1000", conns: 1, size: 1, depth: 1}
	cfg.Text(&p.connect, "connect", "A:PORT", "the server")
	cfg.Text(&p.mode, "mode", "MODE", "pp: messages that an echo server returns; send, recv: bulk; http")
	cfg.Number(&p.conns, "conns", "N", "connections (1)", 1, 1000000)
	cfg.Number(&p.size, "size", "BYTES", "pp: of a message (1)", 1, 1<<24)
	cfg.Number(&p.depth, "depth", "N", "pp, http: messages on their way per connection (1)", 1, 256)
	cfg.Number(&p.count, "count", "N", "messages in all (10000 without --duration)", 1, 1<<64-1)
	cfg.Number(&p.bytes, "bytes", "N", "send, recv: per connection (10^8 without --duration)", 1, 1<<50)
	cfg.Text(&p.path, "path", "PATH", "http: what to get (/bytes/1000)")
	cfg.Flag(&p.serve, "serve", "be the server of this mode on --listen")
	cfg.Flag(&p.self, "self", "be both, on a pair: or sim: port")
	cfg.Flag(&p.json, "json", "no table, only the last line")
}

func blank(r rune) bool { return r <= ' ' || r == 0x7f }

func check(cfg *app.Config, p *plan) {
	if p.mode != "pp" && p.mode != "send" && p.mode != "recv" && p.mode != "http" {
		cfg.Usage("mode", p.mode, "give pp, send, recv or http")
	}
	if p.mode == "http" && p.serve {
		cfg.Usage("mode", p.mode, "is what iip_http serves")
	}
	if p.mode == "http" && p.self {
		cfg.Usage("mode", p.mode, "with a server in the same process is `iip_http --self-test`")
	}
	if !p.serve && !p.self {
		if !cfg.Given("connect") {
			cfg.Missing("connect", "give the server as ADDRESS:PORT, or --serve, or --self")
		}
		if ap, err := netip.ParseAddrPort(p.connect); err != nil || ap.Port() == 0 {
			cfg.Usage("connect", p.connect, "give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7")
		}
	}
	if p.mode == "http" && (!strings.HasPrefix(p.path, "/") || len(p.path) > 400 || strings.ContainsFunc(p.path, blank)) {
		cfg.Usage("path", p.path, "give a path without blanks, up to 400 bytes, for example /bytes/1000")
	}
	p.duration = cfg.Duration
	if p.duration == 0 && p.count == 0 {
		p.count = 10000
	}
	if p.duration == 0 && p.bytes == 0 {
		p.bytes = 100_000_000
	}
}

func main() {
	cfg := app.New("iip_load", "a load generator that verifies every byte", 7)
	var p plan
	flags(cfg, &p)
	cfg.Parse()
	check(cfg, &p)
	switch {
	case p.self:
		other := app.TwoEnds(cfg)
		server := cfg.Open()
		serve(cfg, server.Stack, &p)
		p.connect = fmt.Sprintf("%s:%d", app.Server, cfg.Listen)
		server.Ready()
		run := other.Open()
		failed := client(other, run.Stack, &run.Counts, &p)
		run.End()
		server.End()
		os.Exit(failed)
	case p.serve:
		run := cfg.Open()
		serve(cfg, run.Stack, &p)
		run.Ready()
		run.Wait(nil)
		run.End()
	default:
		run := cfg.Open()
		failed := client(cfg, run.Stack, &run.Counts, &p)
		run.End()
		os.Exit(failed)
	}
}

// client runs all connections, and reports; it returns the exit code.
func client(cfg *app.Config, stack *iipnet.Stack, counts *app.Counts, p *plan) int {
	r := &result{}
	r.left.Store(int64(p.count))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	if p.duration != 0 {
		time.AfterFunc(p.duration, func() { r.over.Store(true) })
		if p.count == 0 {
			r.left.Store(1 << 62)
		}
	}
	var all sync.WaitGroup
	for range p.conns {
		all.Add(1)
		go func() {
			defer all.Done()
			one(ctx, stack, p, r)
		}()
	}
	all.Wait()
	r.seconds = time.Since(began).Seconds()
	r.report(cfg, stack, p)
	counts.Of("opened").Add(int64(p.conns))
	counts.Of("messages").Add(r.requests.Load())
	counts.Of("payload_bytes").Add(r.bytes.Load())
	if r.errors.Load()+r.mismatches.Load() != 0 {
		return 1
	}
	return 0
}
