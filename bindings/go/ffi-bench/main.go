// Command ffi-bench tells what crossing into libiip costs here, and what the two layers of the binding reach.
//
//	go run ./ffi-bench [-seconds S] [-rounds N] [-run REGEXP] [-c IIP_LOAD] [-gonet PROGRAM] [-json FILE]
//
// Rates are taken in turn, N rounds of each, and given as median (lowest .. highest); ratios are the median of those of
// each round. With -c the same ping-pong is run by the load generator in C (build/release/examples/c/iip_load), with
// -gonet by two stacks of gVisor in memory (ffi-bench/gonet); go_bench of ci/lib-go.sh does with both. -json writes an
// array of {"row", "value", "unit", "ratio", "peer", "low", "high"}.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"

	iip "iip.example/iip"
)

const conns = 32

var (
	seconds = flag.Float64("seconds", 0.3, "of each rate and round")
	rounds  = flag.Int("rounds", 11, "of each rate")
	only    = flag.String("run", "", "only the rows that this regular expression matches")
	loadC   = flag.String("c", "", "iip_load in C, to compare with")
	gonet   = flag.String("gonet", "", "the program of ffi-bench/gonet, to compare with")
	file    = flag.String("json", "", "write the rows there, too")
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
	rows := &table{run: regexp.MustCompile(*only)}
	fmt.Printf("libiip %s, vendored %v, %s, GOMAXPROCS %d\n\n", iip.Version(), iip.Vendored, runtime.Version(), runtime.GOMAXPROCS(0))
	crossings(rows)
	rates(rows)
	if *file != "" {
		must(0, rows.write(*file))
	}
}
