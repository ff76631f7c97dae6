// Command ffi-bench tells what crossing into libiip costs here, and what the two layers of the binding reach.
//
//	go run ./ffi-bench [-seconds S] [-rounds N] [-c build/release/examples/c/iip_load]
//
// Rates are taken in turn, N rounds of each, and given as median (lowest .. highest). With -c the same ping-pong is run
// by the load generator in C, for the ratio.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	iip "iip.example/iip"
)

const conns = 32

var (
	seconds = flag.Float64("seconds", 1, "of each rate and round")
	rounds  = flag.Int("rounds", 5, "of each rate")
	loadC   = flag.String("c", "", "iip_load in C, to compare with")
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, "ffi-bench:", err)
		os.Exit(1)
	}
	return v
}

func main() {
	flag.Parse()
	fmt.Printf("libiip %s, vendored %v, %s, GOMAXPROCS %d\n\n", iip.Version(), iip.Vendored, runtime.Version(), runtime.GOMAXPROCS(0))
	crossings()
	rates()
}

// row is what one thing of n costs.
func row(name string, began time.Time, n int) {
	fmt.Printf("%-34s %8.1f ns\n", name, float64(time.Since(began).Nanoseconds())/float64(n))
}

type rate struct {
	name string
	run  func(d time.Duration) float64 // answers a second
	got  []float64
}

func rates() {
	all := []*rate{
		{name: "native loops, pair", run: nativeRate},
		{name: "iipnet net.Conn, pair", run: iipnetRate},
		{name: "Go's net, loopback", run: loopbackRate},
	}
	if *loadC != "" {
		all = append(all, &rate{name: "C, iip_load --self", run: cRate})
	}
	fmt.Printf("\nping-pong of 1 byte, %d connections, both ends in this process [answers/s]\n", conns)
	for range *rounds {
		for _, r := range all {
			r.got = append(r.got, r.run(time.Duration(*seconds*float64(time.Second))))
		}
	}
	for _, r := range all {
		slices.Sort(r.got)
		fmt.Printf("%-34s %10.0f (%.0f .. %.0f)\n", r.name, r.median(), r.got[0], r.got[len(r.got)-1])
	}
	fmt.Printf("\niipnet / loopback: %.2f\n", all[1].median()/all[2].median())
	if *loadC != "" {
		fmt.Printf("native / C: %.2f\n", all[0].median()/all[3].median())
	}
}

func (r *rate) median() float64 { return r.got[len(r.got)/2] }
