//! Connections and datagrams between the two loops of a wire.

use std::collections::VecDeque;

use iip_sys as sys;

use super::looper::{event, Looper, Own};
use super::{locked, loop_of, with_region, FRAME};

/// Bytes that may be under way, unless `SNDBUF` says otherwise.
pub const LIMIT: u64 = 1024;

pub struct Conn {
    pub user: u64,
    pub ends: sys::iip_addrs,
    /// The other end's, when it is known.
    pub peer: Option<u64>,
    pub limit: u64,
    pub unacked: u64,
    pub acked: u64,
    pub sent: u64,
    pub short: bool,
    /// What is sent before there is a peer.
    pub waiting: Vec<Packet>,
    /// Registered memory that is looked at until it is acknowledged: (region, address, copy, cookie, end).
    pub externs: VecDeque<(u64, usize, Vec<u8>, u64, u64)>,
    pub fin_sent: bool,
    pub fin_got: bool,
}

pub enum Packet {
    Syn { from: u64, ends: sys::iip_addrs },
    SynAck { to: u64, from: u64 },
    Data { to: u64, from: u64, bytes: Vec<u8> },
    Ack { to: u64, n: u64 },
    Fin { to: u64 },
    Rst { to: u64, status: i32 },
    Udp { ends: sys::iip_addrs, bytes: Vec<u8> },
}

pub fn conn(user: u64, ends: sys::iip_addrs, peer: Option<u64>) -> Conn {
    Conn {
        user,
        ends,
        peer,
        limit: LIMIT,
        unacked: 0,
        acked: 0,
        sent: 0,
        short: false,
        waiting: Vec::new(),
        externs: VecDeque::new(),
        fin_sent: false,
        fin_got: false,
    }
}

pub fn post(to: &Looper, packet: Packet) {
    locked(&to.inbox).push_back(packet);
    to.wake();
}

/// To the loop that its handle names; lost when that is gone.
pub fn deliver(to: u64, packet: Packet) {
    if let Some(l) = loop_of(to) {
        post(l, packet);
    }
}

impl Conn {
    pub fn send(&mut self, make: impl FnOnce(u64) -> Packet) {
        match self.peer {
            Some(peer) => deliver(peer, make(peer)),
            None => self.waiting.push(make(0)),
        }
    }

    pub fn fin(&mut self) {
        if !std::mem::replace(&mut self.fin_sent, true) {
            self.send(|to| Packet::Fin { to });
        }
    }
}

impl Looper {
    /// Packets as long as there is room for what they bring.
    pub unsafe fn receive(&self, own: &mut Own) {
        while own.event_n + 2 <= self.area.event_cap {
            let Some(packet) = locked(&self.inbox).pop_front() else { return };
            if let Some(again) = unsafe { self.packet(own, packet) } {
                return locked(&self.inbox).push_front(again);
            }
        }
        self.wake(); // the rest of them
    }

    /// Gives it back when there is no buffer for it.
    unsafe fn packet(&self, own: &mut Own, packet: Packet) -> Option<Packet> {
        match packet {
            Packet::Syn { from, ends } => unsafe { self.syn(own, from, ends) },
            Packet::SynAck { to, from } => {
                let conn = own.conns.get_mut(&to)?;
                conn.peer = Some(from);
                let (user, ends) = (conn.user, conn.ends);
                for waiting in std::mem::take(&mut conn.waiting) {
                    conn.send(|to| match waiting {
                        Packet::Data { from, bytes, .. } => Packet::Data { to, from, bytes },
                        _ => Packet::Fin { to },
                    });
                }
                let up = sys::iip_event { aux: self.aux(own, ends), ..event(sys::IIP_EVENT_CONNECTED, to, user) };
                unsafe { self.tell(own, up) };
            }
            Packet::Data { to, from, bytes } => return unsafe { self.data(own, to, from, bytes) },
            Packet::Ack { to, n } => unsafe { self.ack(own, to, n) },
            Packet::Fin { to } => {
                let conn = own.conns.get_mut(&to)?;
                conn.fin_got = true;
                let fin = event(sys::IIP_EVENT_FIN, to, conn.user);
                unsafe { self.tell(own, fin) };
                unsafe { self.ended(own, to) };
            }
            Packet::Rst { to, status } => unsafe { self.gone(own, to, status) },
            Packet::Udp { ends, bytes } => return unsafe { self.datagram(own, ends, bytes) },
        }
        None
    }

