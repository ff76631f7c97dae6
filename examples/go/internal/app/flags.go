// Package app is what the example programs share: flags, signals, statistics, and bytes that can be verified.
package app

import (
	"errors"
	"flag"
	"fmt"
	"io"
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
	Listen         uint
	Pcap           string
	StatsJSON      string
	Duration       time.Duration
	Loops          uint
	Model          string
	Flags          *flag.FlagSet

	routes, tunables []string
}

// list is a flag that may be repeated.
type list struct {
	to     *[]string
	before string
}

func (l list) String() string { return "" }

func (l list) Set(s string) error {
	if s == "" {
		return errors.New("is empty; see --help")
	}
	*l.to = append(*l.to, l.before+s)
	return nil
}

// seconds is a flag such as 2.5.
type seconds struct{ to *time.Duration }

func (s seconds) String() string { return "" }

func (s seconds) Set(text string) error {
	var v float64
	if _, err := fmt.Sscanf(text+" ", "%g ", &v); err != nil || v < 0 || v > 1e9 {
		return errors.New("give seconds, for example 2.5")
	}
	*s.to = time.Duration(v * float64(time.Second))
	return nil
}

// Seconds adds a flag of that kind.
func (c *Config) Seconds(to *time.Duration, name, help string) { c.Flags.Var(seconds{to}, name, help) }

// New is a program with the flags that all of them take.
func New(program, about string, listen uint) *Config {
	c := &Config{Program: program, About: about, Flags: flag.NewFlagSet(program, flag.ContinueOnError)}
	c.Flags.SetOutput(io.Discard)
	c.Flags.StringVar(&c.Port, "port", "", "tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)")
	c.Flags.Var(list{&c.Addrs, ""}, "addr", "our own address A/PLEN; repeatable")
	c.Flags.Var(list{&c.routes, "default via "}, "gateway", "default gateway; repeatable (IPv4, IPv6)")
	c.Flags.UintVar(&c.Listen, "listen", listen, "port that is served")
	c.Flags.StringVar(&c.Pcap, "pcap", "", "record all packets to this file")
	c.Flags.Var(list{&c.tunables, ""}, "set", "NAME=VALUE: a tunable of the stack; repeatable")
	c.Flags.StringVar(&c.StatsJSON, "stats-json", "", "statistics to this file, at the end and on SIGUSR1")
	c.Seconds(&c.Duration, "duration", "end after so many seconds")
	c.Flags.UintVar(&c.Loops, "loops", 1, "loops, one goroutine each (also --threads)")
	c.Flags.UintVar(&c.Loops, "threads", 1, "the same as --loops")
	c.Flags.StringVar(&c.Model, "model", "unified", "unified; split, merge: networking in a thread of its own")
	return c
}

// Parse reads the command line. It ends the program for --help, and for what it cannot understand.
func (c *Config) Parse() {
	err := c.Flags.Parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Printf("%s: %s\n\n", c.Program, c.About)
		c.Flags.VisitAll(func(f *flag.Flag) { fmt.Printf("  --%-22s %s\n", f.Name, f.Usage) })
		os.Exit(0)
	case err != nil:
		c.Usage("%v; --help lists what there is", err)
	case c.Flags.NArg() != 0:
		c.Usage("%s: unexpected; --help lists what there is", c.Flags.Arg(0))
	case c.Listen > 65535:
		c.Usage("--listen %d: give a number from 1 to 65535", c.Listen)
	}
	if _, ok := models[c.Model]; !ok {
		c.Usage("--model %s: give unified, split or merge", c.Model)
	}
	for _, t := range c.tunables {
		if !strings.Contains(t, "=") {
			c.Usage("--set %s: give name=value, for example tcp.mss=1400", t)
		}
	}
}

var models = map[string]iip.Cores{"unified": iip.CoresUnified, "split": iip.CoresSplit, "merge": iip.CoresMerge}

// Usage ends the program because of its arguments, with one line.
func (c *Config) Usage(format string, args ...any) {
	fmt.Fprintf(os.Stderr, c.Program+": "+strings.ReplaceAll(format, "\n", " ")+"\n", args...)
	os.Exit(2)
}

// Fail ends the program because of anything else.
func (c *Config) Fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.Program, err)
	os.Exit(1)
}

// Engine is the configuration of the engine.
func (c *Config) Engine() iip.Config {
	port := c.Port
	if port == "" {
		port = "tap:iip0"
	}
	return iip.Config{Port: port, Addresses: c.Addrs, Routes: c.routes, Tunables: c.tunables, Pcap: c.Pcap,
		Loops: int(c.Loops), Cores: models[c.Model]}
}
