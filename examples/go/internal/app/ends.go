package app

import "strings"

// Server is the address of a program that is both ends of a port of memory.
const Server = "10.9.0.1"

// TwoEnds makes of c the server of such a program, and returns its client.
func TwoEnds(c *Config) (client *Config) {
	if !c.given["port"] {
		c.Port = "pair:self-test"
	}
	if !strings.HasPrefix(c.Port, "pair:") && !strings.HasPrefix(c.Port, "sim:") {
		c.Usage("port", c.Port, "has one end; for --self and --self-test give pair:NAME or sim:NAME")
	}
	other := *c
	client = &other
	c.Addrs = []string{Server + "/24", "fd09::1/64"}
	client.Addrs = []string{"10.9.0.2/24", "fd09::2/64"}
	client.Pcap = "" // the server's record has all packets too
	if c.StatsJSON != "" {
		client.StatsJSON = c.StatsJSON + ".client"
	}
	return client
}
