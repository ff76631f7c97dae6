//! Operations, of a turn, posted, or by a call.

use iip_sys as sys;

use super::looper::{clock, event, Looper, Own};
use super::wire::{conn, post, Packet};
use super::{handle, kind_of, locked, other_end, with_region, FRAME};

impl Looper {
    pub fn made(&self, own: &mut Own, kind: u32) -> u64 {
        own.made += 1;
        handle(kind, self.number, 1, own.made)
    }

    /// 1: it failed, or was done in part.
    pub unsafe fn apply(&self, own: &mut Own, op: &mut sys::iip_op) -> u32 {
        op.out = 0;
        op.status = match unsafe { self.done(own, op) } {
            Ok(out) => {
                op.out = out;
                sys::IIP_OK
            }
            Err(status) => status,
        };
        let sends = [sys::IIP_OP_SEND_BUF, sys::IIP_OP_SEND_EXTERN, sys::IIP_OP_SEND_COPY];
        let short = sends.contains(&u32::from(op.code)) && op.out < u64::from(op.len);
        u32::from(op.status < 0 || short)
    }

    unsafe fn done(&self, own: &mut Own, op: &sys::iip_op) -> Result<u64, i32> {
        match u32::from(op.code) {
            sys::IIP_OP_NOP | sys::IIP_OP_USER => Ok(0),
            sys::IIP_OP_CONNECT => unsafe { self.connect(own, op) },
            sys::IIP_OP_LISTEN => unsafe { self.open(own, op, sys::IIP_KIND_LISTENER) },
            sys::IIP_OP_UDP_OPEN => unsafe { self.open(own, op, sys::IIP_KIND_UDP) },
            sys::IIP_OP_TIMER => {
                let absolute = u32::from(op.flags) & sys::IIP_OP_ABSOLUTE != 0;
                let at = if absolute { op.arg } else { clock().saturating_add(op.arg) };
                let timer = self.made(own, sys::IIP_KIND_TIMER);
                own.timers.insert(timer, (at, op.user));
                Ok(timer)
            }
            sys::IIP_OP_CANCEL => own.timers.remove(&op.obj).map(|_| 0).ok_or(sys::IIP_E_STALE),
            sys::IIP_OP_UDP_SEND | sys::IIP_OP_UDP_SEND_COPY => unsafe { self.udp_send(own, op) },
            sys::IIP_OP_CLOSE if kind_of(op.obj) != sys::IIP_KIND_CONN => {
                let found = own.listeners.remove(&op.obj).or_else(|| own.udps.remove(&op.obj));
                found.map(|_| 0).ok_or(sys::IIP_E_STALE)
            }
            _ => unsafe { self.of_conn(own, op) },
        }
    }

    unsafe fn ends(&self, op: &sys::iip_op) -> sys::iip_addrs {
        if op.aux != 0 {
            return unsafe { self.area.op_aux.add(op.aux as usize).cast::<sys::iip_addrs>().read() };
        }
        unsafe { std::ptr::with_exposed_provenance::<sys::iip_addrs>(op.arg as usize).read() }
    }

    unsafe fn connect(&self, own: &mut Own, op: &sys::iip_op) -> Result<u64, i32> {
        let mut ends = unsafe { self.ends(op) };
        let other = other_end(self).ok_or(sys::IIP_E_UNREACHABLE)?;
        let made = self.made(own, sys::IIP_KIND_CONN);
        ends.local = sys::iip_addr { port: 40_000 + own.made as u16, ..self.address };
        own.conns.insert(made, conn(op.user, ends, None));
        let theirs = sys::iip_addrs { local: ends.peer, peer: ends.local };
        post(other, Packet::Syn { from: made, ends: theirs });
        Ok(made)
    }

    unsafe fn open(&self, own: &mut Own, op: &sys::iip_op, kind: u32) -> Result<u64, i32> {
        let port = unsafe { self.ends(op) }.local.port;
        let made = self.made(own, kind);
        let all = if kind == sys::IIP_KIND_UDP { &mut own.udps } else { &mut own.listeners };
        if port != 0 && all.values().any(|&(other, _)| other == port) {
            return Err(sys::IIP_E_ADDR_IN_USE);
        }
        all.insert(made, (if port == 0 { 50_000 + made as u16 } else { port }, op.user));
        Ok(made)
    }

    unsafe fn udp_send(&self, own: &mut Own, op: &sys::iip_op) -> Result<u64, i32> {
        let &(port, _) = own.udps.get(&op.obj).ok_or(sys::IIP_E_STALE)?;
        let bytes = if u32::from(op.code) == sys::IIP_OP_UDP_SEND {
            let bytes = unsafe { self.bufs.read(op.buf, op.offset, op.len) }.ok_or(sys::IIP_E_STALE)?;
            unsafe { self.bufs.put(op.buf) };
            bytes
        } else {
            unsafe { read(op.buf, op.len) }
        };
        let ends = unsafe { self.ends(op) };
        let theirs = sys::iip_addrs { local: ends.peer, peer: sys::iip_addr { port, ..self.address } };
        if let Some(other) = other_end(self).filter(|_| bytes.len() <= FRAME) {
            post(other, Packet::Udp { ends: theirs, bytes });
        }
        Ok(0)
    }

