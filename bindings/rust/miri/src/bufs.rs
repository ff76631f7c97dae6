//! Buffers: counted references, from whichever thread they come back.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use iip_sys as sys;

use super::{handle, loop_of, FRAME, FRAMES};

const NONE: u32 = u32::MAX;
const WRITTEN_OVER: u8 = 0xdd;

struct Slot {
    /// Generation and references.
    word: AtomicU64,
    next: AtomicU32,
}

pub struct Bufs {
    number: usize,
    memory: *mut u8,
    slots: Vec<Slot>,
    returned: AtomicU32,
    pub foreign: AtomicU64,
    pub stale: AtomicU64,
    /// The owner's.
    free: UnsafeCell<Vec<u32>>,
}

fn layout() -> Layout {
    Layout::from_size_align(FRAMES * FRAME, 64).expect("a layout")
}

impl Bufs {
    pub fn new(number: usize) -> Bufs {
        let slots = (0..FRAMES).map(|_| Slot { word: AtomicU64::new(0), next: AtomicU32::new(NONE) }).collect();
        Bufs {
            number,
            memory: unsafe { std::alloc::alloc(layout()) },
            slots,
            returned: AtomicU32::new(NONE),
            foreign: AtomicU64::new(0),
            stale: AtomicU64::new(0),
            free: UnsafeCell::new((0..FRAMES as u32).rev().collect()),
        }
    }

    pub fn unmap(&self) {
        unsafe { std::alloc::dealloc(self.memory, layout()) };
    }

    fn slot(&self, buf: u64) -> Option<&Slot> {
        let slot = self.slots.get((buf & 0x3f_ffff) as usize)?;
        let live = handle(sys::IIP_KIND_BUF, self.number, generation(slot.word.load(Ordering::Relaxed)), buf as u32);
        (live & !0x3f_ffff == buf & !0x3f_ffff).then_some(slot)
    }

    pub fn is_live(&self, buf: u64) -> bool {
        self.slot(buf).is_some_and(|slot| refs(slot.word.load(Ordering::Relaxed)) > 0)
    }

    pub fn keep(&self, buf: u64) -> i32 {
        let more = |word| (refs(word) > 0).then_some(word + 1);
        let slot = self.slot(buf);
        let kept = slot.map(|slot| slot.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok());
        if kept == Some(true) {
            sys::IIP_OK
        } else {
            sys::IIP_E_STALE
        }
    }

    /// 1: it was the last reference.
    fn put_back(&self, buf: u64) -> i32 {
        let less = |word| match refs(word) {
            0 => None,
            1 => Some(u64::from(generation(word) + 1) << 32),
            _ => Some(word - 1),
        };
        match self.slot(buf).map(|slot| slot.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less)) {
            Some(Ok(word)) => i32::from(refs(word) == 1),
            _ => {
                self.stale.fetch_add(1, Ordering::Relaxed);
                sys::IIP_E_STALE
            }
        }
    }

    /// By the owner.
    pub unsafe fn put(&self, buf: u64) -> i32 {
        let last = self.put_back(buf);
        if last == 1 {
            unsafe { self.free(buf as u32 & 0x3f_ffff) };
        }
        last.min(0)
    }

    /// By any other thread.
    fn send_home(&self, buf: u64) -> i32 {
        let last = self.put_back(buf);
        if last != 1 {
            return last;
        }
        let slot = buf as u32 & 0x3f_ffff;
        let mut head = self.returned.load(Ordering::Relaxed);
        loop {
            self.slots[slot as usize].next.store(head, Ordering::Relaxed);
            match self.returned.compare_exchange_weak(head, slot, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return sys::IIP_OK,
                Err(now) => head = now,
            }
        }
    }

    pub unsafe fn drain(&self) {
        let mut slot = self.returned.swap(NONE, Ordering::Acquire);
        while slot != NONE {
            let next = self.slots[slot as usize].next.load(Ordering::Relaxed);
            unsafe { self.free(slot) };
            self.foreign.fetch_add(1, Ordering::Relaxed);
            slot = next;
        }
    }

    /// Whoever still looks at it sees that, or Miri says so.
    unsafe fn free(&self, slot: u32) {
        unsafe {
            self.at(slot).write_bytes(WRITTEN_OVER, FRAME);
            (*self.free.get()).push(slot);
        }
    }

    fn at(&self, slot: u32) -> *mut u8 {
        self.memory.wrapping_add(slot as usize * FRAME)
    }

    pub unsafe fn take(&self) -> Option<sys::iip_span> {
        let slot = unsafe { (*self.free.get()).pop() }?;
        let word = &self.slots[slot as usize].word;
        let now = word.load(Ordering::Relaxed) | 1;
        word.store(now, Ordering::Relaxed);
        let buf = handle(sys::IIP_KIND_BUF, self.number, generation(now), slot);
        let addr = self.at(slot).expose_provenance() as u64;
        Some(sys::iip_span { buf, addr, len: FRAME as u32, offset: 0, region: 0, reserved: 0, flags: 0 })
    }

    /// A copy of bytes of a buffer that is sent; `None`: there are no such.
    pub unsafe fn read(&self, buf: u64, offset: u32, len: u32) -> Option<Vec<u8>> {
        if !self.is_live(buf) {
            return None;
        }
        assert!(offset as usize + len as usize <= FRAME, "{offset} + {len}");
        let from = self.at(buf as u32 & 0x3f_ffff).wrapping_add(offset as usize);
        Some(unsafe { std::slice::from_raw_parts(from, len as usize) }.to_vec())
    }

    pub unsafe fn frames_free(&self) -> usize {
        unsafe { (*self.free.get()).len() }
    }
}

fn refs(word: u64) -> u32 {
    word as u32
}

fn generation(word: u64) -> u32 {
    (word >> 32) as u32
}

#[no_mangle]
extern "C" fn iip_buf_retain(buf: u64) -> i32 {
    loop_of(buf).map_or(sys::IIP_E_STALE, |l| l.bufs.keep(buf))
}

#[no_mangle]
extern "C" fn iip_buf_release(buf: u64) -> i32 {
    let Some(l) = loop_of(buf) else { return sys::IIP_E_STALE };
    if l.is_mine() {
        return unsafe { l.bufs.put(buf) };
    }
    l.bufs.send_home(buf)
}

#[no_mangle]
unsafe extern "C" fn iip_buf_spans(buf: u64, out: *mut sys::iip_span, _: u32) -> i32 {
    let Some(l) = loop_of(buf).filter(|l| l.bufs.slot(buf).is_some()) else { return sys::IIP_E_STALE };
    let addr = l.bufs.at(buf as u32 & 0x3f_ffff).expose_provenance() as u64;
    let span = sys::iip_span { buf, addr, len: FRAME as u32, offset: 0, region: 0, reserved: 0, flags: 0 };
    unsafe { out.write(span) };
    1
}
