//! Engines: an open port with its loops and memory.

use std::ffi::{c_char, CString};
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iip_sys as sys;

use crate::error::{check, Error, OpenError, Result};
use crate::handle::Listener;
use crate::queue::thread_token;
use crate::region::Externs;
use crate::stats::{self, LogRecord};
use crate::{addr, Loop, Remote};

/// What was opened: see `struct iip_engine_info`.
pub type EngineInfo = sys::iip_engine_info;
/// What the application had not given back when an engine was closed: see `struct iip_leaks`.
pub type Leaks = sys::iip_leaks;

/// How an engine is opened. What is not set has the library's default.
#[derive(Clone, Debug, Default)]
pub struct Config {
    port: String,
    addresses: String,
    routes: String,
    tunables: String,
    neighbours: String,
    pcap: String,
    cores: Cores,
    numbers: Numbers,
}

/// How cores are assigned to a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Cores {
    /// The thread that turns a loop does everything.
    #[default]
    Unified = sys::IIP_CORES_UNIFIED,
    /// A second thread does the networking of the loop, on another core: see [`Networking`](crate::Networking).
    Split = sys::IIP_CORES_SPLIT,
    /// The same, and both threads share a core: neither ever polls.
    Merge = sys::IIP_CORES_MERGE,
}

#[derive(Clone, Debug, Default)]
struct Numbers {
    loops: u32,
    frames: u32,
    frame_bytes: u32,
    ring: u32,
    op_cap: u32,
    release_cap: u32,
    event_cap: u32,
    tx_free_cap: u32,
    post_cap: u32,
    poll_us: u32,
    mtu: u32,
    log_level: u32,
    spill_bytes: u64,
    mem_limit: u64,
    seed: u64,
    key: [u8; 16],
}

