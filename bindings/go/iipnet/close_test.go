package iipnet_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	iip "iip.example/iip"
	"iip.example/iip/iipnet"
)

func spawn(all *sync.WaitGroup, f func()) {
	all.Add(1)
	go func() {
		defer all.Done()
		f()
	}()
}

// TestCloseWhileDialing: a stack that ends ends all dials, those too that wait for room to be asked.
func TestCloseWhileDialing(t *testing.T) {
	for range 3 {
		_, client := pair(t, "pair:close%d")
		const dials = 4000
		var began, ended sync.WaitGroup
		began.Add(dials)
		for range dials {
			spawn(&ended, func() {
				began.Done()
				c, err := client.Dial("tcp", "10.0.0.2:9")
				if err == nil {
					_ = c.Close()
				} else if !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EPIPE) &&
					!errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.ECONNABORTED) {
					t.Error(err)
				}
			})
		}
		began.Wait()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		ended.Wait()
		if _, err := client.Dial("tcp", "10.0.0.2:9"); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

// iipnetGoroutines counts those that run in the package or in package iip.
func iipnetGoroutines() int {
	buf := make([]byte, 64<<20)
	n := 0
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "iip.example/iip/iipnet.") || strings.Contains(g, "iip.example/iip.") {
			n++
		}
	}
	return n
}

// TestNoGoroutineIsLeft when all was closed, nor a descriptor that children would get.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := iipnetGoroutines()
	server, client := pair(t, "pair:close%d")
	l, err := server.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	var all, dials sync.WaitGroup
	spawn(&all, func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			spawn(&all, func() {
				_, _ = c.(duplex).ReadFrom(c)
				_ = c.Close()
			})
		}
	})
	for range 200 {
		spawn(&dials, func() {
			c, err := client.Dial("tcp", "10.0.0.2:80")
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			_, _ = c.Write([]byte("x"))
			_, _ = c.Read(make([]byte, 1))
			if out, err := exec.Command("true").CombinedOutput(); err != nil { // while the loops run
				t.Error(string(out), err)
			}
			_ = c.Close()
		})
	}
	dials.Wait()
	_ = l.Close()
	all.Wait()
	_ = server.Close()
	_ = client.Close()
	until(t, "goroutines are left", func() bool { return iipnetGoroutines() <= before })
}

// TestNothingIsLeftOfAFailedOpen, at whichever descriptor the system has no more.
func TestNothingIsLeftOfAFailedOpen(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	before, failed := iipnetGoroutines(), 0
	for n := uint64(openFiles(t)); ; n++ {
		few := limit
		few.Cur = n
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
			t.Fatal(err)
		}
		s, err := iipnet.Open(iip.Config{Port: fmt.Sprintf("pair:few%d", names.Add(1)), Addresses: []string{"10.0.0.2/24"}, Loops: 4})
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			_ = s.Close()
			break
		}
		if failed++; failed == 300 {
			t.Fatal("each time descriptors are left")
		}
	}
	until(t, "goroutines are left", func() bool { return iipnetGoroutines() <= before })
	if failed < 4 {
		t.Errorf("only %d times", failed)
	}
}

// openFiles is the first number of a descriptor that is free.
func openFiles(t *testing.T) int {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return int(f.Fd())
}
