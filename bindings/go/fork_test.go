package iip_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestChildrenAreHarmless: Go forks to exec only. The child has no descriptor of the stack, and the stack goes on.
func TestChildrenAreHarmless(t *testing.T) {
	server, client := open(t, "pair:fork%d")
	stop := run(t, server.Loop(0), echo)
	for range 5 {
		out, err := exec.Command("ls", "-l", "/proc/self/fd").Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "eventfd") || strings.Contains(string(out), "eventpoll") {
			t.Errorf("a child has descriptors of the stack:\n%s", out)
		}
		a := &asker{conns: 2, rounds: 50, message: []byte("a child was born")}
		if err := client.Loop(0).Run(context.Background(), a); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
	}
	stop()
}