    unsafe fn syn(&self, own: &mut Own, from: u64, ends: sys::iip_addrs) {
        let listener = own.listeners.iter().find(|(_, &(port, _))| port == ends.local.port).map(|(l, v)| (*l, v.1));
        let Some((listener, user)) = listener else {
            return deliver(from, Packet::Rst { to: from, status: sys::IIP_E_REFUSED });
        };
        let handle = self.made(own, sys::IIP_KIND_CONN);
        own.conns.insert(handle, conn(user, ends, Some(from)));
        deliver(from, Packet::SynAck { to: from, from: handle });
        let aux = self.aux(own, ends);
        let up = sys::iip_event { value: listener, aux, ..event(sys::IIP_EVENT_ACCEPT, handle, user) };
        unsafe { self.tell(own, up) };
    }

    unsafe fn filled(&self, bytes: &[u8]) -> Option<sys::iip_span> {
        let span = unsafe { self.bufs.take() }?;
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), span.addr as *mut u8, bytes.len()) };
        Some(span)
    }

    /// A buffer's worth of it.
    unsafe fn data(&self, own: &mut Own, to: u64, from: u64, mut bytes: Vec<u8>) -> Option<Packet> {
        let user = own.conns.get(&to)?.user;
        let rest = bytes.split_off(bytes.len().min(FRAME));
        let Some(span) = (unsafe { self.filled(&bytes) }) else {
            bytes.extend(rest);
            return Some(Packet::Data { to, from, bytes });
        };
        let (buf, addr, len) = (span.buf, span.addr, bytes.len() as u32);
        unsafe { self.tell(own, sys::iip_event { buf, addr, len, ..event(sys::IIP_EVENT_DATA, to, user) }) };
        deliver(from, Packet::Ack { to: from, n: u64::from(len) });
        if rest.is_empty() {
            return None;
        }
        locked(&self.inbox).push_front(Packet::Data { to, from, bytes: rest });
        None
    }

    unsafe fn ack(&self, own: &mut Own, to: u64, n: u64) {
        let Some(conn) = own.conns.get_mut(&to) else { return };
        conn.unacked -= n;
        conn.acked += n;
        let mut told = Vec::new();
        while conn.externs.front().is_some_and(|e| e.4 <= conn.acked) {
            told.extend(conn.externs.pop_front().map(|e| landed(to, e)));
        }
        if conn.short && conn.unacked < conn.limit / 2 {
            conn.short = false;
            told.push(event(sys::IIP_EVENT_WRITABLE, to, conn.user));
        }
        own.told.extend(told);
        while self.room(own) {
            let Some(told) = own.told.pop_front() else { break };
            unsafe { self.tell(own, told) };
        }
        unsafe { self.ended(own, to) };
    }

    unsafe fn datagram(&self, own: &mut Own, ends: sys::iip_addrs, bytes: Vec<u8>) -> Option<Packet> {
        let udp = own.udps.iter().find(|(_, &(port, _))| port == ends.local.port).map(|(udp, v)| (*udp, v.1));
        let (udp, user) = udp?;
        let Some(span) = (unsafe { self.filled(&bytes[..bytes.len().min(FRAME)]) }) else { return None };
        let (buf, addr, len, aux) = (span.buf, span.addr, bytes.len() as u32, self.aux(own, ends));
        unsafe { self.tell(own, sys::iip_event { buf, addr, len, aux, ..event(sys::IIP_EVENT_UDP, udp, user) }) };
        None
    }

    fn aux(&self, own: &mut Own, ends: sys::iip_addrs) -> u32 {
        let at = own.aux_used;
        unsafe { self.area.aux.cast_mut().add(at).cast::<sys::iip_addrs>().write(ends) };
        own.aux_used += size_of::<sys::iip_addrs>();
        at as u32
    }

    /// Both ends said goodbye, and all was acknowledged.
    pub unsafe fn ended(&self, own: &mut Own, conn: u64) {
        let c = &own.conns[&conn];
        if c.fin_got && c.fin_sent && c.unacked == 0 {
            unsafe { self.gone(own, conn, sys::IIP_OK) };
        }
    }

    pub unsafe fn gone(&self, own: &mut Own, conn: u64, status: i32) {
        let Some(c) = own.conns.remove(&conn) else { return };
        own.told.extend(c.externs.into_iter().map(|e| landed(conn, e)));
        own.told.push_back(sys::iip_event { status, ..event(sys::IIP_EVENT_CLOSED, conn, c.user) });
        self.wake();
    }
}

/// The memory is looked at once more, as a retransmission would.
fn landed(conn: u64, (region, addr, copy, user, _): (u64, usize, Vec<u8>, u64, u64)) -> sys::iip_event {
    let seen = unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(addr), copy.len()) };
    assert_eq!(seen, copy, "registered memory changed while it was sent");
    with_region(region, |row| row.as_mut().map(|row| row.flying -= 1)).flatten().expect("registered while it is sent");
    event(sys::IIP_EVENT_TX_DONE, conn, user)
}
