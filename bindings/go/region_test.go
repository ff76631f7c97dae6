package iip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	iip "iip.example/iip"
)

// sender sends a region whole, in pieces that the send queue takes, and ends when all of it may be reused.
type sender struct {
	region   *iip.Region
	conn     iip.Handle
	at, done uint64
	stuck    bool
	busy     error // of a Close with bytes under way
}

func (s *sender) Start(l *iip.Loop) error { _, err := l.Connect(server7, 0); return err }

func (s *sender) Turn(l *iip.Loop, events []iip.Event) error {
	for _, op := range l.Results() {
		if op.Code == iip.OpSendExtern {
			s.at += op.Out
			s.stuck = s.stuck || op.Out < uint64(op.Len)
		}
	}
	for i := range events {
		switch e := &events[i]; e.Type {
		case iip.EventConnected:
			s.conn = e.Src
		case iip.EventWritable:
			s.stuck = false
		case iip.EventTxDone:
			if e.Bytes() != nil {
				return errors.New("TX_DONE names bytes")
			}
			s.done += uint64(e.Len)
		case iip.EventClosed:
			return e.Status
		}
	}
	size := uint64(len(s.region.Bytes()))
	if s.at != 0 && s.done == 0 {
		s.busy = s.region.Close()
	}
	if s.done == size {
		return errDone
	}
	if s.conn != 0 && !s.stuck && s.at < size {
		l.SendRegion(s.conn, s.region, s.at, uint32(min(size-s.at, 100_000)), 0)
		l.Again()
	}
	return nil
}

// sendRegion sends it and returns what came.
func sendRegion(t *testing.T, register func(e *iip.Engine) (*iip.Region, error)) {
	t.Helper()
	server, client := open(t, "pair:region%d")
	region, err := register(client)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	stop := run(t, server.Loop(0), handler{listens, func(l *iip.Loop, events []iip.Event) error {
		for i := range events {
			if e := &events[i]; e.Type == iip.EventData {
				got.Write(e.Bytes())
				l.Release(e.Buf)
			}
		}
		return nil
	}})
	s := &sender{region: region}
	if err := client.Loop(0).Run(context.Background(), s); !errors.Is(err, errDone) {
		t.Fatal(err)
	}
	stop()
	if !bytes.Equal(got.Bytes(), region.Bytes()) {
		t.Errorf("%d bytes came, not those of the region", got.Len())
	}
	if !errors.Is(s.busy, iip.ErrBusy) || !errors.Is(s.busy, syscall.EBUSY) {
		t.Errorf("Close of a region that is being sent: %v", s.busy)
	}
	if err := region.Close(); err != nil || region.Bytes() != nil {
		t.Error(err)
	}
	if err := region.Close(); !errors.Is(err, iip.ErrStale) {
		t.Errorf("a second Close: %v", err)
	}
	if leaks, err := client.Close(); err != nil || leaks.Externs != 0 || leaks.Regions != 0 {
		t.Errorf("%+v %v", leaks, err)
	}
}

func TestRegionIsSentInPlace(t *testing.T) {
	sendRegion(t, func(e *iip.Engine) (*iip.Region, error) {
		r, err := e.NewRegion(1 << 20)
		if err == nil {
			for i := range r.Bytes() {
				r.Bytes()[i] = byte(i * 7 >> 3)
			}
		}
		return r, err
	})
}

// TestMappedFileIsSent: memory that the application mapped itself.
func TestMappedFileIsSent(t *testing.T) {
	name := t.TempDir() + "/file"
	text := bytes.Repeat([]byte("a file that nobody reads\n"), 20_000)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	memory, err := syscall.Mmap(int(f.Fd()), 0, len(text), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(memory) }()
	sendRegion(t, func(e *iip.Engine) (*iip.Region, error) { return e.Register(memory) })
}

func TestRegionErrors(t *testing.T) {
	server, client := open(t, "pair:region%d")
	if _, err := server.Register(nil); !errors.Is(err, iip.ErrInval) {
		t.Errorf("no memory: %v", err)
	}
	if _, err := server.NewRegion(0); err == nil {
		t.Error("a region of nothing")
	}
	mine, err := server.NewRegion(4096)
	if err != nil {
		t.Fatal(err)
	}
	again, err := server.Register(mine.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := iip.UnregisterHandle(again.Handle()); err != nil {
		t.Error(err)
	}
	if err := iip.UnregisterHandle(again.Handle()); !errors.Is(err, iip.ErrStale) {
		t.Errorf("twice: %v", err)
	}
	l := client.Loop(0)
	c, err := l.Connect(server7, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := iip.UnregisterHandle(c); !errors.Is(err, iip.ErrStale) {
		t.Errorf("of a connection: %v", err)
	}
	l.Push(iip.Op{Code: iip.OpSendExtern, Obj: c, Buf: mine.Handle() + 1, Len: 1})
	l.SendRegion(c, mine, 4096, 1, 0) // behind its end
	if _, err := l.Turn(0); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(l.Results()[0].Status.Name(), l.Results()[1].Status.Name()); l.Results()[0].Status != iip.ErrStale || l.Results()[1].Status >= 0 {
		t.Error(got)
	}
	leaks, err := server.Close()
	if err != nil || leaks.Regions != 1 {
		t.Errorf("%+v %v", leaks, err)
	}
	if err := mine.Close(); err != nil { // the engine is gone: only the memory goes
		t.Error(err)
	}
	if _, err := server.NewRegion(4096); !errors.Is(err, iip.ErrClosed) {
		t.Errorf("of a closed engine: %v", err)
	}
}
