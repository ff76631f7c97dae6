//! Timers: an ordered map, whose earliest entry is a timer of the loop. So they follow the loop's clock, virtual ones too.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::{Loop, Timer};

type Key = (u64, u64);

#[derive(Default)]
pub(crate) struct Timers {
    waiting: RefCell<BTreeMap<Key, Arc<State>>>,
    next: Cell<u64>,
    /// The timer of the loop, and the time that it is set for.
    armed: Cell<Option<(Timer, u64)>>,
}

#[derive(Default)]
struct State {
    fired: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl State {
    fn keep(&self, waker: Option<Waker>) -> Option<Waker> {
        std::mem::replace(&mut *self.waker.lock().unwrap_or_else(PoisonError::into_inner), waker)
    }
}

impl Timers {
    fn add(&self, at_us: u64) -> Sleep {
        let key = (at_us, self.next.replace(self.next.get() + 1));
        let state = Arc::new(State::default());
        self.waiting.borrow_mut().insert(key, state.clone());
        Sleep { state, key }
    }

    /// Before a turn: the earliest is what the loop waits for.
    pub(crate) fn arm(&self, l: &Loop) {
        let Some((&(first, _), _)) = self.waiting.borrow().first_key_value().map(|(k, v)| (k, v.clone())) else {
            return;
        };
        match self.armed.get() {
            Some((_, at)) if at <= first => return,
            Some((timer, _)) => drop(l.cancel(timer)),
            None => {}
        }
        self.armed.set(l.timer_at(first, 0).ok().map(|timer| (timer, first)));
    }

    /// The loop is given up.
    pub(crate) fn disarm(&self, l: &Loop) {
        if let Some((timer, _)) = self.armed.take() {
            let _ = l.cancel(timer); // or it has expired
        }
    }

    /// The loop's timer expired.
    pub(crate) fn expired(&self, timer: Timer) {
        if self.armed.get().is_some_and(|(armed, _)| armed == timer) {
            self.armed.set(None);
        }
    }

    pub(crate) fn fire(&self, now_us: u64, wakers: &mut Vec<Waker>) {
        let mut waiting = self.waiting.borrow_mut();
        while let Some(entry) = waiting.first_entry() {
            if entry.key().0 > now_us {
                return;
            }
            let state = entry.remove();
            state.fired.store(true, Ordering::Release);
            wakers.extend(state.keep(None));
        }
    }
}

/// A point of time to wait for. Made on the runtime's thread, and it expires there; it may be awaited and dropped anywhere.
#[derive(Debug)]
#[must_use = "nothing waits until it is awaited"]
pub struct Sleep {
    state: Arc<State>,
    key: Key,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fired: {}", self.fired.load(Ordering::Relaxed))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let before = self.state.keep(Some(waker));
        drop(before); // code of others: nothing is locked

        // After the waker stands there: who fires does it in the other order.
        if self.state.fired.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if self.state.fired.load(Ordering::Acquire) {
            return;
        }
        // Elsewhere it stays until its time has come, and wakes nobody.
        let before = self.state.keep(None);
        if let Some(rt) = super::try_current() {
            let mut waiting = rt.timers.waiting.borrow_mut();
            if waiting.get(&self.key).is_some_and(|state| Arc::ptr_eq(state, &self.state)) {
                waiting.remove(&self.key);
            }
        }
        drop(before);
    }
}

/// Done so long from now. Panics outside of a runtime.
pub fn sleep(time: Duration) -> Sleep {
    let rt = super::current();
    let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let now = rt.with(Loop::clock_us).unwrap_or(rt.now_us.get());
    rt.timers.add(now.saturating_add(us))
}

/// Done at this time of the loop's clock, in microseconds.
pub fn sleep_until(at_us: u64) -> Sleep {
    super::current().timers.add(at_us)
}

/// The future's result, or `None` when it takes longer; it is dropped then.
pub async fn timeout<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let mut sleep = sleep(time);
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |cx| {
        if let Poll::Ready(out) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(out));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| None)
    })
    .await
}
