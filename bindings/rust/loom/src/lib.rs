//! The queue by which threads wake a loop, and hand in work, under Loom: each order of what they do that differs, and each
//! value that a weak memory lets them read. `ci/test-rust loom` runs it.
#![cfg(all(loom, test))]

#[path = "../../iip/src/rt/inbox.rs"]
#[allow(dead_code)]
mod inbox;
mod remote;
mod sync;
mod tests;

pub(crate) use remote::Remote;