    unsafe fn of_conn(&self, own: &mut Own, op: &sys::iip_op) -> Result<u64, i32> {
        let conn = own.conns.get_mut(&op.obj).ok_or(sys::IIP_E_STALE)?;
        match u32::from(op.code) {
            sys::IIP_OP_SHUTDOWN | sys::IIP_OP_CLOSE => conn.fin(),
            sys::IIP_OP_ABORT => {
                conn.send(|to| Packet::Rst { to, status: sys::IIP_E_RESET });
                unsafe { self.gone(own, op.obj, sys::IIP_E_ABORTED) };
                return Ok(0);
            }
            sys::IIP_OP_SET if op.offset == sys::IIP_OPT_SNDBUF => conn.limit = op.arg,
            sys::IIP_OP_SEND_BUF | sys::IIP_OP_SEND_EXTERN | sys::IIP_OP_SEND_COPY => {
                return unsafe { self.send(own, op) };
            }
            _ => return Ok(0),
        }
        unsafe { self.ended(own, op.obj) };
        Ok(0)
    }

    unsafe fn send(&self, own: &mut Own, op: &sys::iip_op) -> Result<u64, i32> {
        let conn = own.conns.get_mut(&op.obj).expect("of_conn has found it");
        if op.len == 0 {
            return Err(sys::IIP_E_RANGE);
        }
        if conn.fin_sent {
            return Err(sys::IIP_E_SHUTDOWN);
        }
        if conn.short {
            return Err(sys::IIP_E_AGAIN);
        }
        let mut bytes = unsafe { self.sent(op) }?;
        let taken = bytes.len().min((conn.limit - conn.unacked.min(conn.limit)) as usize);
        let from = if u32::from(op.code) == sys::IIP_OP_SEND_EXTERN { region_of(op)? } else { 0 };
        bytes.truncate(taken);
        conn.unacked += taken as u64;
        conn.sent += taken as u64;
        conn.short = taken < op.len as usize;
        if from != 0 && taken > 0 {
            with_region(op.buf, |row| row.as_mut().expect("it is there").flying += 1);
            conn.externs.push_back((op.buf, from, bytes.clone(), op.user, conn.sent));
        }
        if taken > 0 {
            conn.send(|to| Packet::Data { to, from: op.obj, bytes });
        }
        if u32::from(op.flags) & sys::IIP_OP_SHUT != 0 && !conn.short {
            conn.fin();
        }
        if u32::from(op.code) == sys::IIP_OP_SEND_BUF && taken == op.len as usize {
            unsafe { self.bufs.put(op.buf) };
        }
        Ok(taken as u64)
    }

    unsafe fn sent(&self, op: &sys::iip_op) -> Result<Vec<u8>, i32> {
        match u32::from(op.code) {
            sys::IIP_OP_SEND_BUF => unsafe { self.bufs.read(op.buf, op.offset, op.len) }.ok_or(sys::IIP_E_STALE),
            sys::IIP_OP_SEND_COPY => Ok(unsafe { read(op.arg, op.len) }),
            _ => Ok(unsafe { read(region_of(op)? as u64, op.len) }),
        }
    }

    pub fn posted(&self, own: &mut Own) {
        for mut op in std::mem::take(&mut *locked(&self.posts)) {
            let failed = unsafe { self.apply(own, &mut op) } != 0;
            if failed || u32::from(op.flags) & sys::IIP_OP_REPLY != 0 {
                let done = event(sys::IIP_EVENT_DONE, op.obj, op.user);
                own.told.push_back(sys::iip_event { status: op.status, value: op.out, ..done });
            }
        }
    }
}

fn region_of(op: &sys::iip_op) -> Result<usize, i32> {
    let within = |row: &mut Option<super::Row>| {
        let row = row.as_ref().expect("with_region has found it");
        (op.arg + u64::from(op.len) <= row.len).then_some(row.base + op.arg as usize)
    };
    with_region(op.buf, within).ok_or(sys::IIP_E_STALE)?.ok_or(sys::IIP_E_RANGE)
}

unsafe fn read(addr: u64, len: u32) -> Vec<u8> {
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(addr as usize), len as usize) }.to_vec()
}

#[no_mangle]
unsafe extern "C" fn iip_loop_op(l: *mut sys::iip_loop, op: *mut sys::iip_op) -> i32 {
    let l = unsafe { &*l.cast::<Looper>() };
    if !l.is_mine() {
        return sys::IIP_E_WRONG_THREAD;
    }
    unsafe {
        l.apply(&mut *l.own.get(), &mut *op);
        (*op).status
    }
}

#[no_mangle]
unsafe extern "C" fn iip_loop_post(l: *mut sys::iip_loop, ops: *const sys::iip_op, n: u32) -> i32 {
    let l = unsafe { &*l.cast::<Looper>() };
    locked(&l.posts).extend_from_slice(unsafe { std::slice::from_raw_parts(ops, n as usize) });
    l.wake();
    n as i32
}
