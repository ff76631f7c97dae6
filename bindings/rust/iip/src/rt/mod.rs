//! A local executor: tasks, timers and sockets of one loop, on one thread.
//!
//! ```
//! use iip::{net::TcpListener, rt::{self, Runtime}, Config};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Config::new("pair:rt-doc").address("10.0.0.1/24").open()?;
//! Runtime::new(engine.attach(0)?).block_on(async {
//!     let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap())?;
//!     rt::spawn_local(async move {
//!         while let Ok(stream) = listener.accept().await {
//!             rt::spawn_local(async move {
//!                 while let Ok(Some(bytes)) = stream.recv().await {
//!                     stream.write_all(&bytes).await?;
//!                 }
//!                 stream.shutdown()
//!             });
//!         }
//!     });
//!     rt::sleep(std::time::Duration::from_millis(1)).await;
//!     Ok::<_, std::io::Error>(())
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! Futures need not be `Send`, wakers are: a task may wait for another thread. When nothing is to be done the loop sleeps
//! in its turn, and a waker of another thread wakes it.

#[cfg(feature = "hyper")]
pub mod hyper;
mod inbox;
mod tasks;
mod time;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{mpsc, Arc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub use tasks::{Handle, JoinHandle};
pub use time::{sleep, sleep_until, timeout, Sleep};

use crate::net::Sockets;
use crate::{Engine, Error, Loop, Result, Wait};
use inbox::{Inbox, ROOT};
use tasks::Tasks;
pub(crate) use time::Timers;

/// How long a loop waits at most when tasks need buffers and few are free.
const POOL_WAIT: Duration = Duration::from_millis(1);
/// At the end of block_on: bursts, FIN and CLOSE take a turn each. Who must know more awaits it.
const FLUSH_TURNS: u32 = 16;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Inner>>> = const { RefCell::new(None) };
}

/// One loop and its tasks. It lives on one thread.
pub struct Runtime {
    inner: Rc<Inner>,
}

pub(crate) struct Inner {
    looper: RefCell<Loop>,
    tasks: Tasks,
    pub(crate) timers: Timers,
    pub(crate) sockets: Sockets,
    /// Tasks that wait for packet buffers: each turn they look again.
    starved: RefCell<Vec<Waker>>,
    pub(crate) now_us: Cell<u64>,
}

impl Inner {
    /// The loop, for its queue and buffers. Not while a turn is read.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Loop) -> T) -> T {
        f(&self.looper.borrow())
    }

    /// What the loop was told to wait for: nothing, when there is something to do.
    fn wait(&self) -> Wait {
        if self.tasks.is_pending() || self.sockets.is_pending() {
            Wait::No
        } else if self.starved.borrow().is_empty() {
            Wait::Forever
        } else if self.pool_low() {
            Wait::For(POOL_WAIT)
        } else {
            Wait::No
        }
    }

    /// As the last turn said: few packet buffers are free.
    pub(crate) fn pool_low(&self) -> bool {
        self.with(|l| l.state().pool_low())
    }

    /// The task lacks a packet buffer, or one is not for it now.
    pub(crate) fn starve(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone(); // code of others: nothing is borrowed
        self.starved.borrow_mut().push(waker);
    }

    /// What was queued last goes out, and the ends behind it.
    fn flush(&self) -> Result<()> {
        for _ in 0..FLUSH_TURNS {
            self.turn(Wait::No)?;
            if !self.sockets.is_pending() {
                break;
            }
        }
        Ok(())
    }

    /// Aborts and closes what is still open; the turns between make room for it.
    fn end(&self) -> Result<()> {
        self.flush()?;
        for end in self.sockets.ends() {
            while self.with(|l| end(l)) == Err(Error::AGAIN) {
                self.turn(Wait::No)?;
            }
        }
        self.flush()
    }

    /// One turn, and what it brought to those who wait for it; they are woken when the batch is read.
    fn turn(&self, wait: Wait) -> Result<()> {
        let mut wakers: Vec<Waker> = Vec::new();
        let landed;
        {
            let mut l = self.looper.borrow_mut();
            self.timers.arm(&l);
            let batch = l.turn(wait)?;
            self.now_us.set(batch.now_us());
            landed = batch.landed();
            self.sockets.turned(batch, &self.timers, &mut wakers);
        }
        drop(landed); // destructors of the application, which may use the loop
        self.timers.fire(self.now_us.get(), &mut wakers);
        self.with(|l| self.sockets.settle(l, &mut wakers));
        wakers.append(&mut self.starved.borrow_mut());
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

/// The runtime of this thread. Panics where there is none.
pub(crate) fn current() -> Rc<Inner> {
    try_current().expect("this must be called within iip::rt::Runtime::block_on")
}

pub(crate) fn try_current() -> Option<Rc<Inner>> {
    CURRENT.try_with(|c| c.try_borrow().ok().and_then(|c| c.clone())).ok().flatten()
}

/// Restores what was current, also when a task panics.
struct Entered(Option<Rc<Inner>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        drop(CURRENT.try_with(|c| c.replace(before)));
    }
}

