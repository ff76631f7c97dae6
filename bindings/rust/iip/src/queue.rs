//! What a loop does next: operations and releases, written in place into the arrays that the next turn takes.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::net::SocketAddr;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use iip_sys as sys;

use crate::addr;
use crate::buf::{RawBuf, RxBuf, TxBuf};
use crate::engine::{EngineInner, Slot};
use crate::error::{check, Error, Result};
use crate::handle::{Conn, Listener, Timer, Udp};
use crate::region::{Externs, Region};

const STAGING: usize = 1 << 16;
/// Where the first record of addresses lies in op_aux: offset 0 stays unused.
const AUX_FIRST: u32 = 64;

/// A loop as its buffers see it: alive as long as one of them is, and with it the engine and its memory.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) raw: NonNull<sys::iip_loop>,
    /// The token of the thread that holds the [`Loop`](crate::Loop); 0: nobody does.
    pub(crate) owner: AtomicUsize,
    pub(crate) index: u32,
    pub(crate) engine: Arc<EngineInner>,
}

// SAFETY: `queue` is reached by the thread `owner` alone: through Loop and Batch, which are !Send, or after a look at
// `owner` (release). The rest is [any] objects of the C interface and atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

thread_local! {
    static TOKEN: u8 = const { 0 };
}

/// A number that no other living thread has.
#[inline]
pub(crate) fn thread_token() -> usize {
    TOKEN.with(|t| std::ptr::from_ref(t) as usize)
}

impl Shared {
    /// Gives one reference of a buffer back: with the owner's next turn, or from elsewhere by a call.
    #[inline]
    pub(crate) fn release(&self, buf: u64) {
        if self.owner.load(Ordering::Relaxed) == thread_token() {
            self.queue.release(buf);
        } else {
            self.release_now(buf);
        }
    }

    /// By a call. An empty buffer that no turn has declared taken yet is refused; the owner gives it back later.
    pub(crate) fn release_now(&self, buf: u64) {
        // SAFETY: takes any number.
        if check(unsafe { sys::iip_buf_release(buf) }) == Err(Error::STALE) {
            self.slot().stray(buf);
        }
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        &self.engine.slots[self.index as usize]
    }

    /// Before the turn: buffers that found no way back yet.
    #[inline]
    pub(crate) fn before(&self) {
        let queue = &self.queue;
        queue.externs.borrow_mut().settle();
        if !queue.overflow.borrow().is_empty() {
            // The list is full: it goes by calls, with the rest.
            queue.take_releases().into_iter().for_each(|buf| self.release_now(buf));
        }
        if self.slot().has_strays.load(Ordering::Acquire) {
            self.slot().take_strays().into_iter().for_each(|buf| queue.release(buf));
        }
    }

    /// The loop is given up: operations that no turn will do keep no buffer.
    pub(crate) fn give_up(&self) {
        let queue = &self.queue;
        // SAFETY: only here, see next().
        let turn = unsafe { queue.next() };
        let ops = std::mem::take(&mut turn.op_n);
        self.slot().taken.store(std::mem::take(&mut turn.tx_taken), Ordering::Relaxed);
        let mut bufs = queue.take_releases();
        for i in 0..ops {
            // SAFETY: written by push().
            let op = unsafe { queue.area.ops.add(i as usize).read() };
            match u32::from(op.code) {
                sys::IIP_OP_SEND_BUF | sys::IIP_OP_UDP_SEND => bufs.push(op.buf),
                sys::IIP_OP_SEND_EXTERN => {
                    let landed = queue.externs.borrow_mut().land(op.user);
                    queue.landed.borrow_mut().extend(landed);
                }
                _ => {}
            }
        }
        bufs.into_iter().for_each(|buf| self.release_now(buf));
    }
}

/// An operation that the last turn did not do, or did in part.
#[derive(Debug)]
#[non_exhaustive]
pub struct Short {
    /// Why: [`Error::AGAIN`] where a send queue is full (an event of kind `Writable` follows).
    pub error: Error,
    /// What it was done to, as a raw handle.
    pub obj: u64,
    /// Of a send: bytes that were taken all the same.
    pub taken: u32,
    /// Of a send from a buffer: what was not taken. Send it again, behind `Writable` and before all else, or drop it.
    pub rest: Option<RxBuf>,
    /// Of a send: it was to be the last ([`Queue::send_last`]).
    pub last: bool,
}