/// A text option whose values add up, with what stands between them.
macro_rules! lists {
    ($($(#[$doc:meta])* $method:ident => $field:ident, $between:literal;)*) => {
        impl Config {
            $($(#[$doc])*
            pub fn $method(mut self, value: &str) -> Config {
                if !self.$field.is_empty() {
                    self.$field.push_str($between);
                }
                self.$field.push_str(value);
                self
            })*
        }
    };
}

lists! {
    /// One of our own addresses with its prefix length: `"10.0.0.1/24"`, `"fd00::1/64"`. Adds up.
    address => addresses, " ";
    /// A route: `"default via 10.0.0.254"`, `"10.9.0.0/16 via 10.0.0.7"`. Adds up.
    route => routes, ", ";
    /// A tunable of `docs/reference/tunables.md`: `"tcp.mss=1400"`. Adds up.
    tunable => tunables, ",";
    /// A permanent neighbour: `"10.0.0.9=02:00:00:00:00:09"`. Adds up.
    neighbour => neighbours, " ";
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $field:ident: $type:ty;)*) => {
        impl Config {
            $($(#[$doc])*
            pub fn $field(mut self, value: $type) -> Config {
                self.numbers.$field = value;
                self
            })*
        }
    };
}

numbers! {
    /// Queues of the port, one loop each (default 1).
    loops: u32;
    /// Packet buffers of each queue.
    frames: u32;
    /// Bytes of each packet buffer (default: by the MTU).
    frame_bytes: u32;
    /// Descriptors of each ring of the port.
    ring: u32;
    /// Operations that a turn takes (default 256).
    op_cap: u32;
    /// Releases that a turn takes (default 1024).
    release_cap: u32;
    /// Events that a turn hands up (default 512).
    event_cap: u32;
    /// Empty buffers laid out for the application (default 64).
    tx_free_cap: u32;
    /// Operations of other threads that wait for a loop (default 1024).
    post_cap: u32;
    /// A parked loop of a port without interrupt looks for packets this often, in microseconds (default 100).
    poll_us: u32;
    /// Records up to this level are kept for [`Engine::log`]: 1 error, 2 warning (default), 3 information, 4 all.
    log_level: u32;
    /// Bytes of an IP packet.
    mtu: u32;
    /// Memory of each loop, in bytes, for copies of arrivals when packet buffers run low (default 4 MiB).
    spill_bytes: u64;
    /// Bytes that the tables of each loop's stack may grow to (default: no limit).
    mem_limit: u64;
    /// For what is random but not secret (default: from the system).
    seed: u64;
    /// Secret key of sequence numbers, ports and hashes (default: from the system).
    key: [u8; 16];
}

impl Config {
    /// An engine on this port: `"tap:iip0"`, `"pair:a"`, `"sim:w,loss=1%"`, `"dpdk:net_memif0,..."`.
    pub fn new(port: &str) -> Config {
        Config { port: port.to_owned(), ..Config::default() }
    }

    /// Records all packets to this file.
    pub fn pcap(mut self, file: &str) -> Config {
        file.clone_into(&mut self.pcap);
        self
    }

    /// How cores are assigned; what is not [`Cores::Unified`] needs a second thread for each loop.
    pub fn cores(mut self, cores: Cores) -> Config {
        self.cores = cores;
        self
    }

    /// The port.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Opens it.
    pub fn open(&self) -> Result<Engine, OpenError> {
        Engine::open(self)
    }
}

fn text(value: &str) -> Result<Option<CString>, OpenError> {
    if value.is_empty() {
        return Ok(None);
    }
    CString::new(value)
        .map(Some)
        .map_err(|_| OpenError { error: Error::INVAL, text: format!("{value:?} has a zero byte in it") })
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr())
}

/// The library must be one that this crate was made for.
fn fits() -> Result<(), OpenError> {
    // SAFETY: takes any numbers.
    let served = check(unsafe { sys::iip_abi_require(sys::IIP_ABI_MAJOR, sys::IIP_ABI_MINOR) });
    let why = match (served, sys::layout_mismatch()) {
        (Ok(_), None) => return Ok(()),
        (Err(_), _) => {
            format!("libiip {} does not serve ABI {}.{}", crate::version(), sys::IIP_ABI_MAJOR, sys::IIP_ABI_MINOR)
        }
        (_, Some(row)) => {
            format!("libiip {} lays out {}.{} otherwise", crate::version(), row.name, row.field.unwrap_or("(size)"))
        }
    };
    Err(OpenError { error: Error::ABI, text: why + "; build iip-sys and libiip from the same checkout" })
}

/// What outlives a [`Loop`]: one a loop of the engine.
#[derive(Default)]
pub(crate) struct Slot {
    /// The token of the thread that holds its [`Loop`]; 0: nobody does.
    holder: AtomicUsize,
    /// Empty buffers that were taken without a turn that would have declared it; the next owner's first turn does.
    pub(crate) taken: AtomicU32,
    /// Sends that were on their way when the last owner gave up; the next one takes them over.
    pub(crate) externs: Mutex<Externs>,
    /// The token of the thread that does the loop's networking, if there is one.
    pub(crate) networker: AtomicUsize,
}

impl Slot {
    pub(crate) fn swap_externs(&self, externs: Externs) -> Externs {
        std::mem::replace(&mut *self.externs.lock().unwrap_or_else(PoisonError::into_inner), externs)
    }
}

pub(crate) struct EngineInner {
    pub(crate) raw: NonNull<sys::iip_engine>,
    pub(crate) slots: Box<[Slot]>,
}

// SAFETY: the engine is an [any] object of the C interface; what it points to is only used by [any] functions, and by
// [owner] functions in the thread that holds the one Loop.
unsafe impl Send for EngineInner {}
// SAFETY: as above.
unsafe impl Sync for EngineInner {}

impl EngineInner {
    fn close(&mut self) -> Result<Leaks> {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut leaks: Leaks = unsafe { std::mem::zeroed() };
        leaks.size = size_of::<Leaks>() as u32;
        // SAFETY: the engine is open, and nobody else has it: &mut, and every view of its memory holds an Arc of us.
        let status = check(unsafe { sys::iip_engine_close(self.raw.as_ptr(), &mut leaks) });
        if status.is_err() {
            // It still lives, so what it may be sending must live too.
            self.slots.iter().for_each(|slot| std::mem::forget(slot.swap_externs(Externs::default())));
        }
        status.map(|_| leaks)
    }
}

impl Drop for EngineInner {
    fn drop(&mut self) {
        let _ = self.close(); // FORKED in a child: not ours to close
    }
}

/// An open port with its loops and memory. Clones are the same engine; it closes when the last of them, of its loops,
/// [`Remote`]s and buffers is gone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<EngineInner>,
}

