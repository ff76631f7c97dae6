// Command iip_load is a load generator that verifies every byte.
package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
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
	f := cfg.Flags
	f.StringVar(&p.connect, "connect", "", "the server, A:PORT")
	f.StringVar(&p.mode, "mode", "pp", "pp: messages that an echo server returns; send, recv: bulk; http")
	f.Uint64Var(&p.conns, "conns", 1, "connections")
	f.Uint64Var(&p.size, "size", 1, "pp: bytes of a message")
	f.Uint64Var(&p.depth, "depth", 1, "pp: messages on their way per connection")
	f.Uint64Var(&p.count, "count", 0, "messages in all (10000 without --duration)")
	f.Uint64Var(&p.bytes, "bytes", 0, "send, recv: per connection (10^8 without --duration)")
	f.StringVar(&p.path, "path", "/bytes/1000", "http: what to get")
	f.BoolVar(&p.serve, "serve", false, "be the server of this mode on --listen")
	f.BoolVar(&p.self, "self", false, "be both, on a pair: or sim: port")
	f.BoolVar(&p.json, "json", false, "no table, only the last line")
}

func check(cfg *app.Config, p *plan) {
	if p.mode != "pp" && p.mode != "send" && p.mode != "recv" && p.mode != "http" {
		cfg.Usage("--mode %s: give pp, send, recv or http", p.mode)
	}
	if p.mode == "http" && (p.serve || p.self) {
		cfg.Usage("--mode http: is what iip_http serves")
	}
	if p.conns == 0 || p.size == 0 || p.depth == 0 {
		cfg.Usage("--conns, --size and --depth are 1 or more")
	}
	if !p.serve && !p.self {
		if ap, err := netip.ParseAddrPort(p.connect); err != nil || ap.Port() == 0 {
			cfg.Usage("--connect %s: give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7", p.connect)
		}
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
	case p.serve:
		run := cfg.Open()
		serve(cfg, run.Stack, &p)
		run.Ready()
		run.Wait(nil)
		run.End()
	case p.self:
		if cfg.Port == "" {
			cfg.Port = "pair:self-test"
		}
		cfg.Addrs = []string{app.Server + "/24"}
		server := cfg.Open()
		serve(cfg, server.Stack, &p)
		p.connect = fmt.Sprintf("%s:%d", app.Server, cfg.Listen)
		stack, err := app.Peer(cfg)
		if err != nil {
			cfg.Usage("%v", err)
		}
		failed := client(stack, &p)
		_ = stack.Close()
		server.End()
		os.Exit(failed)
	default:
		run := cfg.Open()
		failed := client(run.Stack, &p)
		run.End()
		os.Exit(failed)
	}
}

// client runs all connections, and reports; it returns the exit code.
func client(stack *iipnet.Stack, p *plan) int {
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
	r.report(stack, p)
	if r.errors.Load()+r.mismatches.Load() != 0 {
		return 1
	}
	return 0
}
