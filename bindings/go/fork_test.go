package iip_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
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

const forkedFine = 42

// TestForkedChild: what C code that forks without exec would find: all calls of the child say ErrForked, the parent goes
// on. The fork is that of a process of its own, for Go does not survive one for long.
func TestForkedChild(t *testing.T) {
	if os.Getenv("IIP_GO_FORKS") != "" {
		forks(t)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestForkedChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), "IIP_GO_FORKS=1", "GOGC=off", "GOMAXPROCS=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func forks(t *testing.T) {
	server, client := open(t, "pair:forked%d")
	l := server.Loop(0)
	if err := l.Attach(); err != nil {
		t.Fatal(err)
	}
	child, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if child == 0 {
		_, turn := l.Turn(0)
		_, listen := server.Listen(anyPort7, 0, 0)
		_, info := server.Info()
		code := uintptr(1)
		if errors.Is(turn, iip.ErrForked) && errors.Is(listen, iip.ErrForked) && errors.Is(info, iip.ErrForked) {
			code = forkedFine
		}
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, code, 0, 0)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(int(child), &status, 0, nil); err != nil || status.ExitStatus() != forkedFine {
		t.Errorf("the child ended with %v, %v", status, err)
	}
	runtime.KeepAlive(server)
	if err := l.Detach(); err != nil {
		t.Error(err)
	}
	defer run(t, l, echo)()
	a := &asker{conns: 2, rounds: 50, message: []byte("the parent goes on")}
	if err := client.Loop(0).Run(context.Background(), a); !errors.Is(err, errDone) {
		t.Error(err)
	}
}
