//! hyper on this runtime: its executor and its timer. Streams are `hyper::rt::Read + Write` by themselves.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Spawns on this thread's runtime; futures need not be `Send`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<F> ::hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        drop(super::spawn_local(future));
    }
}

/// Timers of this thread's loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopTimer;

impl ::hyper::rt::Timer for LoopTimer {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(super::sleep(time))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

impl ::hyper::rt::Sleep for super::Sleep {}
