//! A loop and its turn.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use iip_sys as sys;

use crate::buf::TxBuf;
use crate::engine::{Engine, EngineInner};
use crate::error::{check, Result};
use crate::event::Batch;
use crate::handle::Conn;
use crate::queue::{thread_token, Opt, Queue, Shared};
use crate::region::Externs;
use crate::remote::Remote;
use crate::stats::{self, ConnInfo, LoopStats};

/// How long a turn waits when nothing is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// This long, at most.
    For(Duration),
    /// Until something happens.
    Forever,
    /// Not at all, and unless events are handed up the loop parks: [`Loop::fd`] becomes readable when a turn is due.
    Park,
}

/// What a turn says of its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State(u32);

macro_rules! state {
    ($($(#[$doc:meta])* $name:ident = $bit:ident;)*) => {
        impl State {
            $($(#[$doc])*
            pub fn $name(self) -> bool {
                self.0 & sys::$bit != 0
            })*
        }
    };
}

state! {
    /// Events wait for room: turn again at once.
    more = IIP_STATE_MORE;
    /// The port is full: packets wait for it to be writable.
    tx_pending = IIP_STATE_TX_PENDING;
    /// Few packet buffers are free: release some.
    pool_low = IIP_STATE_POOL_LOW;
    /// Parked, see [`Wait::Park`].
    parked = IIP_STATE_PARKED;
    /// The link is down.
    link_down = IIP_STATE_LINK_DOWN;
    /// [`Loop::close`] has come to its end.
    closed = IIP_STATE_CLOSED;
}

/// A loop that the calling thread owns: one queue of the port, one stack. Neither `Send` nor `Sync`; dropped, it is given
/// up, and any thread may attach to it again.
///
/// It derefs to its [`Queue`], where operations are written.
pub struct Loop {
    shared: Arc<Shared>,
    local: PhantomData<*const ()>,
}

impl std::ops::Deref for Loop {
    type Target = Queue;

    #[inline]
    fn deref(&self) -> &Queue {
        &self.shared.queue
    }
}

impl Loop {
    pub(crate) fn attach(engine: &Arc<EngineInner>, index: u32) -> Result<Loop> {
        engine.claim(index)?;
        let shared = shared(engine, index).inspect_err(|_| engine.unclaim(index))?;
        Ok(Loop { shared, local: PhantomData })
    }

    /// One turn: does what was queued, sends, waits if asked to, receives, runs protocols and timers. The one call into
    /// the library on the data path.
    #[inline]
    pub fn turn(&mut self, wait: Wait) -> Result<Batch<'_>> {
        let queue = &self.shared.queue;
        if !queue.shorts.borrow().is_empty() {
            queue.shorts.borrow_mut().clear();
        }
        self.shared.before();
        // SAFETY: nothing else has a reference, see Queue::next().
        let turn = unsafe { queue.next() };
        let ops = turn.op_n;
        (turn.flags, turn.wait_us) = match wait {
            Wait::No => (0, 0),
            Wait::Forever => (sys::IIP_TURN_WAIT, -1),
            Wait::For(time) => (sys::IIP_TURN_WAIT, i64::try_from(time.as_micros()).unwrap_or(i64::MAX)),
            Wait::Park => (sys::IIP_TURN_PARK, 0),
        };
        // SAFETY: we are the owner (Loop is !Send), the turn is well-formed, and what its operations name is alive: the
        // staging, buffers by the references that they hold, regions by their shares.
        let n = check(unsafe { sys::iip_loop_turn(self.shared.raw.as_ptr(), turn) })?;
        if turn.op_short != 0 {
            queue.collect(&self.shared, ops);
        }
        queue.after();
        if queue.externs.borrow().any() {
            self.land(n);
        }
        Ok(Batch::new(&self.shared, n))
    }

    /// Shares of registered memory go with the batch that has their TX_DONE.
    #[cold]
    fn land(&self, n: u32) {
        let queue = &self.shared.queue;
        for i in 0..n {
            // SAFETY: the turn has written n events.
            let event = unsafe { &*queue.area.events.add(i as usize) };
            if u32::from(event.type_) == sys::IIP_EVENT_TX_DONE {
                let landed = queue.externs.borrow_mut().land(event.user);
                queue.landed.borrow_mut().extend(landed);
            }
        }
    }

    /// An empty buffer to write into and to send; `None` when no packet buffer is free.
    #[inline]
    pub fn tx_buf(&self) -> Option<TxBuf> {
        TxBuf::of(&self.shared)
    }

    /// Aborts all connections and closes all else on this loop. The next turns hand up the `Closed` events, then
    /// [`State::closed`] says so.
    pub fn close(&mut self) -> Result<()> {
        // SAFETY: we are the owner.
        check(unsafe { sys::iip_loop_close(self.shared.raw.as_ptr()) }).map(drop)
    }

    /// Its number in the engine.
    pub fn index(&self) -> u32 {
        self.shared.index
    }

    /// Its engine.
    pub fn engine(&self) -> Engine {
        Engine { inner: self.shared.engine.clone() }
    }

    /// What other threads may do with it.
    pub fn remote(&self) -> Remote {
        Remote::of(&self.shared.engine, self.shared.raw)
    }

    /// Time of the loop's clock, now, in microseconds.
    pub fn clock_us(&self) -> Result<u64> {
        let mut now = 0;
        // SAFETY: we are the owner.
        check(unsafe { sys::iip_loop_now(self.shared.raw.as_ptr(), &mut now) })?;
        Ok(now)
    }

    /// A descriptor for poll, epoll ...: readable when a loop parked by [`Wait::Park`] wants a turn. Never read or close
    /// it; it lives as long as the engine.
    pub fn fd(&self) -> std::os::fd::RawFd {
        // SAFETY: the loop is open.
        unsafe { sys::iip_loop_fd(self.shared.raw.as_ptr()) }
    }

    /// One connection. [`Error::STALE`](crate::Error::STALE).
    pub fn conn_info(&self, conn: Conn) -> Result<ConnInfo> {
        stats::conn_info(conn)
    }

    /// The value of an option of a connection. [`Error::STALE`](crate::Error::STALE).
    pub fn get(&self, conn: Conn, option: Opt) -> Result<u64> {
        let mut value = 0;
        // SAFETY: takes any number; we are the owner of the loop, or get WRONG_THREAD.
        check(unsafe { sys::iip_conn_get(conn.0, option as u32, &mut value) })?;
        Ok(value)
    }

    /// Its connections.
    pub fn conns(&self) -> Result<Vec<Conn>> {
        stats::conns(self.shared.raw)
    }

    /// Statistics, as of now.
    pub fn stats(&self) -> Result<LoopStats> {
        stats::loop_stats(self.shared.raw)
    }

    /// Counters of the stack, in the order of [`counter_names`](crate::counter_names).
    pub fn counters(&self) -> Result<Vec<u64>> {
        stats::counters(self.shared.raw)
    }
}

impl Batch<'_> {
    /// An empty buffer to write into and to send; `None` when no packet buffer is free.
    #[inline]
    pub fn tx_buf(&self) -> Option<TxBuf> {
        TxBuf::of(self.shared())
    }
}

impl Queue {
    pub(crate) fn state(&self) -> State {
        // SAFETY: only here, see next().
        State(unsafe { self.next() }.state)
    }

    pub(crate) fn now_us(&self) -> u64 {
        // SAFETY: only here, see next().
        unsafe { self.next() }.now_us
    }
}

impl std::fmt::Debug for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Loop({})", self.shared.index)
    }
}