/// A buffer that was not accepted for sending, and why: [`Error::AGAIN`]: there is no room for another operation in this
/// turn; [`Error::STALE`]: it is of another loop, whose bytes this one cannot send.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: Error,
    /// What was to be sent.
    pub buf: RxBuf,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a buffer was not accepted for sending: {}", self.error)
    }
}

impl std::error::Error for Refused {}

/// Options of connections; those marked U of UDP endpoints too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Opt {
    /// 1: no Nagle.
    NoDelay = sys::IIP_OPT_NODELAY,
    /// 1: hold partial segments, 200 ms at most.
    Cork = sys::IIP_OPT_CORK,
    /// 1: on.
    KeepAlive = sys::IIP_OPT_KEEPALIVE,
    /// Microseconds of silence before the first probe.
    KeepIdleUs = sys::IIP_OPT_KEEPIDLE_US,
    /// Microseconds between probes.
    KeepIntervalUs = sys::IIP_OPT_KEEPINTVL_US,
    /// Probes without answer that end the connection.
    KeepCount = sys::IIP_OPT_KEEPCNT,
    /// Microseconds; 0: by retries.
    UserTimeoutUs = sys::IIP_OPT_USER_TIMEOUT_US,
    /// 0 .. 63; U.
    Dscp = sys::IIP_OPT_DSCP,
    /// 1 .. 255; U.
    Ttl = sys::IIP_OPT_TTL,
    /// Bytes.
    SendBuffer = sys::IIP_OPT_SNDBUF,
    /// Bytes.
    ReceiveBuffer = sys::IIP_OPT_RCVBUF,
    /// 1: acknowledge at once.
    QuickAck = sys::IIP_OPT_QUICKACK,
    /// 0 NewReno, 1 CUBIC.
    CongestionControl = sys::IIP_OPT_CC,
    /// Retransmissions of a SYN.
    SynRetries = sys::IIP_OPT_SYN_RETRIES,
    /// 1: releasing a buffer does not open the window, [`Queue::credit`] does.
    ExplicitCredit = sys::IIP_OPT_EXPLICIT_CREDIT,
}

/// The next turn of a loop: what it is to do. A [`Loop`](crate::Loop) and a [`Batch`](crate::Batch) give it out.
pub struct Queue {
    pub(crate) area: sys::iip_area,
    pub(crate) turn: UnsafeCell<sys::iip_turn>,
    raw: NonNull<sys::iip_loop>,
    /// Buffers that found no room in area.releases; they go with the turn after.
    overflow: RefCell<Vec<u64>>,
    pub(crate) shorts: RefCell<Vec<Short>>,
    pub(crate) externs: RefCell<Externs>,
    /// Shares of registered memory that this turn's batch, or who reads it, lets go.
    pub(crate) landed: RefCell<Vec<Region>>,
    /// Bytes of `send_copy`, as the C interface reads them in the turn.
    staging: Box<[UnsafeCell<u8>]>,
    staged: Cell<usize>,
    aux_used: Cell<u32>,
}

pub(crate) fn op(code: u32, obj: u64) -> sys::iip_op {
    sys::iip_op {
        code: code as u16,
        flags: 0,
        len: 0,
        obj,
        user: 0,
        buf: 0,
        arg: 0,
        offset: 0,
        aux: 0,
        out: 0,
        status: 0,
        reserved: 0,
    }
}

/// Bytes of zero that may be written through a shared reference, from memory that is zero already.
fn zeros(n: usize) -> Box<[UnsafeCell<u8>]> {
    let bytes = Box::into_raw(vec![0u8; n].into_boxed_slice());
    // SAFETY: UnsafeCell<u8> has the layout of u8, and nobody else has the box.
    unsafe { Box::from_raw(bytes as *mut [UnsafeCell<u8>]) }
}

