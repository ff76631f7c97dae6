package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	iip "iip.example/iip"
)

const hashStart = 0xcbf29ce484222325

// hash goes on with FNV-1a.
func hash(h uint64, data []byte) uint64 {
	for _, b := range data {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	return h
}

func nameOf(err error) string {
	if err == nil {
		return iip.OK.Name()
	}
	var st iip.Status
	if !errors.As(err, &st) {
		must(0, err)
	}
	return st.Name()
}

// player is one engine of a vector.
type player struct {
	world            *world
	name, pcap       string
	engine           *iip.Engine
	loop             *iip.Loop
	hold, mute, list bool
	state            iip.State
	stale            uint64
	pending          []pending
}

func newPlayer(w *world, words []string, line string) *player {
	p := &player{world: w, name: words[0], pcap: w.dir + "/" + words[0] + ".pcap"}
	seed := words[0][0]
	cfg := iip.Config{Port: words[1], Addresses: []string{words[2]}, Pcap: p.pcap, Seed: uint64(seed)}
	for i := range cfg.Key {
		cfg.Key[i] = seed
	}
	p.hold, p.mute, p.list = slices.Contains(words[3:], "hold"), slices.Contains(words[3:], "mute"), slices.Contains(words[3:], "list")
	for _, word := range words[3:] {
		if bytes, ok := strings.CutPrefix(word, "spill="); ok {
			cfg.SpillBytes = number(bytes)
		}
		if tunables, ok := strings.CutPrefix(word, "tunables="); ok {
			cfg.Tunables = []string{tunables}
		}
	}
	e, err := iip.Open(cfg)
	fmt.Fprintf(out, "> %s -> %s\n", line, nameOf(err))
	if err == nil {
		p.engine, p.loop = e, e.Loop(0)
		must(0, p.loop.Attach())
	}
	return p
}

// subject is the object of an event, which may be new.
func (p *player) subject(e *iip.Event) *object {
	if e.Type != iip.EventAccept {
		return p.world.handles[e.Src]
	}
	listener := p.world.handles[iip.Handle(e.Value)]
	listener.children++
	o := p.world.add(p, fmt.Sprintf("%s.%d", listener.name, listener.children))
	p.world.named(o, e.Src)
	return o
}

func (p *player) keep(o *object, e *iip.Event) {
	o.rx += uint64(e.Len)
	o.rxHash = hash(o.rxHash, e.Bytes())
	p.world.held = append(p.world.held, heldBuffer{e.Buf, e.Len})
	if !p.hold {
		p.loop.Release(e.Buf)
	}
}

func (p *player) tellEvent(e *iip.Event) {
	o := p.subject(e)
	if o == nil {
		o = &object{name: "-"}
	}
	if e.Type == iip.EventWritable {
		o.blocked = false
	}
	data := e.Bytes()
	if e.Buf != 0 {
		p.keep(o, e)
		if p.mute {
			return
		}
	}
	fmt.Fprintf(out, "%d %s %s %s %s", p.loop.Now().Microseconds(), p.name, o.name, e.Type, e.Status.Name())
	for _, f := range []struct {
		name string
		n    uint64
	}{{"user", e.User}, {"flags", uint64(e.Flags)}, {"len", uint64(e.Len)}} {
		if f.n != 0 {
			fmt.Fprintf(out, " %s=%d", f.name, f.n)
		}
	}
	if e.Buf != 0 {
		fmt.Fprintf(out, " hash=%016x buf=@%d", hash(hashStart, data), len(p.world.held)-1)
	}
	if e.Value != 0 && e.Type != iip.EventAccept && e.Value != uint64(e.Src) {
		fmt.Fprintf(out, " value=%d", e.Value)
	}
	if local, peer := p.loop.Addrs(e); local.IsValid() {
		fmt.Fprintf(out, " local=%s peer=%s", local, peer)
	}
	fmt.Fprintln(out)
}

func (p *player) pump() {
	for _, o := range p.world.all {
		if o.at == p && o.goal > o.tx && !o.blocked {
			n := fmt.Sprint(min(pumpMax, o.goal-o.tx))
			p.operation([]string{"send", o.name, n}, fmt.Sprintf("%s send %s %s", p.name, o.name, n), false)
		}
	}
}

// turn tells whether something happened.
func (p *player) turn(flush bool) bool {
	p.pump()
	done := p.pending
	p.pending = nil
	if flush {
		p.loop.Flush()
	}
	events := must(p.loop.Turn(0))
	results := p.loop.Results()
	for i, d := range done {
		p.tellOperation(&results[i], d)
	}
	now := p.loop.Now().Microseconds()
	if stale := p.loop.StaleReleases(); stale != p.stale {
		fmt.Fprintf(out, "%d %s release_failed=%d\n", now, p.name, stale-p.stale)
		p.stale = stale
	}
	for i := range events {
		p.tellEvent(&events[i])
	}
	state := p.loop.State() &^ iip.StateMore
	if state != p.state {
		fmt.Fprintf(out, "%d %s state=%d\n", now, p.name, state)
	}
	p.state = state
	return len(done) != 0 || len(events) != 0 || p.loop.Received() != 0 || p.loop.More()
}

// ---- steps that are no operations ----

func (p *player) listenAll(args []string) error {
	o, backlog := p.world.add(p, args[0]), 0
	if len(args) > 2 {
		backlog = int(number(args[2]))
	}
	h, err := p.engine.Listen(address(args[1]), backlog, uint64(len(p.world.all)))
	p.world.named(o, h)
	return err
}

func (p *player) atOnce(words []string) error {
	switch verb, args := words[0], words[1:]; verb {
	case "inject":
		return p.engine.Inject(must(hex.DecodeString(args[0])))
	case "mtu":
		return p.engine.SetMTU(int(number(args[0])))
	case "retain":
		return iip.RetainHandle(p.world.held[p.world.buffer(args[0])].buf)
	case "free":
		return iip.ReleaseHandle(p.world.held[p.world.buffer(args[0])].buf)
	case "listenall":
		return p.listenAll(args)
	case "unlistenall":
		return p.engine.Unlisten(p.world.object(args[0]).handle)
	case "attach":
		return p.loop.Attach()
	case "detach":
		return p.loop.Detach()
	case "region":
		o := p.world.add(p, args[0])
		r, err := p.engine.Register(pattern[:number(args[1])])
		if err == nil {
			o.region = r
			p.world.named(o, r.Handle())
		}
		return err
	case "unregion":
		o := p.world.object(args[0])
		if o.region == nil { // it is none: by its handle, which the library refuses
			return iip.UnregisterHandle(o.handle)
		}
		return o.region.Close()
	case "loopclose":
		return p.loop.End()
	}
	return fmt.Errorf("no such step: %s", words[0])
}

func (p *player) step(words []string, line string) {
	verb, args := words[0], words[1:]
	if _, ok := verbs[verb]; ok {
		p.operation(words, line, false)
		return
	}
	switch verb {
	case "post":
		p.operation(args, line, true)
	case "release":
		for i, last := p.world.buffer(args[0]), p.world.buffer(args[len(args)-1]); i <= last; i++ {
			p.loop.Release(p.world.held[i].buf)
		}
	case "turn":
		p.turn(len(args) != 0)
	case "pump":
		p.world.object(args[0]).goal = number(args[1])
	case "count":
		fmt.Fprintf(out, "> %s -> %d\n", line, must(p.loop.Counters())[args[0]])
	case "sum":
		o := p.world.object(args[0])
		fmt.Fprintf(out, "> %s -> rx=%d %016x tx=%d %016x\n", line, o.rx, o.rxHash, o.tx, hash(hashStart, pattern[:o.tx]))
	case "end":
		p.end(line)
	default:
		fmt.Fprintf(out, "> %s -> %s\n", line, nameOf(p.atOnce(words)))
	}
}

func (p *player) end(line string) {
	l := must(p.engine.Close())
	p.engine = nil
	fmt.Fprintf(out, "> %s -> IIP_OK bufs=%d conns=%d listeners=%d udps=%d timers=%d externs=%d regions=%d\n", line, l.Bufs, l.Conns,
		l.Listeners, l.UDPs, l.Timers, l.Externs, l.Regions)
	p.frames(must(os.ReadFile(p.pcap))[24:])
}

// frames tells of what went by: records of seconds, microseconds, bytes kept, bytes, and those.
func (p *player) frames(capture []byte) {
	sum, n := uint64(hashStart), 0
	for ; len(capture) != 0; n++ {
		field := func(i int) uint64 { return uint64(binary.NativeEndian.Uint32(capture[4*i:])) }
		size := field(2)
		text := fmt.Sprintf("%d %d %016x\n", field(0)*1_000_000+field(1), size, hash(hashStart, capture[16:16+size]))
		capture = capture[16+size:]
		sum = hash(sum, []byte(text))
		if p.list {
			fmt.Fprintf(out, "%s frame %s", p.name, text)
		}
	}
	fmt.Fprintf(out, "%s frames=%d hash=%016x\n", p.name, n, sum)
}
