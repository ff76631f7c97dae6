//! The second thread of a loop, where [`Cores`](crate::Cores) are split or merged.

use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc};
use std::time::Duration;

use iip_sys as sys;

use crate::engine::{Engine, EngineInner};
use crate::error::{check, Error, Result};
use crate::queue::thread_token;
use crate::Remote;

/// The networking of a loop, by the calling thread, while another one has the [`Loop`](crate::Loop) and turns it as if it
/// were alone. From its first turn on this thread must go on turning, or drop it: the other one waits for it.
///
/// [`Networker`] is a thread that does so.
pub struct Networking {
    engine: Arc<EngineInner>,
    raw: NonNull<sys::iip_loop>,
    index: u32,
    joined: bool,
    local: PhantomData<*const ()>,
}

impl Engine {
    /// The networking of loop `index` for the calling thread. [`Error::NOT_FOUND`].
    pub fn networking(&self, index: u32) -> Result<Networking> {
        let raw = self.inner.loop_raw(index)?;
        Ok(Networking { engine: self.inner.clone(), raw, index, joined: false, local: PhantomData })
    }
}

impl Networking {
    /// Receives, runs protocols and timers, sends. When nothing is due it sleeps so long; `None`: until something is, or
    /// [`Remote::wake`]; zero polls. Returns the packets that it received.
    ///
    /// [`Error::BUSY`]: another thread does it, or this one has the loop; an error of name `IIP_E_NOT_SUPPORTED`: the
    /// engine is unified.
    pub fn turn(&mut self, wait: Option<Duration>) -> Result<u32> {
        if !self.joined && self.engine.is_held_here(self.index) {
            return Err(Error::BUSY); // it would wait for itself
        }
        let us = wait.map_or(-1, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
        // SAFETY: the loop is open, and no thread is asked but this one (!Send).
        let n = check(unsafe { sys::iip_loop_net(self.raw.as_ptr(), us) })?;
        self.joined = true;
        self.engine.slots[self.index as usize].networker.store(thread_token(), Ordering::Relaxed);
        Ok(n)
    }
}

impl Drop for Networking {
    fn drop(&mut self) {
        if self.joined {
            self.engine.slots[self.index as usize].networker.store(0, Ordering::Relaxed);
            // SAFETY: this thread is the networking one (turn), and gives that up.
            unsafe { sys::iip_loop_detach(self.raw.as_ptr()) };
        }
    }
}

impl std::fmt::Debug for Networking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Networking({})", self.index)
    }
}

/// A thread that does the networking of a loop until this is dropped.
pub struct Networker {
    remote: Remote,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Networker {
    /// Starts the thread for loop `index`; `wait` as of [`Networking::turn`]. It has the role when this returns.
    pub fn start(engine: &Engine, index: u32, wait: Option<Duration>) -> io::Result<Networker> {
        Networker::start_with(engine, index, wait, || {})
    }

    /// The same; `first` runs on the thread before all else, to give it a core.
    pub fn start_with(
        engine: &Engine,
        index: u32,
        wait: Option<Duration>,
        first: impl FnOnce() + Send + 'static,
    ) -> io::Result<Networker> {
        let remote = engine.remote(index)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let (engine, stopped) = (engine.clone(), stop.clone());
        let thread = std::thread::Builder::new().name(format!("iip-net-{index}")).spawn(move || {
            first();
            let mut net =
                match engine.networking(index).and_then(|mut n| n.turn(Some(Duration::from_micros(1))).map(|_| n)) {
                    Ok(net) => net,
                    Err(e) => {
                        let _ = tell.send(Err(e));
                        return;
                    }
                };
            drop(engine);
            let _ = tell.send(Ok(()));
            while !stopped.load(Ordering::Acquire) && net.turn(wait).is_ok() {}
        })?;
        told.recv().map_err(|_| io::ErrorKind::BrokenPipe)??;
        Ok(Networker { remote, stop, thread: Some(thread) })
    }
}

impl Drop for Networker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.remote.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed there
        }
    }
}

impl std::fmt::Debug for Networker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Networker")
    }
}
