package app

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// option is one of the command line; set puts its value where it goes, or says what would be right.
type option struct {
	name, value, help string // no value: a flag
	set               func(text string) (remedy string)
}

func (c *Config) add(o option) { c.options = append(c.options, o) }

// Text adds an option whose value is taken as it is.
func (c *Config) Text(to *string, name, value, help string) {
	c.add(option{name, value, help, func(text string) string { *to = text; return "" }})
}

// list adds an option that may be repeated.
func (c *Config) list(to *[]string, before, name, value, help string) {
	c.add(option{name, value, help, func(text string) string {
		if text == "" {
			return "is empty; see --help"
		}
		*to = append(*to, before+text)
		return ""
	}})
}

// Number adds an option whose value is a number in a range.
func (c *Config) Number(to *uint64, name, value, help string, low, high uint64) {
	c.add(option{name, value, help, func(text string) string {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || text[0] == '+' || n < low || n > high {
			return fmt.Sprintf("give a number from %d to %d", low, high)
		}
		*to = n
		return ""
	}})
}

// Seconds adds an option such as 2.5.
func (c *Config) Seconds(to *time.Duration, name, value, help string) {
	c.add(option{name, value, help, func(text string) string {
		s, err := strconv.ParseFloat(text, 64)
		if errors.Is(err, strconv.ErrRange) && s == 0 {
			err = nil // too little to tell from nothing
		}
		if err != nil || strings.Trim(text, "0123456789.eE+-") != "" || s < 0 || s >= 1e9 {
			return "give seconds, for example 2.5"
		}
		*to = time.Duration(s * float64(time.Second))
		return ""
	}})
}

// Flag adds an option without value.
func (c *Config) Flag(to *bool, name, help string) {
	c.add(option{name, "", help, func(string) string { *to = true; return "" }})
}

// Given tells whether an option is there.
func (c *Config) Given(name string) bool { return c.given[name] }

func (c *Config) help() {
	fmt.Printf("%s: %s\n\n", c.Program, c.About)
	for _, o := range append(c.options, option{name: "help", help: "this text"}) {
		fmt.Printf("  %-24s %s\n", strings.TrimRight("--"+o.name+" "+o.value, " "), o.help)
	}
}

// wrong ends the program because of a word that is none of its options.
func (c *Config) wrong(word, what string) {
	fmt.Fprintf(os.Stderr, "%s: %s: %s; --help lists what there is\n", c.Program, word, what)
	os.Exit(2)
}

// Usage ends the program because of the value of an option, with one line that says what would be right.
func (c *Config) Usage(option, value, remedy string) { c.end(option+" "+value, remedy) }

// Missing ends it because an option is not there.
func (c *Config) Missing(option, remedy string) { c.end(option, "missing; "+remedy) }

func (c *Config) end(what, remedy string) {
	fmt.Fprintf(os.Stderr, "%s: --%s: %s\n", c.Program, what, remedy)
	os.Exit(2)
}

func (c *Config) find(name string) *option {
	for i := range c.options {
		if c.options[i].name == name {
			return &c.options[i]
		}
	}
	return nil
}

// parse reads the words of the command line.
func (c *Config) parse(words []string) {
	for len(words) != 0 {
		word := words[0]
		words = words[1:]
		if word == "-h" || word == "--help" {
			c.help()
			os.Exit(0)
		}
		if word == "--" {
			if len(words) == 0 {
				return
			}
			c.wrong(words[0], "unexpected")
		}
		if !strings.HasPrefix(word, "-") || word == "-" {
			c.wrong(word, "unexpected")
		}
		name, value, given := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		o := c.find(name)
		switch {
		case given && name == "help":
			c.wrong(word, "takes no value")
		case o == nil || !strings.HasPrefix(word, "--"):
			c.wrong(word, "no such option")
		case given && o.value == "":
			c.wrong(word, "takes no value")
		case !given && o.value != "":
			if len(words) == 0 {
				c.wrong(word, "needs a value")
			}
			value, words = words[0], words[1:]
		}
		c.given[name] = true
		if remedy := o.set(value); remedy != "" {
			c.Usage(o.name, value, remedy)
		}
	}
}
