//! What a turn brought, given to the sockets; and what sockets want of the next one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::task::Waker;

use super::tcp::{ListenerState, StreamState};
use super::udp::UdpState;
use crate::rt::Timers;
use crate::{Batch, Conn, Error, Event, EventKind, Listener, Loop, Result, Udp};

/// Handles are well spread but in their lowest bits; a multiplication is enough.
#[derive(Default)]
pub(crate) struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(u64::from(b)));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

type Map<T> = RefCell<HashMap<u64, Rc<T>, BuildHasherDefault<HandleHasher>>>;

/// Ends an object that is still open.
pub(crate) type End = Box<dyn Fn(&Loop) -> Result<()>>;

#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) streams: Map<StreamState>,
    pub(crate) listeners: Map<ListenerState>,
    pub(crate) udps: Map<UdpState>,
    /// Streams that sent in this turn, or that have more to do than it had room for.
    active: RefCell<Vec<Rc<StreamState>>>,
}

impl Sockets {
    pub(crate) fn stream(&self, raw: u64) -> Option<Rc<StreamState>> {
        self.streams.borrow().get(&raw).cloned()
    }

    pub(crate) fn activate(&self, stream: &Rc<StreamState>) {
        if !stream.is_active.replace(true) {
            self.active.borrow_mut().push(stream.clone());
        }
    }

    /// Operations wait for the next turn.
    pub(crate) fn is_pending(&self) -> bool {
        !self.active.borrow().is_empty()
    }

    /// The runtime ends: whoever waits for one of its sockets is to be woken, and finds that it is gone.
    pub(crate) fn orphan(&self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let streams = std::mem::take(&mut *self.streams.borrow_mut());
        streams.into_values().for_each(|stream| stream.closed(Some(Error::CLOSED), &mut wakers));
        let listeners = std::mem::take(&mut *self.listeners.borrow_mut());
        wakers.extend(listeners.into_values().filter_map(|listener| listener.orphan()));
        let udps = std::mem::take(&mut *self.udps.borrow_mut());
        wakers.extend(udps.into_values().filter_map(|udp| udp.orphan()));
        self.active.borrow_mut().clear();
        wakers
    }

    /// What ends each object that is still open.
    pub(crate) fn ends(&self) -> Vec<End> {
        let mut all: Vec<End> = Vec::new();
        for &raw in self.listeners.borrow().keys() {
            all.push(Box::new(move |l| l.close_listener(Listener(raw))));
        }
        for &raw in self.udps.borrow().keys() {
            all.push(Box::new(move |l| l.close_udp(Udp(raw))));
        }
        for &raw in self.streams.borrow().keys() {
            all.push(Box::new(move |l| l.abort(Conn(raw))));
        }
        all
    }

    pub(crate) fn turned(&self, batch: Batch<'_>, timers: &Timers, wakers: &mut Vec<Waker>) {
        while let Some(short) = batch.short() {
            if let (Some(stream), Some(rest)) = (self.stream(short.obj), short.rest) {
                stream.came_back(short.error, rest, short.last);
                self.activate(&stream);
            }
        }
        let queue = batch.queue();
        for event in batch {
            match event.kind() {
                EventKind::Accept => self.accept(&event, queue, wakers),
                EventKind::Timer => timers.expired(event.timer()),
                EventKind::Udp => {
                    let udp = self.udps.borrow().get(&event.src()).cloned();
                    if let Some(udp) = udp {
                        udp.arrived(event, wakers);
                    }
                }
                _ => self.stream_event(event, wakers),
            }
        }
    }

    fn accept(&self, event: &Event<'_>, queue: &crate::Queue, wakers: &mut Vec<Waker>) {
        let listener = self.listeners.borrow().get(&event.listener().raw()).cloned();
        let Some(listener) = listener else {
            let _ = queue.abort(event.conn()); // nobody listens any more
            return;
        };
        let stream = Rc::new(StreamState::new(event.conn(), event.ends(), true));
        self.streams.borrow_mut().insert(event.src(), stream.clone());
        listener.arrived(stream, wakers);
    }

    fn stream_event(&self, event: Event<'_>, wakers: &mut Vec<Waker>) {
        let Some(stream) = self.stream(event.src()) else { return };
        match event.kind() {
            EventKind::Closed => {
                self.streams.borrow_mut().remove(&event.src());
                stream.closed(event.error(), wakers);
            }
            EventKind::Writable => {
                stream.writable();
                self.activate(&stream);
            }
            _ => stream.event(event, wakers),
        }
    }

    /// After the turn: held bytes are offered again, ends follow what is sent, writers go on.
    pub(crate) fn settle(&self, l: &Loop, wakers: &mut Vec<Waker>) {
        let active = std::mem::take(&mut *self.active.borrow_mut());
        for stream in active {
            stream.is_active.set(false);
            if stream.settle(l, wakers) {
                self.activate(&stream);
            }
        }
    }
}
