package main

import (
	"strings"
	"testing"
)

func TestSoak(t *testing.T) {
	line, err := soak(plan{seconds: 1, connections: 100, seed: 1})
	if err != nil || !strings.HasSuffix(line, " stale=0 leaks=0") {
		t.Errorf("%s: %v", line, err)
	}
}

// TestMistakesAreNoticed: what is done wrong on purpose is seen, and nothing else.
func TestMistakesAreNoticed(t *testing.T) {
	for m, unlike := range map[mistake]string{readLate: " stale=0 ", releaseMore: " stale=0 ", loseRelease: " leaks=0"} {
		t.Run(string(m), func(t *testing.T) {
			line, err := soak(plan{seconds: 1, connections: 100, seed: 2, mistake: m})
			if err == nil || strings.Contains(line+" ", unlike) {
				t.Errorf("%s: %v", line, err)
			}
		})
	}
}
