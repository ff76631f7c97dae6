//! A loop: its area, its turn, and how it is woken.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use iip_sys as sys;

use super::bufs::Bufs;
use super::wire::{Conn, Packet};
use super::{locked, FRAMES};

const AUX: usize = 4096;

/// What the owner alone touches.
#[derive(Default)]
pub struct Own {
    pub conns: BTreeMap<u64, Conn>,
    /// Port and cookie.
    pub listeners: BTreeMap<u64, (u16, u64)>,
    pub udps: BTreeMap<u64, (u16, u64)>,
    pub timers: BTreeMap<u64, (u64, u64)>,
    pub tx_free_n: u32,
    pub event_n: u32,
    pub aux_used: usize,
    pub made: u32,
    /// What operations of this turn tell.
    pub told: VecDeque<sys::iip_event>,
}

pub struct Looper {
    pub number: usize,
    pub port: String,
    pub closed: AtomicBool,
    pub address: sys::iip_addr,
    pub owner: AtomicUsize,
    pub bufs: Bufs,
    pub inbox: Mutex<VecDeque<Packet>>,
    pub posts: Mutex<Vec<sys::iip_op>>,
    pub wakes: AtomicU64,
    woken: Mutex<bool>,
    sleeping: Condvar,
    pub area: sys::iip_area,
    pub own: UnsafeCell<Own>,
}

// SAFETY: what is not atomic or locked is the owner's.
unsafe impl Send for Looper {}
unsafe impl Sync for Looper {}

thread_local! {
    static TOKEN: u8 = const { 0 };
}

pub fn token() -> usize {
    TOKEN.with(|t| std::ptr::from_ref(t).addr())
}

/// Microseconds.
pub fn clock() -> u64 {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed().as_micros() as u64
}

fn array<T>(n: u32) -> Layout {
    Layout::from_size_align(n as usize * size_of::<T>(), 64).expect("a layout")
}

fn made<T>(n: u32) -> *mut T {
    unsafe { std::alloc::alloc_zeroed(array::<T>(n)) }.cast()
}

fn unmade<T>(p: *const T, n: u32) {
    unsafe { std::alloc::dealloc(p.cast_mut().cast(), array::<T>(n)) };
}

fn or(n: u32, default: u32) -> u32 {
    if n == 0 {
        default
    } else {
        n
    }
}

pub fn event(kind: u32, src: u64, user: u64) -> sys::iip_event {
    sys::iip_event { src, user, type_: kind as u16, ..unsafe { std::mem::zeroed() } }
}

impl Looper {
    pub fn new(number: usize, port: String, address: sys::iip_addr, cfg: &sys::iip_engine_cfg) -> Looper {
        let mut area: sys::iip_area = unsafe { std::mem::zeroed() };
        area.op_cap = or(cfg.op_cap, 32);
        area.release_cap = or(cfg.release_cap, 8);
        area.event_cap = or(cfg.event_cap, 16).max(4);
        area.tx_free_cap = or(cfg.tx_free_cap, 4);
        (area.aux_bytes, area.op_aux_bytes) = (AUX as u32, AUX as u32);
        area.ops = made(area.op_cap);
        area.releases = made(area.release_cap);
        area.events = made(area.event_cap);
        area.tx_free = made(area.tx_free_cap);
        area.aux = made(area.aux_bytes);
        area.op_aux = made(area.op_aux_bytes);
        Looper {
            number,
            port,
            closed: AtomicBool::new(false),
            address,
            owner: AtomicUsize::new(0),
            bufs: Bufs::new(number),
            inbox: Mutex::default(),
            posts: Mutex::default(),
            wakes: AtomicU64::new(0),
            woken: Mutex::default(),
            sleeping: Condvar::new(),
            area,
            own: UnsafeCell::default(),
        }
    }

    pub unsafe fn unmap(&self) {
        let a = &self.area;
        self.bufs.unmap();
        unmade(a.ops, a.op_cap);
        unmade(a.releases, a.release_cap);
        unmade(a.events, a.event_cap);
        unmade(a.tx_free, a.tx_free_cap);
        unmade(a.aux, a.aux_bytes);
        unmade(a.op_aux, a.op_aux_bytes);
    }

    pub fn is_mine(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == token()
    }

