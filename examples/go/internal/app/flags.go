// Package app is what the example programs share: flags, signals, statistics, and bytes that can be verified.
package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	iip "iip.example/iip"
)

// Config is what the flags say.
type Config struct {
	Program, About string
	Port           string
	Addrs          []string
	Listen         uint64
	Pcap           string
	StatsJSON      string
	Duration       time.Duration
	Loops          uint64
	Model          string

	routes, tunables []string
	options          []option
	given            map[string]bool // the options that are there
}

// New is a program with the flags that all of them take.
func New(program, about string, listen uint64) *Config {
	c := &Config{Program: program, About: about, Listen: listen, Port: "tap:iip0", Loops: 1, Model: "unified",
		given: map[string]bool{}}
	c.Text(&c.Port, "port", "STRING", "tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)")
	c.list(&c.Addrs, "", "addr", "A/PLEN", "our own address; repeatable")
	c.list(&c.routes, "default via ", "gateway", "G", "default gateway; repeatable (IPv4, IPv6)")
	c.Number(&c.Listen, "listen", "PORT", "port that is served", 1, 65535)
	c.Text(&c.Pcap, "pcap", "FILE", "record all packets")
	c.list(&c.tunables, "", "set", "NAME=VALUE", "a tunable of the stack; repeatable")
	c.Text(&c.StatsJSON, "stats-json", "FILE", "statistics, at the end and on SIGUSR1")
	c.Seconds(&c.Duration, "duration", "S", "end after S seconds")
	c.Number(&c.Loops, "loops", "N", "loops, one thread each (also --threads)", 1, 64)
	c.Text(&c.Model, "model", "MODEL", "unified; split, merge: networking in a thread of its own")
	c.Number(&c.Loops, "threads", "N", "the same as --loops", 1, 64)
	return c
}

// Parse reads the command line. It ends the program for --help, and for what it cannot understand.
func (c *Config) Parse() {
	c.parse(os.Args[1:])
	if _, ok := models[c.Model]; !ok {
		c.Usage("model", c.Model, "give unified, split or merge")
	}
	if set := strings.Join(c.tunables, ","); set != "" && !strings.Contains(set, "=") {
		c.Usage("set", set, "give name=value, for example tcp.mss=1400")
	}
	if c.given["pcap"] && c.Pcap == "" {
		c.Usage("pcap", "", "is empty; name a file")
	}
}

// check is of what a program needs that runs.
func (c *Config) check() {
	if strings.Contains(c.Port, "clock=virtual") {
		c.Usage("port", c.Port, "a virtual clock stands still here; use clock=real")
	}
	if len(c.Addrs) == 0 {
		c.Missing("addr", "give our own address and prefix length, for example 10.0.0.2/24")
	}
	if c.given["stats-json"] {
		c.checkStats()
	}
}

// checkStats sees to it that the statistics can be written: a mistake is told at the beginning, not at the end.
func (c *Config) checkStats() {
	if c.StatsJSON == "" {
		c.Usage("stats-json", "", "is empty; name a file")
	}
	f, err := os.OpenFile(c.newStats(), os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		c.Usage("stats-json", c.StatsJSON, Why(err))
	}
	_ = f.Close()
	_ = os.Remove(c.newStats())
}

// Why is the reason of an error of a file, as C words it.
func Why(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err
	}
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// newStats is the name under which the file is written, before it is whole.
func (c *Config) newStats() string { return c.StatsJSON + ".new" }

var models = map[string]iip.Cores{"unified": iip.CoresUnified, "split": iip.CoresSplit, "merge": iip.CoresMerge}

// Fail ends the program because of anything but its arguments.
func (c *Config) Fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.Program, err)
	os.Exit(1)
}

// Engine is the configuration of the engine.
func (c *Config) Engine() iip.Config {
	return iip.Config{Port: c.Port, Addresses: c.Addrs, Routes: c.routes, Tunables: c.tunables, Pcap: c.Pcap,
		Loops: int(c.Loops), Cores: models[c.Model]}
}