impl Engine {
    /// Opens a port and makes its loops; nobody owns them yet.
    pub fn open(config: &Config) -> Result<Engine, OpenError> {
        fits()?;
        let texts =
            [&config.port, &config.addresses, &config.routes, &config.tunables, &config.neighbours, &config.pcap];
        let mut kept = Vec::with_capacity(texts.len());
        for value in texts {
            kept.push(text(value)?);
        }
        // SAFETY: all zero is the default of every field; the pointers are null.
        let mut cfg: sys::iip_engine_cfg = unsafe { std::mem::zeroed() };
        cfg.size = size_of_val(&cfg) as u32;
        cfg.port = pointer(&kept[0]);
        cfg.addresses = pointer(&kept[1]);
        cfg.routes = pointer(&kept[2]);
        cfg.tunables = pointer(&kept[3]);
        cfg.neighbours = pointer(&kept[4]);
        cfg.pcap = pointer(&kept[5]);
        cfg.cores = config.cores as u32;
        set_numbers(&mut cfg, &config.numbers);
        let inner = open(&cfg)?;
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// What was opened.
    pub fn info(&self) -> Result<EngineInfo> {
        info(self.inner.raw)
    }

    /// The calling thread becomes the owner of loop `index`. [`Error::BUSY`] while another [`Loop`] of it lives,
    /// [`Error::NOT_FOUND`] where there is no such loop.
    pub fn attach(&self, index: u32) -> Result<Loop> {
        Loop::attach(&self.inner, index)
    }

    /// What other threads may do with loop `index`. [`Error::NOT_FOUND`].
    pub fn remote(&self, index: u32) -> Result<Remote> {
        Remote::new(&self.inner, index)
    }

    /// Listens on all loops; connections come up on the loop that owns them, with `user` as the cookie. Each loop tells
    /// by an event of kind `Done` (with that cookie) whether it could.
    pub fn listen(&self, local: SocketAddr, backlog: u32, user: u64) -> Result<Listener> {
        let local = addr::to_raw(local);
        let mut out = 0;
        // SAFETY: the engine is open, both pointers are valid for the call.
        check(unsafe { sys::iip_engine_listen(self.inner.raw.as_ptr(), &local, backlog, user, &mut out) })?;
        Ok(Listener(out))
    }

    /// Ends it on all loops; accepted connections live on. [`Error::STALE`].
    pub fn unlisten(&self, listener: Listener) -> Result<()> {
        // SAFETY: the engine is open.
        check(unsafe { sys::iip_engine_unlisten(self.inner.raw.as_ptr(), listener.0) }).map(drop)
    }

    /// Moves the virtual clock of a simulated port (`clock=virtual`) on, for both of its ends; returns the new time in
    /// microseconds.
    pub fn advance(&self, by: Duration) -> Result<u64> {
        let mut now = 0;
        let us = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        // SAFETY: the engine is open.
        check(unsafe { sys::iip_engine_advance(self.inner.raw.as_ptr(), us, &mut now) })?;
        Ok(now)
    }

    /// On such a port: a frame arrives at this engine now, as if the other end had sent it. For tests of what a hostile or
    /// broken peer could send.
    pub fn inject(&self, frame: &[u8]) -> Result<()> {
        let len = u32::try_from(frame.len()).map_err(|_| Error::INVAL)?;
        // SAFETY: the engine is open; the bytes are copied in the call.
        check(unsafe { sys::iip_engine_inject(self.inner.raw.as_ptr(), frame.as_ptr().cast(), len) }).map(drop)
    }

    /// On such a port: changes the MTU of the wire; both ends tell by an event of kind `Link`.
    pub fn set_mtu(&self, mtu: u32) -> Result<()> {
        // SAFETY: the engine is open.
        check(unsafe { sys::iip_engine_mtu_set(self.inner.raw.as_ptr(), mtu) }).map(drop)
    }

    /// Takes the oldest record of its log; `None`: there is no more.
    pub fn log(&self) -> Option<LogRecord> {
        stats::log(self.inner.raw)
    }

    /// Closes it at once and says what was not given back. Gives the engine back while clones, loops, [`Remote`]s or
    /// buffers of it live.
    pub fn close(self) -> Result<Leaks, Engine> {
        match Arc::try_unwrap(self.inner) {
            Ok(mut inner) => {
                let leaks = inner.close();
                match leaks {
                    Ok(leaks) => {
                        finish(inner);
                        Ok(leaks)
                    }
                    Err(_) => Err(Engine { inner: Arc::new(inner) }),
                }
            }
            Err(inner) => Err(Engine { inner }),
        }
    }
}

/// Drops everything of a closed engine but the engine.
fn finish(inner: EngineInner) {
    let mut inner = std::mem::ManuallyDrop::new(inner);
    drop(std::mem::take(&mut inner.slots));
}

fn set_numbers(cfg: &mut sys::iip_engine_cfg, n: &Numbers) {
    cfg.loops = n.loops;
    cfg.frames = n.frames;
    cfg.frame_bytes = n.frame_bytes;
    cfg.ring = n.ring;
    cfg.post_cap = n.post_cap;
    cfg.poll_us = n.poll_us;
    cfg.log_level = n.log_level;
    cfg.op_cap = n.op_cap;
    cfg.release_cap = n.release_cap;
    cfg.event_cap = n.event_cap;
    cfg.tx_free_cap = n.tx_free_cap;
    cfg.mtu = n.mtu;
    cfg.spill_bytes = n.spill_bytes;
    cfg.mem_limit = n.mem_limit;
    cfg.seed = n.seed;
    cfg.key = n.key;
}

fn open(cfg: &sys::iip_engine_cfg) -> Result<EngineInner, OpenError> {
    let mut raw = std::ptr::null_mut();
    let mut why = [0u8; 256];
    // SAFETY: all pointers are valid for the call; the library keeps none of them.
    let status = unsafe { sys::iip_engine_open(cfg, &mut raw, why.as_mut_ptr().cast(), why.len() as u32) };
    let fail = |error| {
        let end = why.iter().position(|&b| b == 0).unwrap_or(why.len());
        OpenError { error, text: String::from_utf8_lossy(&why[..end]).into_owned() }
    };
    check(status).map_err(fail)?;
    let raw = NonNull::new(raw).ok_or_else(|| fail(Error::INVAL))?;
    let loops = info(raw).map_err(fail)?.loops;
    let slots = (0..loops).map(|_| Slot::default()).collect();
    Ok(EngineInner { raw, slots })
}

fn info(raw: NonNull<sys::iip_engine>) -> Result<EngineInfo> {
    // SAFETY: all zero is a valid value of this structure of integers.
    let mut info: EngineInfo = unsafe { std::mem::zeroed() };
    info.size = size_of::<EngineInfo>() as u32;
    // SAFETY: the engine is open.
    check(unsafe { sys::iip_engine_info_get(raw.as_ptr(), &mut info) })?;
    Ok(info)
}

impl EngineInner {
    pub(crate) fn loop_raw(&self, index: u32) -> Result<NonNull<sys::iip_loop>> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: the engine is open.
        check(unsafe { sys::iip_engine_loop(self.raw.as_ptr(), index, &mut raw) })?;
        NonNull::new(raw).ok_or(Error::NOT_FOUND)
    }

    /// There is at most one [`Loop`] of each loop: a second one would be a second `&mut`.
    pub(crate) fn claim(&self, index: u32) -> Result<()> {
        let slot = self.slots.get(index as usize).ok_or(Error::NOT_FOUND)?;
        if slot.networker.load(Ordering::Relaxed) == thread_token() {
            return Err(Error::BUSY); // its turns would wait for itself
        }
        let claimed = slot.holder.compare_exchange(0, thread_token(), Ordering::Acquire, Ordering::Relaxed);
        claimed.map(drop).map_err(|_| Error::BUSY)
    }

    /// Whether the calling thread holds the [`Loop`].
    pub(crate) fn is_held_here(&self, index: u32) -> bool {
        self.slots[index as usize].holder.load(Ordering::Relaxed) == thread_token()
    }

    pub(crate) fn unclaim(&self, index: u32) {
        self.slots[index as usize].holder.store(0, Ordering::Release);
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} loops)", self.inner.slots.len())
    }
}
