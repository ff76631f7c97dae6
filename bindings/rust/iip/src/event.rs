//! What a turn hands up.

use std::sync::Arc;

use iip_sys as sys;

use crate::addr::Ends;
use crate::buf::{RawBuf, RxBuf};
use crate::error::{check, Error};
use crate::handle::{Conn, Listener, Timer, Udp};
use crate::queue::{Queue, Shared, Short};
use crate::region::Region;
use crate::turn::State;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A connection came up: `conn`, `listener`, `ends`; `user` is the listener's cookie.
    Accept,
    /// A connect succeeded: `conn`, `ends`.
    Connected,
    /// Bytes of a stream, in order: `conn`, `data`.
    Data,
    /// The peer sent its last byte; sending may go on.
    Fin,
    /// The send queue that took less than it was offered has drained below half.
    Writable,
    /// Urgent data is announced; `value`: bytes from here to its end.
    Urgent,
    /// A soft `error`; the connection lives.
    Error,
    /// The last event of a connection; `error` says why, if not both sides closed it in order.
    Closed,
    /// Bytes of a datagram: `udp`, `ends`, `data`; `more` where the next event goes on with it.
    Udp,
    /// An ICMP `error` for a datagram that was sent to `ends.peer`.
    UdpError,
    /// Registered memory was acknowledged or dropped; `user`: of the send.
    TxDone,
    /// A timer expired: `timer`.
    Timer,
    /// A posted operation is done: `user`, `error`, `value`.
    Done,
    /// Link or MTU changed.
    Link,
    /// A kind that this crate does not know: skip it.
    Other,
}

/// The events of one turn; an iterator over them. What is not looked at is given back.
///
/// It borrows the loop, and the events borrow from it, so that the next turn waits until none of them is in sight.
pub struct Batch<'l> {
    shared: &'l Arc<Shared>,
    next: u32,
    n: u32,
}

impl<'l> Batch<'l> {
    #[inline]
    pub(crate) fn new(shared: &'l Arc<Shared>, n: u32) -> Batch<'l> {
        Batch { shared, next: 0, n }
    }

    pub(crate) fn shared(&self) -> &'l Arc<Shared> {
        self.shared
    }

    /// The next turn: operations are written there while the events of this one are read.
    #[inline]
    pub fn queue(&self) -> &'l Queue {
        &self.shared.queue
    }

    /// An operation of this turn that was not done, or in part; `None` when there is no more of them. What is not asked
    /// for is dropped by the next turn.
    pub fn short(&self) -> Option<Short> {
        let mut shorts = self.shared.queue.shorts.borrow_mut();
        if shorts.is_empty() {
            return None;
        }
        Some(shorts.remove(0))
    }

    /// Registered memory that was let go by what this turn brought.
    pub(crate) fn landed(&self) -> Vec<Region> {
        self.shared.queue.landed.take()
    }

    /// What the turn says of the loop.
    pub fn state(&self) -> State {
        self.shared.queue.state()
    }

    /// Time of this turn, in microseconds of the loop's clock.
    pub fn now_us(&self) -> u64 {
        self.shared.queue.now_us()
    }
}

impl<'l> Iterator for Batch<'l> {
    type Item = Event<'l>;

    #[inline]
    fn next(&mut self) -> Option<Event<'l>> {
        if self.next >= self.n {
            return None;
        }
        // SAFETY: the turn has written `n` events, and none before the next turn, which needs what 'l borrows. Nobody
        // else gets at this one, so its reference of the buffer is given out once.
        let raw = unsafe { &*self.shared.queue.area.events.add(self.next as usize) };
        self.next += 1;
        Some(Event { raw, shared: self.shared })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.n - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batch<'_> {}

impl Drop for Batch<'_> {
    #[inline]
    fn drop(&mut self) {
        for _ in self.by_ref() {} // each gives its buffer back
        drop(self.landed());
    }
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} of {} events)", self.n - self.next, self.n)
    }
}

/// What happened, once. Dropped, it gives its buffer back with the next turn.
pub struct Event<'b> {
    raw: &'b sys::iip_event,
    shared: &'b Arc<Shared>,
}

