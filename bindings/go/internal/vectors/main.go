// Command vectors plays a vector of examples/vectors on package iip and prints its trace: vectors DIR FILE.vec; DIR takes
// the captures.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	iip "iip.example/iip"
)

const (
	patternSize = 2 << 20
	pumpMax     = 65536
)

// pattern is what is sent: byte i of a stream is byte i of it. It is not Go's memory, for operations point to it.
var pattern = func() []byte {
	p := must(syscall.Mmap(-1, 0, patternSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE))
	for i := range p {
		p[i] = byte(i*31 + (i>>8)*17)
	}
	return p
}()

var out = bufio.NewWriter(os.Stdout)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "vectors:", err)
		os.Exit(2)
	}
	return v
}

func number(word string) uint64 { return must(strconv.ParseUint(word, 10, 64)) }

// object is what a vector has a name for: connection, listener, endpoint, timer, region.
type object struct {
	at           *player
	name         string
	handle       iip.Handle
	region       *iip.Region
	tx, goal, rx uint64
	rxHash       uint64
	children     int
	blocked      bool // a send was taken in part, and WRITABLE is awaited
}

type heldBuffer struct {
	buf iip.Handle
	len uint32
}

// world is what a vector has made so far.
type world struct {
	dir     string
	players []*player
	all     []*object
	objects map[string]*object
	handles map[iip.Handle]*object
	held    []heldBuffer
}

func (w *world) add(at *player, name string) *object {
	o := &object{at: at, name: name, rxHash: hashStart}
	w.all = append(w.all, o)
	w.objects[name] = o
	return o
}

func (w *world) named(o *object, h iip.Handle) {
	o.handle = h
	if h != 0 {
		w.handles[h] = o
	}
}

func (w *world) object(name string) *object {
	o := w.objects[name]
	if o == nil {
		must(0, fmt.Errorf("no such name: %s", name))
	}
	return o
}

func (w *world) buffer(name string) int { return int(number(strings.TrimPrefix(name, "@"))) }

func (w *world) advance(us uint64) int64 {
	for _, p := range w.players {
		if p.engine != nil {
			return must(p.engine.Advance(time.Duration(us) * time.Microsecond)).Microseconds()
		}
	}
	return 0
}

// turnAll turns all engines until nothing happens.
func (w *world) turnAll() {
	for busy := true; busy; {
		busy = false
		for _, p := range w.players {
			if p.engine != nil && p.turn(false) {
				busy = true
			}
		}
	}
}

func (w *world) run(args []string, line string) {
	w.turnAll()
	var left uint64
	if len(args) > 0 {
		left = number(args[0])
	}
	step := left
	if len(args) > 1 {
		step = number(args[1])
	}
	for left != 0 {
		step = min(step, left)
		w.advance(step)
		left -= step
		w.turnAll()
	}
	fmt.Fprintf(out, "> %s -> %d\n", line, w.advance(0))
}

func (w *world) play(line string) {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(line, "#") {
		return
	}
	switch words[0] {
	case "engine":
		w.players = append(w.players, newPlayer(w, words[1:], line))
	case "run":
		w.run(words[1:], line)
	default:
		for _, p := range w.players {
			if p.name == words[0] {
				p.step(words[1:], line)
			}
		}
	}
}

func main() {
	if len(os.Args) != 3 {
		must(0, fmt.Errorf("give DIR FILE.vec"))
	}
	w := &world{dir: os.Args[1], objects: map[string]*object{}, handles: map[iip.Handle]*object{}}
	for line := range strings.Lines(string(must(os.ReadFile(os.Args[2])))) {
		w.play(strings.TrimSuffix(line, "\n"))
	}
	for _, p := range w.players {
		if p.engine != nil {
			p.end("end")
		}
	}
	must(0, out.Flush())
}
