//! Objects, and what is done to them.

use std::net::SocketAddr;

use iip_sys as sys;

use super::Queue;
use crate::addr;
use crate::error::Result;
use crate::handle::{Conn, Listener, Timer, Udp};

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

impl Queue {
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

    /// The timer never fires then, an event already handed up excepted. [`Error::STALE`](crate::Error::STALE).
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

    /// RST; an event of kind `Closed` with [`Error::ABORTED`](crate::Error::ABORTED) follows.
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
}
