package iipnet

import (
	"fmt"
	"testing"

	iip "iip.example/iip"
)

// TestCoresEnd: a stack whose networking has threads of its own ends, whatever those do at that time.
func TestCoresEnd(t *testing.T) {
	for _, cores := range []iip.Cores{iip.CoresSplit, iip.CoresMerge} {
		for i := range 50 {
			s := openRest(t, fmt.Sprintf("cores%d-%d", cores, i), "1", func(cfg *iip.Config) { cfg.Cores = cores })
			if i%2 == 0 {
				if _, err := s.Listen("tcp", ":7"); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCoresListenersEnd: what is asked of a loop that sleeps, by any goroutine, is done, whoever does the networking.
func TestCoresListenersEnd(t *testing.T) {
	for _, cores := range []iip.Cores{iip.CoresUnified, iip.CoresSplit, iip.CoresMerge} {
		s := openRest(t, fmt.Sprintf("listeners%d", cores), "1", func(cfg *iip.Config) { cfg.Cores = cores })
		for range 20 {
			l, err := s.Listen("tcp", ":7")
			if err != nil {
				t.Fatal(err)
			}
			atRest(t, s)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