impl Runtime {
    /// A runtime on this loop.
    pub fn new(l: Loop) -> Runtime {
        let tasks = Tasks::new(l.remote());
        let now_us = Cell::new(l.clock_us().unwrap_or(0));
        let inner = Inner {
            looper: RefCell::new(l),
            tasks,
            timers: Timers::default(),
            sockets: Sockets::default(),
            starved: RefCell::default(),
            now_us,
        };
        Runtime { inner: Rc::new(inner) }
    }

    /// What other threads may do with it.
    pub fn handle(&self) -> Handle {
        self.inner.tasks.handle()
    }

    fn enter(&self) -> Entered {
        let inner = self.inner.clone();
        // At the end of the thread there may be no CURRENT any more: destructors find no runtime then.
        Entered(CURRENT.try_with(|c| c.replace(Some(inner))).unwrap_or_default())
    }

    /// Turns the loop and runs its tasks until `future` is done. Panics within another runtime of this thread, and when
    /// the loop fails (its port is gone, or this is a forked child).
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(try_current().is_none(), "block_on within block_on: await instead");
        let _entered = self.enter();
        let inner = &self.inner;
        let mut future = pin!(future);
        let waker = inner.tasks.root();
        let mut context = Context::from_waker(&waker);
        inner.tasks.wake(ROOT);
        loop {
            if inner.tasks.run() {
                if let Poll::Ready(out) = future.as_mut().poll(&mut context) {
                    inner.flush().expect("a turn");
                    return out;
                }
            }
            inner.turn(inner.wait()).expect("a turn");
        }
    }

    /// Runs a closure within the runtime, without turning it: to spawn, to listen.
    pub fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        f()
    }

    /// The loop, for what this layer has no words for.
    pub fn with_loop<T>(&self, f: impl FnOnce(&Loop) -> T) -> T {
        self.inner.with(f)
    }

    /// Ends all tasks and aborts all connections in order, and gives the loop back.
    pub fn into_loop(self) -> Result<Loop> {
        self.end_tasks();
        let inner = self.inner.clone();
        inner.end()?;
        drop(self);
        let inner = Rc::try_unwrap(inner).map_err(|_| Error::BUSY)?;
        Ok(inner.looper.into_inner())
    }

    /// Futures hold sockets, and sockets say goodbye to the runtime: so it must be there when they are dropped.
    fn end_tasks(&self) {
        let _entered = self.enter();
        self.inner.tasks.close(); // before: what is handed in later is dropped at once, by who does so
        self.inner.tasks.clear();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end_tasks();
        if !std::thread::panicking() {
            let _ = self.inner.flush(); // listeners and sockets of the tasks end; not in a forked child
            self.inner.with(|l| self.inner.timers.disarm(l));
        }
        self.inner.sockets.orphan().into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

/// Runs a future beside this one, on this thread. It goes on when the handle is dropped.
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    current().tasks.spawn(future)
}

/// The loop of this thread's runtime, for what this layer has no words for: options, statistics ...
pub fn with_loop<T>(f: impl FnOnce(&Loop) -> T) -> T {
    current().with(f)
}

/// The runtime of this thread as other threads may use it.
pub fn handle() -> Handle {
    current().tasks.handle()
}

/// Lets the others run.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A thread that turns a loop until this is dropped. Dropped on that thread, it ends once the task that did so gives way.
pub struct Worker {
    handle: Handle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread; it owns loop `index`.
    pub fn start(engine: &Engine, index: u32) -> io::Result<Worker> {
        let (tell, told) = mpsc::channel();
        let engine = engine.clone();
        let thread = std::thread::Builder::new().name(format!("iip-{index}")).spawn(move || {
            let runtime = match engine.attach(index) {
                Ok(l) => Runtime::new(l),
                Err(e) => return drop(tell.send(Err(e))),
            };
            drop(engine);
            let _ = tell.send(Ok(runtime.handle()));
            let inbox = runtime.inner.tasks.inbox();
            runtime.block_on(stopped(inbox));
        })?;
        let handle = told.recv().map_err(|_| io::ErrorKind::BrokenPipe)??;
        Ok(Worker { handle, thread: Some(thread) })
    }

    /// Its runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

async fn stopped(inbox: Arc<Inbox>) {
    std::future::poll_fn(|_| if inbox.is_stopped() { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.handle.stop();
        let elsewhere = |thread: &std::thread::JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(elsewhere) {
            let _ = thread.join(); // a panic there was printed there
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}
