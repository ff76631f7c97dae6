//! A libiip in Rust, so that Miri, which runs no C, sees what the crate does with the memory that both sides map.
//!
//! It keeps the contract of `<iip/iip.h>` as far as the tests here go: engines of one loop on the two ends of a wire that
//! loses nothing. What the crate must get right is as strict as in the library, or stricter: buffers are counted by
//! atomics of the same orderings, written over when they are free, and unmapped when the engine closes; what only the
//! owner may touch stands behind no lock, which would hide a race. The tests beside it link it by `use iip_miri as _`.
//!
//! Anything but Miri sees an empty crate.
#![cfg(miri)]
#![allow(missing_docs)]

mod bufs;
mod looper;
mod ops;
mod rest;
mod wire;

use std::ffi::{c_char, CStr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use iip_sys as sys;
use looper::Looper;

/// Packet buffers of a loop; few, so that they are soon used again.
const FRAMES: usize = 48;
/// Bytes of one.
const FRAME: usize = 128;

struct Engine {
    looper: &'static Looper,
}

/// Loops by their number, as handles name them; a number is never used again. No lock, which would order what threads do.
static LOOPS: [OnceLock<Looper>; 127] = [const { OnceLock::new() }; 127];
static NEXT: AtomicUsize = AtomicUsize::new(0);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handle(kind: u32, number: usize, generation: u32, slot: u32) -> u64 {
    u64::from(kind) << 50 | (number as u64) << 43 | u64::from(generation & 0x1f_ffff) << 22 | u64::from(slot)
}

fn kind_of(handle: u64) -> u32 {
    (handle >> 50) as u32
}

fn loop_of(handle: u64) -> Option<&'static Looper> {
    LOOPS.get(((handle >> 43) & 0x7f) as usize)?.get().filter(|l| !l.closed.load(Ordering::Acquire))
}

/// The loop at the other end of this one's wire.
fn other_end(of: &Looper) -> Option<&'static Looper> {
    let open = LOOPS.iter().filter_map(OnceLock::get).filter(|l| !l.closed.load(Ordering::Acquire));
    open.filter(|l| l.port == of.port && l.number != of.number).next()
}

/// # Safety
/// A terminated string, or null.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    unsafe { CStr::from_ptr(text) }.to_str().expect("UTF-8").to_owned()
}

fn address(text: &str) -> sys::iip_addr {
    let ip = text.split('/').next().and_then(|ip| ip.parse().ok()).unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
    sys::iip_addr { ip: ip.to_ipv6_mapped().octets(), port: 0, family: 4, scope: 0, reserved: 0 }
}

#[no_mangle]
unsafe extern "C" fn iip_engine_open(
    cfg: *const sys::iip_engine_cfg,
    out: *mut *mut sys::iip_engine,
    _: *mut c_char,
    _: u32,
) -> i32 {
    let cfg = unsafe { &*cfg };
    let (port, addresses) = unsafe { (text(cfg.port), text(cfg.addresses)) };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let looper = LOOPS[number].get_or_init(|| Looper::new(number, port, address(&addresses), cfg));
    let engine = Box::new(Engine { looper });
    unsafe { *out = Box::into_raw(engine).cast() };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_engine_close(engine: *mut sys::iip_engine, leaks: *mut sys::iip_leaks) -> i32 {
    let engine = unsafe { Box::from_raw(engine.cast::<Engine>()) };
    let looper = engine.looper;
    assert_eq!(looper.owner.load(Ordering::Acquire), 0, "{} closes under its owner", looper.port);
    looper.closed.store(true, Ordering::Release);
    unsafe { looper.leaks(&mut *leaks) };
    unsafe { looper.unmap() };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_engine_info_get(_: *mut sys::iip_engine, out: *mut sys::iip_engine_info) -> i32 {
    unsafe { (*out).loops = 1 };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_engine_loop(engine: *mut sys::iip_engine, i: u32, out: *mut *mut sys::iip_loop) -> i32 {
    if i != 0 {
        return sys::IIP_E_NOT_FOUND;
    }
    let engine = unsafe { &*engine.cast::<Engine>() };
    unsafe { *out = std::ptr::from_ref(engine.looper).cast_mut().cast() };
    sys::IIP_OK
}

// ---- registered memory ----

/// One row a region: its loop's engine is not looked at, its memory and how many sends of it are under way are.
struct Row {
    pub base: usize,
    pub len: u64,
    pub flying: u32,
}

static REGIONS: Mutex<Vec<Option<Row>>> = Mutex::new(Vec::new());

fn with_region<T>(handle: u64, f: impl FnOnce(&mut Option<Row>) -> T) -> Option<T> {
    let mut rows = locked(&REGIONS);
    let row = rows.get_mut((handle & 0x3f_ffff) as usize).filter(|_| kind_of(handle) == sys::IIP_KIND_REGION)?;
    row.is_some().then(|| f(row))
}

#[no_mangle]
unsafe extern "C" fn iip_region_add(
    _: *mut sys::iip_engine,
    base: *const std::ffi::c_void,
    len: u64,
    out: *mut u64,
) -> i32 {
    if len == 0 {
        return sys::IIP_E_INVAL;
    }
    let mut rows = locked(&REGIONS);
    rows.push(Some(Row { base: base.expose_provenance(), len, flying: 0 }));
    unsafe { *out = handle(sys::IIP_KIND_REGION, 127, 0, rows.len() as u32 - 1) };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_region_remove(region: u64) -> i32 {
    let remove = |row: &mut Option<Row>| match row {
        Some(row) if row.flying != 0 => sys::IIP_E_BUSY,
        _ => {
            *row = None;
            sys::IIP_OK
        }
    };
    with_region(region, remove).unwrap_or(sys::IIP_E_STALE)
}
