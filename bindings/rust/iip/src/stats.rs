//! What is going on: statistics, counters, connections, the log; what the library has.

use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::OnceLock;

use iip_sys as sys;

use crate::addr::socket_addr;
use crate::error::{check, literal, Error, Result};
use crate::handle::Conn;

/// One loop: see `struct iip_loop_stats`.
pub type LoopStats = sys::iip_loop_stats;

/// One connection. It derefs to `struct iip_conn_info`.
#[derive(Clone, Copy)]
pub struct ConnInfo(sys::iip_conn_info);

impl ConnInfo {
    /// Our own address.
    pub fn local_addr(&self) -> SocketAddr {
        socket_addr(&self.0.local)
    }

    /// The other's.
    pub fn peer_addr(&self) -> SocketAddr {
        socket_addr(&self.0.peer)
    }
}

impl std::ops::Deref for ConnInfo {
    type Target = sys::iip_conn_info;

    fn deref(&self) -> &sys::iip_conn_info {
        &self.0
    }
}

impl std::fmt::Debug for ConnInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn conn_info(conn: Conn) -> Result<ConnInfo> {
    // SAFETY: all zero is a valid value of this structure of integers.
    let mut info: sys::iip_conn_info = unsafe { std::mem::zeroed() };
    info.size = size_of_val(&info) as u32;
    // SAFETY: takes any number; another thread than the owner gets WRONG_THREAD.
    check(unsafe { sys::iip_conn_info_get(conn.0, &mut info) })?;
    Ok(ConnInfo(info))
}

pub(crate) fn loop_stats(raw: NonNull<sys::iip_loop>) -> Result<LoopStats> {
    // SAFETY: all zero is a valid value of this structure of integers.
    let mut stats: LoopStats = unsafe { std::mem::zeroed() };
    stats.size = size_of_val(&stats) as u32;
    // SAFETY: the loop is open: the caller has its engine.
    check(unsafe { sys::iip_loop_stats_get(raw.as_ptr(), &mut stats) })?;
    Ok(stats)
}

/// Names of the counters that [`Loop::counters`](crate::Loop::counters) gives; `docs/reference/counters.md` explains each.
pub fn counter_names() -> &'static [&'static str] {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    // SAFETY: takes any number; null past the last.
    NAMES.get_or_init(|| names(|i| unsafe { sys::iip_counter_name(i) }))
}

pub(crate) fn counters(raw: NonNull<sys::iip_loop>) -> Result<Vec<u64>> {
    let mut all = vec![0; counter_names().len()];
    // SAFETY: the loop is open: the caller has its engine; `all` has room for as many as we say.
    let n = check(unsafe { sys::iip_loop_counters(raw.as_ptr(), all.as_mut_ptr(), all.len() as u32) })?;
    all.truncate(n as usize);
    Ok(all)
}

/// Connections of one loop.
pub(crate) fn conns(raw: NonNull<sys::iip_loop>) -> Result<Vec<Conn>> {
    let (mut all, mut some, mut after) = (Vec::new(), [0; 256], 0);
    loop {
        // SAFETY: the loop is open: the caller has its engine; `some` has room for as many as we say.
        let n = check(unsafe { sys::iip_loop_conns(raw.as_ptr(), after, some.as_mut_ptr(), some.len() as u32) })?;
        let Some(&last) = some[..n as usize].last() else { return Ok(all) };
        all.extend(some[..n as usize].iter().map(|&conn| Conn(conn)));
        after = last;
    }
}

/// A record of an engine's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Microseconds of the system's monotonic clock.
    pub time_us: u64,
    /// 1 error, 2 warning, 3 information, 4 all else.
    pub level: u32,
    /// The loop that it is about; `None`: the engine.
    pub index: Option<u32>,
    /// The handle that it is about, or 0.
    pub obj: u64,
    /// The status that it tells, if it is not good.
    pub error: Option<Error>,
    /// Records before it that were overwritten unread.
    pub lost: u32,
    /// What happened.
    pub text: String,
}

pub(crate) fn log(raw: NonNull<sys::iip_engine>) -> Option<LogRecord> {
    // SAFETY: all zero is a valid value of this structure of integers.
    let mut found: sys::iip_log_record = unsafe { std::mem::zeroed() };
    // SAFETY: the engine is open: the caller has it; one record fits.
    if check(unsafe { sys::iip_engine_log(raw.as_ptr(), &mut found, 1) }) != Ok(1) {
        return None;
    }
    let text: Vec<u8> = found.text.iter().take_while(|&&c| c != 0).map(|&c| c as u8).collect();
    Some(LogRecord {
        time_us: found.time_us,
        level: found.level,
        index: Some(found.loop_).filter(|&i| i != u32::MAX),
        obj: found.obj,
        error: check(found.status).err(),
        lost: found.lost,
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// What the library has, by names: of a feature ([`probe`](crate::probe)), of a kind of port.
fn names(name: impl Fn(u32) -> *const std::ffi::c_char) -> Vec<&'static str> {
    // SAFETY: not null, so a literal of the library.
    (0..).map(name).take_while(|n| !n.is_null()).map(|n| unsafe { literal(n) }).collect()
}

/// All features of the library, for [`probe`](crate::probe).
pub fn features() -> Vec<&'static str> {
    // SAFETY: takes any number; null past the last.
    names(|i| unsafe { sys::iip_feature_name(i) })
}

/// The kinds of port that the library can open: `"tap"`, `"pair"` ...
pub fn port_kinds() -> Vec<&'static str> {
    // SAFETY: takes any number; null past the last.
    names(|i| unsafe { sys::iip_engine_kind(i) })
}
