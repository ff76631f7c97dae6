//! A loop as threads see it, and as it sleeps: a wake ends its sleep, or the next one at once.

use std::sync::Arc;

use loom::sync::{Condvar, Mutex};

#[derive(Clone, Default)]
pub(crate) struct Remote(Arc<(Mutex<bool>, Condvar)>);

impl Remote {
    /// As `iip_loop_wake`.
    pub(crate) fn wake(&self) -> Result<(), ()> {
        *self.0 .0.lock().unwrap() = true;
        self.0 .1.notify_one();
        Ok(())
    }

    /// As a turn that waits for ever.
    pub(crate) fn sleep(&self) {
        let mut woken = self.0 .0.lock().unwrap();
        while !*woken {
            woken = self.0 .1.wait(woken).unwrap();
        }
        *woken = false;
    }

    /// Handles of it.
    pub(crate) fn count(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}
