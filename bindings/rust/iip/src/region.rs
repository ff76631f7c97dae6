//! Memory of the application that is sent without a copy.
//!
//! Whoever sends from a region has a share of it until the bytes are done with (`TX_DONE`), in the loop's table. A share
//! that is never given back, because the loop was forgotten or given up, keeps the memory for ever or until the engine
//! has closed: it leaks, it never dangles. Nothing depends on a destructor that runs.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use iip_sys as sys;

use crate::engine::Engine;
use crate::error::{check, Error, Result};

/// Memory of yours, registered for sending on all loops of an engine. Clones are the same memory.
#[derive(Clone)]
pub struct Region {
    inner: Arc<Inner>,
}

struct Inner {
    handle: u64,
    /// Boxed, so that its bytes do not move with us.
    owner: ManuallyDrop<Box<dyn AsRef<[u8]> + Send + Sync>>,
    base: *const u8,
    len: usize,
}

// SAFETY: `base` points into `owner`, which is Send + Sync.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: takes any number.
        let status = check(unsafe { sys::iip_region_remove(self.handle) });
        // BUSY cannot be, since every send has a share; if it is all the same, the memory leaks rather than dangles.
        // STALE: the engine has closed, and nothing reads it any more.
        if status.is_ok() || status == Err(Error::STALE) {
            // SAFETY: dropped once, here; nobody uses it after.
            unsafe { ManuallyDrop::drop(&mut self.owner) };
        }
    }
}

impl Region {
    /// Registers what `owner` holds: a `Vec<u8>`, a `Box<[u8]>`, a memory map ... `as_ref` is called once.
    pub fn register(engine: &Engine, owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Region> {
        let owner: Box<dyn AsRef<[u8]> + Send + Sync> = Box::new(owner);
        let bytes = (*owner).as_ref();
        let (base, len) = (bytes.as_ptr(), bytes.len());
        let mut handle = 0;
        // SAFETY: the engine is open; the bytes stay where they are until Inner::drop has removed the region.
        check(unsafe { sys::iip_region_add(engine.inner.raw.as_ptr(), base.cast(), len as u64, &mut handle) })?;
        Ok(Region { inner: Arc::new(Inner { handle, owner: ManuallyDrop::new(owner), base, len }) })
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.inner.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.inner.len == 0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: as_ref() gave them out for a borrow of the owner, which we hold and never touch.
        unsafe { std::slice::from_raw_parts(self.inner.base, self.inner.len) }
    }

    pub(crate) fn raw(&self) -> u64 {
        self.inner.handle
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Region({} bytes)", self.len())
    }
}

enum Slot {
    Free(u32),
    Flying(Region, u64),
    /// Its event is in the batch that is being read.
    Done(u64),
}

const NONE: u32 = u32::MAX;

/// Sends of registered memory that are on their way; their `user` in the C interface is an index of this table, which
/// goes from one owner of the loop to the next.
pub(crate) struct Externs {
    slots: Vec<Slot>,
    free: u32,
    done: Vec<u32>,
    flying: u32,
}

impl Default for Externs {
    fn default() -> Externs {
        Externs { slots: Vec::new(), free: NONE, done: Vec::new(), flying: 0 }
    }
}

impl Externs {
    pub(crate) fn fly(&mut self, region: &Region, user: u64) -> u64 {
        let slot = Slot::Flying(region.clone(), user);
        self.flying += 1;
        if self.free == NONE {
            self.slots.push(slot);
            return self.slots.len() as u64 - 1;
        }
        let at = self.free;
        if let Slot::Free(next) = std::mem::replace(&mut self.slots[at as usize], slot) {
            self.free = next;
        }
        u64::from(at)
    }

    /// Something is on its way, so a turn may bring its end.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.flying != 0
    }

    /// Its TX_DONE has come, or none will: the share goes to who drops it, for that may run code of the application. The
    /// cookie stays readable until the next turn.
    pub(crate) fn land(&mut self, token: u64) -> Option<Region> {
        let slot = self.slots.get_mut(token as usize)?;
        let &mut Slot::Flying(_, user) = slot else { return None };
        let Slot::Flying(region, _) = std::mem::replace(slot, Slot::Done(user)) else { return None };
        self.flying -= 1;
        self.done.push(token as u32);
        Some(region)
    }

    pub(crate) fn user(&self, token: u64) -> u64 {
        match self.slots.get(token as usize) {
            Some(Slot::Done(user) | Slot::Flying(_, user)) => *user,
            _ => 0,
        }
    }

    /// The batch is read.
    #[inline]
    pub(crate) fn settle(&mut self) {
        while let Some(at) = self.done.pop() {
            self.slots[at as usize] = Slot::Free(self.free);
            self.free = at;
        }
    }
}