    pub fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        *locked(&self.woken) = true;
        self.sleeping.notify_all();
    }

    /// Until woken, or that time has come.
    fn sleep(&self, until: u64) {
        let left = until.saturating_sub(clock()).min(1 << 40);
        let woken = locked(&self.woken);
        let waited = self.sleeping.wait_timeout_while(woken, Duration::from_micros(left), |woken| !*woken);
        *waited.expect("nobody panics under it").0 = false;
    }

    pub unsafe fn held(&self) -> u64 {
        let laid_out = 0..unsafe { (*self.own.get()).tx_free_n } as usize;
        let laid_out = laid_out.filter(|&i| self.bufs.is_live(unsafe { self.area.tx_free.add(i).read() }.buf));
        (FRAMES - unsafe { self.bufs.frames_free() } - laid_out.count()) as u64
    }

    pub unsafe fn leaks(&self, leaks: &mut sys::iip_leaks) {
        unsafe { self.bufs.drain() };
        let own = unsafe { &*self.own.get() };
        leaks.bufs = unsafe { self.held() } as u32;
        leaks.conns = own.conns.len() as u32;
        leaks.listeners = own.listeners.len() as u32;
        leaks.udps = own.udps.len() as u32;
        leaks.timers = own.timers.len() as u32;
    }

    /// Room for one more event.
    pub fn room(&self, own: &Own) -> bool {
        own.event_n < self.area.event_cap
    }

    pub unsafe fn tell(&self, own: &mut Own, event: sys::iip_event) {
        assert!(self.room(own));
        unsafe { self.area.events.cast_mut().add(own.event_n as usize).write(event) };
        own.event_n += 1;
    }

    unsafe fn clear(&self, own: &mut Own) {
        unsafe { self.area.events.cast_mut().write_bytes(0, self.area.event_cap as usize) };
        unsafe { self.area.aux.cast_mut().write_bytes(0, AUX) };
        (own.event_n, own.aux_used) = (0, 64);
    }

    unsafe fn lay_out(&self, own: &mut Own, taken: u32) {
        let free = self.area.tx_free.cast_mut();
        for at in taken..own.tx_free_n {
            unsafe { free.add((at - taken) as usize).write(free.add(at as usize).read()) };
        }
        own.tx_free_n -= taken;
        while own.tx_free_n < self.area.tx_free_cap && unsafe { self.bufs.frames_free() } > FRAMES / 4 {
            let Some(span) = (unsafe { self.bufs.take() }) else { return };
            unsafe { free.add(own.tx_free_n as usize).write(span) };
            own.tx_free_n += 1;
        }
    }

    fn is_idle(&self, own: &Own, now: u64) -> bool {
        own.told.is_empty()
            && locked(&self.inbox).is_empty()
            && locked(&self.posts).is_empty()
            && own.timers.values().all(|&(at, _)| at > now)
    }

    fn timers(&self, own: &mut Own, now: u64) {
        while let Some((&timer, &(_, user))) = own.timers.iter().find(|(_, &(at, _))| at <= now) {
            if !self.room(own) {
                return;
            }
            own.timers.remove(&timer);
            unsafe { self.tell(own, event(sys::IIP_EVENT_TIMER, timer, user)) };
        }
    }

    unsafe fn turn(&self, turn: &mut sys::iip_turn) {
        let own = unsafe { &mut *self.own.get() };
        assert!(turn.op_n <= self.area.op_cap && turn.release_n <= self.area.release_cap);
        assert!(turn.tx_taken <= own.tx_free_n);
        unsafe { self.clear(own) };
        for i in 0..turn.release_n as usize {
            unsafe { self.bufs.put(self.area.releases.add(i).read()) };
        }
        unsafe { self.bufs.drain() };
        turn.op_short = (0..turn.op_n as usize).map(|i| unsafe { self.apply(own, &mut *self.area.ops.add(i)) }).sum();
        self.posted(own);
        if turn.flags & sys::IIP_TURN_WAIT != 0 && turn.wait_us != 0 && self.is_idle(own, clock()) {
            let asked = u64::try_from(turn.wait_us).map_or(u64::MAX, |us| clock().saturating_add(us));
            let timer = own.timers.values().map(|&(at, _)| at).min().unwrap_or(u64::MAX);
            self.sleep(asked.min(timer));
        }
        while self.room(own) {
            let Some(told) = own.told.pop_front() else { break };
            unsafe { self.tell(own, told) };
        }
        unsafe { self.receive(own) };
        self.timers(own, clock());
        unsafe { self.lay_out(own, turn.tx_taken) };
        (turn.op_n, turn.release_n, turn.tx_taken) = (0, 0, 0);
        (turn.event_n, turn.tx_free_n, turn.now_us) = (own.event_n, own.tx_free_n, clock());
    }
}

#[no_mangle]
unsafe extern "C" fn iip_loop_turn(l: *mut sys::iip_loop, turn: *mut sys::iip_turn) -> i32 {
    let l = unsafe { &*l.cast::<Looper>() };
    if !l.is_mine() {
        return sys::IIP_E_WRONG_THREAD;
    }
    unsafe { l.turn(&mut *turn) };
    unsafe { (*turn).event_n as i32 }
}

#[no_mangle]
unsafe extern "C" fn iip_loop_attach(l: *mut sys::iip_loop) -> i32 {
    let owner = unsafe { &(*l.cast::<Looper>()).owner };
    match owner.compare_exchange(0, token(), Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => sys::IIP_OK,
        Err(_) => sys::IIP_E_BUSY,
    }
}

#[no_mangle]
unsafe extern "C" fn iip_loop_detach(l: *mut sys::iip_loop) -> i32 {
    let l = unsafe { &*l.cast::<Looper>() };
    assert!(l.is_mine());
    l.owner.store(0, Ordering::Release);
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_loop_area(l: *mut sys::iip_loop, out: *mut sys::iip_area) -> i32 {
    unsafe { *out = (*l.cast::<Looper>()).area };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_loop_wake(l: *mut sys::iip_loop) -> i32 {
    unsafe { &*l.cast::<Looper>() }.wake();
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_loop_now(_: *mut sys::iip_loop, now_us: *mut u64) -> i32 {
    unsafe { *now_us = clock() };
    sys::IIP_OK
}

#[no_mangle]
unsafe extern "C" fn iip_buf_alloc(l: *mut sys::iip_loop, out: *mut sys::iip_span) -> i32 {
    let l = unsafe { &*l.cast::<Looper>() };
    assert!(l.is_mine());
    if unsafe { l.bufs.frames_free() } <= FRAMES / 4 {
        return sys::IIP_E_NOBUFS;
    }
    match unsafe { l.bufs.take() } {
        Some(span) => {
            unsafe { out.write(span) };
            sys::IIP_OK
        }
        None => sys::IIP_E_NOBUFS,
    }
}
