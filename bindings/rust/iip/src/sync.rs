//! What `bindings/rust/loom` has its own of.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread;