impl<'b> Event<'b> {
    /// What happened.
    #[inline]
    pub fn kind(&self) -> EventKind {
        match u32::from(self.raw.type_) {
            sys::IIP_EVENT_ACCEPT => EventKind::Accept,
            sys::IIP_EVENT_CONNECTED => EventKind::Connected,
            sys::IIP_EVENT_DATA => EventKind::Data,
            sys::IIP_EVENT_FIN => EventKind::Fin,
            sys::IIP_EVENT_WRITABLE => EventKind::Writable,
            sys::IIP_EVENT_URGENT => EventKind::Urgent,
            sys::IIP_EVENT_ERROR => EventKind::Error,
            sys::IIP_EVENT_CLOSED => EventKind::Closed,
            sys::IIP_EVENT_UDP => EventKind::Udp,
            sys::IIP_EVENT_UDP_ERROR => EventKind::UdpError,
            sys::IIP_EVENT_TX_DONE => EventKind::TxDone,
            sys::IIP_EVENT_TIMER => EventKind::Timer,
            sys::IIP_EVENT_DONE => EventKind::Done,
            sys::IIP_EVENT_LINK => EventKind::Link,
            _ => EventKind::Other,
        }
    }

    /// The raw handle of what it is about; 0: the loop itself.
    #[inline]
    pub fn src(&self) -> u64 {
        self.raw.src
    }

    /// The connection that it is about.
    #[inline]
    pub fn conn(&self) -> Conn {
        Conn(self.raw.src)
    }

    /// The UDP endpoint that it is about.
    pub fn udp(&self) -> Udp {
        Udp(self.raw.src)
    }

    /// The timer that expired.
    pub fn timer(&self) -> Timer {
        Timer(self.raw.src)
    }

    /// Of `Accept`: whose connection it is.
    pub fn listener(&self) -> Listener {
        Listener(self.raw.value)
    }

    /// The cookie of what it is about, or of the operation.
    #[inline]
    pub fn user(&self) -> u64 {
        if u32::from(self.raw.type_) == sys::IIP_EVENT_TX_DONE {
            return self.shared.queue.externs.borrow().user(self.raw.user);
        }
        self.raw.user
    }

    /// The status, if it is not good.
    pub fn error(&self) -> Option<Error> {
        check(self.raw.status).err()
    }

    /// A number, by kind.
    pub fn value(&self) -> u64 {
        self.raw.value
    }

    /// The next event goes on with this run or datagram.
    pub fn more(&self) -> bool {
        u32::from(self.raw.flags) & sys::IIP_EVENT_MORE != 0
    }

    /// Packet buffers ran low: the bytes are a copy in spill memory.
    pub fn copied(&self) -> bool {
        u32::from(self.raw.flags) & sys::IIP_EVENT_COPIED != 0
    }

    /// The bytes. For longer than the event, [`take`](Event::take) them.
    #[inline]
    pub fn data(&self) -> &[u8] {
        if self.raw.buf == 0 {
            return &[];
        }
        // SAFETY: the bytes are mapped while the engine lives, and unchanged while the buffer has a reference, which is
        // ours as long as we are borrowed.
        unsafe { std::slice::from_raw_parts(self.raw.addr as *const u8, self.raw.len as usize) }
    }

    /// Both ends, where the kind has them.
    pub fn ends(&self) -> Option<Ends> {
        if self.raw.aux == 0 {
            return None;
        }
        // SAFETY: aux is the offset of such a record in area.aux, valid until the next turn.
        let raw = unsafe { &*self.shared.queue.area.aux.add(self.raw.aux as usize).cast::<sys::iip_addrs>() };
        Some(Ends::from_raw(raw))
    }

    /// The bytes, owned; `None` where the kind has none.
    #[inline]
    pub fn take(self) -> Option<RxBuf> {
        let me = std::mem::ManuallyDrop::new(self);
        if me.raw.buf == 0 {
            return None;
        }
        let raw = RawBuf { shared: me.shared.clone(), buf: me.raw.buf, base: me.raw.addr as *const u8 };
        Some(RxBuf { raw, offset: 0, len: me.raw.len })
    }
}

impl Drop for Event<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.raw.buf != 0 {
            self.shared.queue.release(self.raw.buf);
        }
    }
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut s = f.debug_struct("Event");
        s.field("kind", &self.kind()).field("src", &self.raw.src).field("len", &self.raw.len);
        s.field("error", &self.error()).finish()
    }
}