impl Queue {
    pub(crate) fn new(raw: NonNull<sys::iip_loop>, area: sys::iip_area, externs: Externs) -> Queue {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut turn: sys::iip_turn = unsafe { std::mem::zeroed() };
        turn.size = size_of::<sys::iip_turn>() as u32;
        Queue {
            area,
            turn: UnsafeCell::new(turn),
            raw,
            overflow: RefCell::default(),
            shorts: RefCell::default(),
            externs: RefCell::new(externs),
            landed: RefCell::default(),
            staging: zeros(STAGING),
            staged: Cell::new(0),
            aux_used: Cell::new(AUX_FIRST),
        }
    }

    /// The turn that is being put together.
    ///
    /// SAFETY of its users: the reference does not outlive the statement, and no other one is alive: this type is
    /// neither Send nor Sync, and no code of a caller runs in between.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn next(&self) -> &mut sys::iip_turn {
        // SAFETY: see above.
        unsafe { &mut *self.turn.get() }
    }

    #[inline]
    pub(crate) fn release(&self, buf: u64) {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        if turn.release_n < self.area.release_cap {
            // SAFETY: within the array, which is the owner's to write.
            unsafe { self.area.releases.add(turn.release_n as usize).write(buf) };
            turn.release_n += 1;
        } else {
            self.overflow.borrow_mut().push(buf);
        }
    }

    #[inline]
    pub(crate) fn push(&self, op: sys::iip_op) -> Result<()> {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        if turn.op_n >= self.area.op_cap {
            return Err(Error::AGAIN);
        }
        // SAFETY: within the array, which is the owner's to write.
        unsafe { self.area.ops.add(turn.op_n as usize).write(op) };
        turn.op_n += 1;
        Ok(())
    }

    /// Operations for which there is room in this turn.
    #[inline]
    pub fn room(&self) -> u32 {
        // SAFETY: only here, see next().
        self.area.op_cap - unsafe { self.next() }.op_n
    }

    /// Operations that a turn takes.
    pub fn op_cap(&self) -> u32 {
        self.area.op_cap
    }

    /// One operation at once, by a call of its own: for those that make something.
    fn now(&self, mut op: sys::iip_op) -> Result<u64> {
        // SAFETY: we are the owner; the addresses that op.arg may name are the caller's and live for the call.
        check(unsafe { sys::iip_loop_op(self.raw.as_ptr(), &mut op) })?;
        Ok(op.out)
    }

    // ---- objects ----

    /// Listens on this loop only; `user` becomes the cookie of its connections.
    pub fn listen(&self, local: SocketAddr, user: u64) -> Result<Listener> {
        self.open(sys::IIP_OP_LISTEN, addr::to_raw(local), addr::any(), user).map(Listener)
    }

    /// Connects; an event of kind `Connected` or `Closed` follows.
    pub fn connect(&self, peer: SocketAddr, user: u64) -> Result<Conn> {
        self.open(sys::IIP_OP_CONNECT, addr::any(), addr::to_raw(peer), user).map(Conn)
    }

    /// Connects from an address and port of our own.
    pub fn connect_from(&self, local: SocketAddr, peer: SocketAddr, user: u64) -> Result<Conn> {
        self.open(sys::IIP_OP_CONNECT, addr::to_raw(local), addr::to_raw(peer), user).map(Conn)
    }

    /// Opens a UDP endpoint; port 0: a free one.
    pub fn udp(&self, local: SocketAddr, user: u64) -> Result<Udp> {
        self.open(sys::IIP_OP_UDP_OPEN, addr::to_raw(local), addr::any(), user).map(Udp)
    }

    fn open(&self, code: u32, local: sys::iip_addr, peer: sys::iip_addr, user: u64) -> Result<u64> {
        let ends = sys::iip_addrs { local, peer };
        let mut op = op(code, 0);
        op.user = user;
        op.arg = std::ptr::from_ref(&ends) as u64;
        self.now(op)
    }

    /// An event of kind `Timer` comes so many microseconds from now.
    pub fn timer_after(&self, us: u64, user: u64) -> Result<Timer> {
        let mut op = op(sys::IIP_OP_TIMER, 0);
        op.arg = us;
        op.user = user;
        self.now(op).map(Timer)
    }

    /// The same at a time of the loop's clock.
    pub fn timer_at(&self, at_us: u64, user: u64) -> Result<Timer> {
        let mut op = op(sys::IIP_OP_TIMER, 0);
        op.flags = sys::IIP_OP_ABSOLUTE as u16;
        op.arg = at_us;
        op.user = user;
        self.now(op).map(Timer)
    }

    /// The timer never fires then, an event already handed up excepted. [`Error::STALE`].
    pub fn cancel(&self, timer: Timer) -> Result<()> {
        self.now(op(sys::IIP_OP_CANCEL, timer.0)).map(drop)
    }

    // ---- operations of the next turn: Error::AGAIN when there is no room for one more ----

    /// No more to send: FIN follows the queue; receiving goes on.
    pub fn shutdown(&self, conn: Conn) -> Result<()> {
        self.push(op(sys::IIP_OP_SHUTDOWN, conn.0))
    }

    /// Done with it: what is queued still goes out. An event of kind `Closed` follows.
    pub fn close_conn(&self, conn: Conn) -> Result<()> {
        self.push(op(sys::IIP_OP_CLOSE, conn.0))
    }

    /// Ends a listener; its connections live on.
    pub fn close_listener(&self, listener: Listener) -> Result<()> {
        self.push(op(sys::IIP_OP_CLOSE, listener.0))
    }

    /// Ends a UDP endpoint.
    pub fn close_udp(&self, udp: Udp) -> Result<()> {
        self.push(op(sys::IIP_OP_CLOSE, udp.0))
    }

    /// RST; an event of kind `Closed` with [`Error::ABORTED`] follows.
    pub fn abort(&self, conn: Conn) -> Result<()> {
        self.push(op(sys::IIP_OP_ABORT, conn.0))
    }

    /// All bytes that were queued so far are urgent (RFC 9293 3.8.5).
    pub fn urgent(&self, conn: Conn) -> Result<()> {
        self.push(op(sys::IIP_OP_URGENT, conn.0))
    }

    /// Gives a connection another cookie.
    pub fn set_user(&self, conn: Conn, user: u64) -> Result<()> {
        let mut op = op(sys::IIP_OP_USER, conn.0);
        op.user = user;
        self.push(op)
    }

    /// Sets an option of a connection.
    pub fn set(&self, conn: Conn, option: Opt, value: u64) -> Result<()> {
        let mut op = op(sys::IIP_OP_SET, conn.0);
        op.offset = option as u32;
        op.arg = value;
        self.push(op)
    }

    /// With [`Opt::ExplicitCredit`]: so many bytes of the stream are used up.
    pub fn credit(&self, conn: Conn, bytes: u32) -> Result<()> {
        let mut op = op(sys::IIP_OP_CREDIT, conn.0);
        op.len = bytes;
        self.push(op)
    }

    // ---- bytes ----

    /// An empty buffer to write into, `None` when no packet buffer is free.
    #[inline]
    pub(crate) fn take_free(&self) -> Option<sys::iip_span> {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        if turn.tx_taken < turn.tx_free_n {
            // SAFETY: the entries 0 .. tx_free_n - 1 were laid out by the last turn.
            let span = unsafe { self.area.tx_free.add(turn.tx_taken as usize).read() };
            turn.tx_taken += 1;
            return Some(span);
        }
        self.alloc()
    }

    /// Entries of tx_free count as taken only when the next turn says so, so a buffer from there may be sent by
    /// operations of the next turn, but not released by a call before it. One by iip_buf_alloc is ours at once.
    #[cold]
    fn alloc(&self) -> Option<sys::iip_span> {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut span: sys::iip_span = unsafe { std::mem::zeroed() };
        // SAFETY: we are the owner.
        check(unsafe { sys::iip_buf_alloc(self.raw.as_ptr(), &mut span) }).ok().map(|_| span)
    }

    /// Sends a buffer, in whole, behind what was sent before: an [`RxBuf`] as it is, a [`TxBuf`] as far as it is filled.
    /// What the connection does not take comes back by [`Batch::short`](crate::Batch::short) after the turn.
    #[inline]
    pub fn send(&self, conn: Conn, buf: impl Into<RxBuf>) -> Result<(), Refused> {
        self.send_buf(conn, buf.into(), 0)
    }

    /// The same, and FIN behind it if all of it is taken.
    pub fn send_last(&self, conn: Conn, buf: impl Into<RxBuf>) -> Result<(), Refused> {
        self.send_buf(conn, buf.into(), sys::IIP_OP_SHUT)
    }

    #[inline]
    fn send_buf(&self, conn: Conn, buf: RxBuf, flags: u32) -> Result<(), Refused> {
        let mut op = op(sys::IIP_OP_SEND_BUF, conn.0);
        op.flags = flags as u16;
        op.buf = buf.raw.buf;
        op.offset = buf.offset;
        op.len = buf.len;
        self.push_buf(op, buf)
    }

    /// The reference of the buffer becomes the operation's.
    #[inline]
    fn push_buf(&self, op: sys::iip_op, buf: RxBuf) -> Result<(), Refused> {
        let done = if buf.raw.shared.raw == self.raw { self.push(op) } else { Err(Error::STALE) };
        match done {
            Ok(()) => {
                buf.raw.into_handle();
                Ok(())
            }
            Err(error) => Err(Refused { error, buf }),
        }
    }

    /// Copies bytes and sends them. [`Error::AGAIN`]: no room for them in this turn (64 KiB in all). How many of them the
    /// connection takes says [`Batch::short`](crate::Batch::short) after the turn, where it is not all.
    #[inline]
    pub fn send_copy(&self, conn: Conn, bytes: &[u8]) -> Result<()> {
        let at = self.staged.get();
        if bytes.len() > STAGING - at {
            return Err(Error::AGAIN);
        }
        let to = self.staging[at..].as_ptr().cast::<u8>().cast_mut();
        let mut op = op(sys::IIP_OP_SEND_COPY, conn.0);
        op.len = bytes.len() as u32;
        op.arg = to as u64;
        self.push(op)?;
        // SAFETY: there is room; UnsafeCell may be written through a shared reference; `bytes` is not of the staging,
        // of which nobody has a reference.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        self.staged.set(at + bytes.len());
        Ok(())
    }

    /// Sends bytes of registered memory without a copy. An event of kind `TxDone` with `user` follows if any byte is
    /// taken. [`Error::INVAL`]: the range is empty, or not in the region.
    pub fn send_region(&self, conn: Conn, region: &Region, range: Range<usize>, user: u64) -> Result<()> {
        let len = u32::try_from(range.len()).ok().filter(|&n| n != 0).ok_or(Error::INVAL)?;
        if range.end > region.len() {
            return Err(Error::INVAL);
        }
        if self.room() == 0 {
            return Err(Error::AGAIN);
        }
        let mut op = op(sys::IIP_OP_SEND_EXTERN, conn.0);
        op.len = len;
        op.buf = region.raw();
        op.arg = range.start as u64;
        op.user = self.externs.borrow_mut().fly(region, user);
        self.push(op)
    }

    /// Sends one datagram, from `local` where given (one of several addresses of ours). One that is not taken comes back
    /// by [`Batch::short`](crate::Batch::short).
    pub fn udp_send(
        &self,
        udp: Udp,
        peer: SocketAddr,
        local: Option<SocketAddr>,
        buf: impl Into<RxBuf>,
    ) -> Result<(), Refused> {
        let buf = buf.into();
        let ends = sys::iip_addrs { local: local.map_or_else(addr::any, addr::to_raw), peer: addr::to_raw(peer) };
        let Some(aux) = self.put_ends(ends) else { return Err(Refused { error: Error::AGAIN, buf }) };
        let mut op = op(sys::IIP_OP_UDP_SEND, udp.0);
        op.buf = buf.raw.buf;
        op.offset = buf.offset;
        op.len = buf.len;
        op.aux = aux;
        self.push_buf(op, buf)
    }

    /// Sends one datagram of any size at once, by a copy and a call of its own.
    pub fn udp_send_copy(&self, udp: Udp, peer: SocketAddr, local: Option<SocketAddr>, bytes: &[u8]) -> Result<()> {
        let ends = sys::iip_addrs { local: local.map_or_else(addr::any, addr::to_raw), peer: addr::to_raw(peer) };
        let mut op = op(sys::IIP_OP_UDP_SEND_COPY, udp.0);
        op.len = u32::try_from(bytes.len()).map_err(|_| Error::INVAL)?;
        op.buf = bytes.as_ptr() as u64;
        op.arg = std::ptr::from_ref(&ends) as u64;
        self.now(op).map(drop)
    }

    fn put_ends(&self, ends: sys::iip_addrs) -> Option<u32> {
        let at = self.aux_used.get();
        let end = at.checked_add(size_of::<sys::iip_addrs>() as u32)?;
        if end > self.area.op_aux_bytes {
            return None;
        }
        // SAFETY: within op_aux, which is the owner's to write; 64-byte records at multiples of 64.
        unsafe { self.area.op_aux.add(at as usize).cast::<sys::iip_addrs>().write(ends) };
        self.aux_used.set(end);
        Some(at)
    }

    // ---- around the turn, see turn.rs ----

    /// All buffers that wait to be released.
    pub(crate) fn take_releases(&self) -> Vec<u64> {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        // SAFETY: release_n entries of the array were written by us.
        let listed = unsafe { std::slice::from_raw_parts(self.area.releases, turn.release_n as usize) };
        let mut all = self.overflow.take();
        all.extend_from_slice(listed);
        turn.release_n = 0;
        all
    }

    /// After the turn: what was staged has been read.
    #[inline]
    pub(crate) fn after(&self) {
        self.staged.set(0);
        self.aux_used.set(AUX_FIRST);
    }

    /// After a turn in which operations fell short: buffers that were not taken are ours again.
    #[cold]
    pub(crate) fn collect(&self, shared: &Arc<Shared>, ops: u32) {
        for i in 0..ops {
            // SAFETY: the turn has written the first `ops` entries; nobody writes there meanwhile.
            let op = unsafe { self.area.ops.add(i as usize).read() };
            let send =
                matches!(u32::from(op.code), sys::IIP_OP_SEND_BUF | sys::IIP_OP_SEND_EXTERN | sys::IIP_OP_SEND_COPY);
            let missing = if send { op.len - op.out as u32 } else { 0 };
            if op.status >= 0 && missing == 0 {
                continue;
            }
            self.shorts.borrow_mut().push(self.short(shared, &op));
        }
    }

    fn short(&self, shared: &Arc<Shared>, op: &sys::iip_op) -> Short {
        let code = u32::from(op.code);
        let rest = matches!(code, sys::IIP_OP_SEND_BUF | sys::IIP_OP_UDP_SEND).then(|| self.rest(shared, op));
        if code == sys::IIP_OP_SEND_EXTERN && op.out == 0 {
            let landed = self.externs.borrow_mut().land(op.user);
            self.landed.borrow_mut().extend(landed);
        }
        Short {
            error: check(op.status).err().unwrap_or(Error::AGAIN),
            obj: op.obj,
            taken: op.out as u32,
            rest,
            last: u32::from(op.flags) & sys::IIP_OP_SHUT != 0,
        }
    }

    fn rest(&self, shared: &Arc<Shared>, op: &sys::iip_op) -> RxBuf {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut span: sys::iip_span = unsafe { std::mem::zeroed() };
        // SAFETY: the handle is ours; one span fits.
        let n = check(unsafe { sys::iip_buf_spans(op.buf, &mut span, 1) }).unwrap_or(0);
        let out = op.out as u32;
        let (base, offset, len) = if n == 1 && op.offset + op.len <= span.len {
            (span.addr as *const u8, op.offset + out, op.len - out)
        } else {
            (NonNull::<u8>::dangling().as_ptr().cast_const(), 0, 0)
        };
        RxBuf { raw: RawBuf { shared: shared.clone(), buf: op.buf, base }, offset, len }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("room", &self.room()).finish_non_exhaustive()
    }
}

impl TxBuf {
    /// Room of an empty buffer, `None` when no packet buffer is free.
    #[inline]
    pub(crate) fn of(shared: &Arc<Shared>) -> Option<TxBuf> {
        let span = shared.queue.take_free()?;
        Some(TxBuf::new(RawBuf { shared: shared.clone(), buf: span.buf, base: span.addr as *const u8 }, span.len))
    }
}