fn shared(engine: &Arc<EngineInner>, index: u32) -> Result<Arc<Shared>> {
    let raw = engine.loop_raw(index)?;
    // SAFETY: the engine is open.
    check(unsafe { sys::iip_loop_attach(raw.as_ptr()) })?;
    // SAFETY: all zero is a valid value: integers and null pointers.
    let mut area: sys::iip_area = unsafe { std::mem::zeroed() };
    area.size = size_of::<sys::iip_area>() as u32;
    // SAFETY: we are the owner.
    if let Err(e) = check(unsafe { sys::iip_loop_area(raw.as_ptr(), &mut area) }) {
        // SAFETY: as above.
        unsafe { sys::iip_loop_detach(raw.as_ptr()) };
        return Err(e);
    }
    let owner = AtomicUsize::new(thread_token());
    let externs = engine.slots[index as usize].swap_externs(Externs::default());
    let shared = Arc::new(Shared { queue: Queue::new(raw, area, externs), raw, owner, index, engine: engine.clone() });
    // SAFETY: nobody else has it yet.
    unsafe { shared.queue.next() }.tx_taken = shared.slot().taken.swap(0, Ordering::Relaxed);
    Ok(shared)
}

impl Drop for Loop {
    /// What was queued but not turned is not done: buffers in it are given back.
    fn drop(&mut self) {
        let queue = &self.shared.queue;
        queue.shorts.borrow_mut().clear();
        self.shared.give_up();
        self.shared.owner.store(0, Ordering::Release);
        let landed = queue.landed.take();
        self.shared.slot().swap_externs(queue.externs.take());
        // SAFETY: we are the owner.
        unsafe { sys::iip_loop_detach(self.shared.raw.as_ptr()) };
        self.shared.engine.unclaim(self.shared.index);
        drop(landed); // destructors of the application
    }
}
