//! What needs no memory of a loop: statuses, layouts, statistics.

use std::ffi::c_char;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::OnceLock;

use iip_sys as sys;

use super::looper::Looper;

#[no_mangle]
extern "C" fn iip_abi_require(_: u32, _: u32) -> i32 {
    sys::IIP_OK
}

#[no_mangle]
extern "C" fn iip_version() -> *const c_char {
    c"0.0.0".as_ptr()
}

#[no_mangle]
extern "C" fn iip_status_name(status: i32) -> *const c_char {
    static NAMES: OnceLock<Vec<std::ffi::CString>> = OnceLock::new();
    let names = NAMES.get_or_init(|| (0..32).map(|i| std::ffi::CString::new(format!("-{i}")).expect("text")).collect());
    names[status.unsigned_abs() as usize].as_ptr()
}

#[no_mangle]
extern "C" fn iip_status_text(status: i32) -> *const c_char {
    iip_status_name(status)
}

#[no_mangle]
extern "C" fn iip_status_errno(_: i32) -> i32 {
    22
}

/// As the crate has it. It looks for one row after the other from the first on; each is first when its turn has come, so
/// that this takes one comparison a row.
#[no_mangle]
unsafe extern "C" fn iip_layout_get(i: u32, out: *mut sys::iip_layout) -> i32 {
    static ROWS: OnceLock<Vec<[Option<std::ffi::CString>; 2]>> = OnceLock::new();
    static SEARCHES: AtomicUsize = AtomicUsize::new(0);
    let text = |t: &str| std::ffi::CString::new(t).expect("text");
    let rows =
        ROWS.get_or_init(|| sys::layout().iter().map(|r| [Some(text(r.name)), r.field.map(text)]).collect::<Vec<_>>());
    let first = if i == 0 { SEARCHES.fetch_add(1, Ordering::Relaxed) } else { SEARCHES.load(Ordering::Relaxed) - 1 };
    if i as usize >= rows.len() {
        return sys::IIP_E_NOT_FOUND;
    }
    let at = (first + i as usize) % rows.len();
    let [name, field] = [0, 1].map(|k| rows[at][k].as_ref().map_or(std::ptr::null(), |t| t.as_ptr()));
    let row = &sys::layout()[at];
    unsafe { *out = sys::iip_layout { type_: name, field, offset: row.offset as u32, size: row.size as u32 } };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_loop_stats_get(l: *mut sys::iip_loop, out: *mut sys::iip_loop_stats) -> i32 {
    let l = unsafe { &*l.cast::<Looper>() };
    assert!(l.is_mine());
    let own = unsafe { &*l.own.get() };
    unsafe {
        (*out).conns = own.conns.len() as u32;
        (*out).bufs_held = l.held();
        (*out).frames_free = l.bufs.frames_free() as u64;
        (*out).foreign_releases = l.bufs.foreign.load(Ordering::Relaxed);
        (*out).stale_handles = l.bufs.stale.load(Ordering::Relaxed);
        (*out).wakes = l.wakes.load(Ordering::Relaxed);
    }
    sys::IIP_OK
}
