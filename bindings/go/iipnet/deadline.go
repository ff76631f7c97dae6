package iipnet

import (
	"sync"
	"time"
)

// deadline ends waits on a condition at a time. All of it is guarded by the lock of the condition.
type deadline struct {
	timer   *time.Timer
	round   int  // settings so far: a timer of an older one says nothing
	expired bool // and nothing but a new setting changes that
}

// set takes a new time, or none; one that is past ends the waits at once.
func (d *deadline) set(t time.Time, cond *sync.Cond) {
	d.round++
	d.stop()
	d.expired = false
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.expired = true
		cond.Broadcast()
		return
	}
	round := d.round
	d.timer = time.AfterFunc(left, func() {
		cond.L.Lock()
		defer cond.L.Unlock()
		if d.round == round {
			d.expired = true
			cond.Broadcast()
		}
	})
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
