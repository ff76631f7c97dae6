package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
)

// line is one row as -json writes it.
type line struct {
	Row   string   `json:"row"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Ratio *float64 `json:"ratio"` // to that of the peer, the median of the rounds; null: there is none
	Peer  *string  `json:"peer"`
	Low   *float64 `json:"low"` // the ratio's range
	High  *float64 `json:"high"`
}

// table is what was measured so far.
type table struct {
	run   *regexp.Regexp
	lines []line
}

func (t *table) wants(name string) bool { return t.run.MatchString(name) }

func (t *table) write(file string) error {
	text, err := json.MarshalIndent(t.lines, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o666)
}

// cost is what one thing of n costs that began then.
func (t *table) cost(name string, began time.Time, n int) {
	ns := float64(time.Since(began).Nanoseconds()) / float64(n)
	fmt.Printf("%-34s %10.1f ns\n", name, ns)
	t.lines = append(t.lines, line{Row: name, Value: ns, Unit: "ns"})
}

// rate is something that is measured once a round.
type rate struct {
	name string
	run  func(d time.Duration) float64 // answers a second
	got  []float64
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func (t *table) rate(r *rate) {
	fmt.Printf("%-34s %10.0f (%.0f .. %.0f)\n", r.name, median(r.got), slices.Min(r.got), slices.Max(r.got))
	t.lines = append(t.lines, line{Row: r.name, Value: median(r.got), Unit: "answers/s"})
}

// ratio compares two of them round by round, so that a machine that slows down in between does not count.
func (t *table) ratio(a, b *rate) {
	if len(a.got) == 0 || len(b.got) == 0 {
		return
	}
	var each []float64
	for i := range a.got {
		each = append(each, a.got[i]/b.got[i])
	}
	m, low, high := median(each), slices.Min(each), slices.Max(each)
	fmt.Printf("%-34s %10.2f (%.2f .. %.2f)\n", a.name+" / "+b.name, m, low, high)
	t.lines = append(t.lines,
		line{Row: a.name, Value: median(a.got), Unit: "answers/s", Ratio: &m, Peer: &b.name, Low: &low, High: &high})
}
