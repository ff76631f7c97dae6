package iipnet

import (
	"sync"
	"time"
)

// deadline ends waits on a condition at a time. All of it is guarded by the lock of the condition.
type deadline struct {
	timer *time.Timer
	at    time.Time // by the monotonic clock, while there is a timer
	round int       // settings so far: a timer of an older one says nothing
	past  bool      // and nothing but a new setting changes that
}

// expired goes by the time: the timer, which only ends waits, may have its turn later than who slept as long.
func (d *deadline) expired() bool {
	if !d.past && d.timer != nil {
		d.past = !time.Now().Before(d.at)
	}
	return d.past
}

// set takes a new time, or none; one that is past ends the waits at once.
func (d *deadline) set(t time.Time, cond *sync.Cond) {
	d.round++
	d.stop()
	d.past = false
	if t.IsZero() {
		return
	}
	now := time.Now()
	left := t.Sub(now)
	if left <= 0 {
		d.past = true
		cond.Broadcast()
		return
	}
	round := d.round
	d.at = now.Add(left)
	d.timer = time.AfterFunc(left, func() {
		cond.L.Lock()
		defer cond.L.Unlock()
		if d.round == round {
			d.past = true
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
