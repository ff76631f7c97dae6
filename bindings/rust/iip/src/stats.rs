//! What is going on: statistics, counters, connections.

use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::OnceLock;

use iip_sys as sys;

use crate::addr::socket_addr;
use crate::error::{check, literal, Result};
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
    NAMES.get_or_init(|| {
        // SAFETY: takes any number; null past the last.
        let name = |i| unsafe { sys::iip_counter_name(i) };
        // SAFETY: not null, so a literal of the library.
        (0..).map(name).take_while(|n| !n.is_null()).map(|n| unsafe { literal(n) }).collect()
    })
}

pub(crate) fn counters(raw: NonNull<sys::iip_loop>) -> Result<Vec<u64>> {
    let mut all = vec![0; counter_names().len()];
    // SAFETY: the loop is open: the caller has its engine; `all` has room for as many as we say.
    let n = check(unsafe { sys::iip_loop_counters(raw.as_ptr(), all.as_mut_ptr(), all.len() as u32) })?;
    all.truncate(n as usize);
    Ok(all)
}
