//! Buffers: received bytes, and room for bytes to send.

use std::ops::{Bound, Deref, DerefMut, RangeBounds};
use std::sync::Arc;

use iip_sys as sys;

use crate::error::check;
use crate::queue::Shared;

/// One reference of a buffer. It keeps the loop's memory mapped: `shared` has the engine.
pub(crate) struct RawBuf {
    pub(crate) shared: Arc<Shared>,
    pub(crate) buf: u64,
    /// Its first byte.
    pub(crate) base: *const u8,
}

// SAFETY: the bytes are either shared and never change (RxBuf), or belong to one holder (TxBuf); references are counted
// and given back by functions that any thread may call, or after a look at the owner (Shared::release).
unsafe impl Send for RawBuf {}
// SAFETY: as above; nothing of it changes through a shared reference.
unsafe impl Sync for RawBuf {}

impl Drop for RawBuf {
    #[inline]
    fn drop(&mut self) {
        self.shared.release(self.buf);
    }
}

impl RawBuf {
    /// Gives the reference away.
    #[inline]
    pub(crate) fn into_handle(self) -> u64 {
        let me = std::mem::ManuallyDrop::new(self);
        // SAFETY: `me` is never used or dropped after this.
        drop(unsafe { std::ptr::read(&me.shared) });
        me.buf
    }
}

/// Received bytes, owned: they never move or change. `Send + Sync`; clones and slices share the buffer.
///
/// While it lives the peer's window stays closed by what the buffer holds, and the port has one buffer less.
pub struct RxBuf {
    pub(crate) raw: RawBuf,
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

impl RxBuf {
    /// A part of it, sharing the buffer. Panics when the range is not within.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> RxBuf {
        let from = match range.start_bound() {
            Bound::Included(&n) => n,
            Bound::Excluded(&n) => n.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(&n) => n.saturating_add(1),
            Bound::Excluded(&n) => n,
            Bound::Unbounded => self.len(),
        };
        assert!(from <= to && to <= self.len(), "{from}..{to} of {} bytes", self.len());
        let mut part = self.clone();
        part.offset += from as u32;
        part.len = (to - from) as u32;
        part
    }

    /// Leaves out the first `n` bytes. Panics when there are fewer.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len(), "{n} of {} bytes", self.len());
        self.offset += n as u32;
        self.len -= n as u32;
    }
}

impl Clone for RxBuf {
    /// One more reference. Panics when there are 2^32 of one buffer.
    fn clone(&self) -> RxBuf {
        // SAFETY: takes any number; we hold a reference.
        if let Err(e) = check(unsafe { sys::iip_buf_retain(self.raw.buf) }) {
            panic!("one more reference of a buffer: {e}");
        }
        let raw = RawBuf { shared: self.raw.shared.clone(), buf: self.raw.buf, base: self.raw.base };
        RxBuf { raw, offset: self.offset, len: self.len }
    }
}

impl Deref for RxBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes are mapped while raw.shared lives, and unchanged while raw has its reference.
        unsafe { std::slice::from_raw_parts(self.raw.base.add(self.offset as usize), self.len as usize) }
    }
}

impl AsRef<[u8]> for RxBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for RxBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RxBuf({} bytes)", self.len)
    }
}

impl From<TxBuf> for RxBuf {
    /// What was filled; nobody writes it any more.
    #[inline]
    fn from(buf: TxBuf) -> RxBuf {
        RxBuf { raw: buf.raw, offset: 0, len: buf.len }
    }
}

#[cfg(feature = "bytes")]
impl From<RxBuf> for bytes::Bytes {
    /// Without a copy: the buffer is released when the last of the `Bytes` is gone, on whatever thread.
    fn from(buf: RxBuf) -> bytes::Bytes {
        bytes::Bytes::from_owner(buf)
    }
}

/// Room of a packet buffer, to write into and to send. It derefs to the bytes that were filled.
///
/// ```no_run
/// # let mut l = iip::Config::new("pair:x").open().unwrap().attach(0).unwrap();
/// # let conn = iip::Conn::from_raw(0);
/// let mut buf = l.tx_buf().expect("a free buffer");
/// buf.extend_from_slice(b"hello"); // takes what fits
/// l.send(conn, buf).expect("room for an operation");
/// ```
pub struct TxBuf {
    raw: RawBuf,
    cap: u32,
    len: u32,
}

impl TxBuf {
    #[inline]
    pub(crate) fn new(raw: RawBuf, cap: u32) -> TxBuf {
        TxBuf { raw, cap, len: 0 }
    }

    /// Bytes that it can hold.
    pub fn capacity(&self) -> usize {
        self.cap as usize
    }

    /// Bytes that can still be put behind the others.
    pub fn spare(&self) -> usize {
        (self.cap - self.len) as usize
    }

    /// Puts bytes behind those that are there, as many as fit; returns how many.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.spare());
        // SAFETY: there is room for n bytes, which are ours alone; `bytes` cannot be of them, since we are &mut.
        unsafe {
            let to = self.raw.base.cast_mut().add(self.len as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, n);
        }
        self.len += n as u32;
        n
    }

    /// Makes it `len` bytes long; what is new is zero. Panics when that is more than the capacity.
    pub fn resize(&mut self, len: usize) {
        assert!(len <= self.capacity(), "{len} bytes in a buffer of {}", self.capacity());
        if len > self.len as usize {
            // SAFETY: within the buffer, which is ours alone.
            unsafe {
                let to = self.raw.base.cast_mut().add(self.len as usize);
                std::ptr::write_bytes(to, 0, len - self.len as usize);
            }
        }
        self.len = len as u32;
    }
}

impl Deref for TxBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes were written by us, and the buffer is ours alone.
        unsafe { std::slice::from_raw_parts(self.raw.base, self.len as usize) }
    }
}

impl DerefMut for TxBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; buffers to write into are writable.
        unsafe { std::slice::from_raw_parts_mut(self.raw.base.cast_mut(), self.len as usize) }
    }
}

impl std::fmt::Debug for TxBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TxBuf({} of {} bytes)", self.len, self.cap)
    }
}
