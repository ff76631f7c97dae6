//! The queue by which all threads wake the tasks of a loop, and hand in more. `bindings/rust/loom` tries all orders of what
//! threads do with it.

use std::sync::{Arc, PoisonError};
use std::task::Wake;

use crate::sync::{thread, AtomicBool, Mutex, MutexGuard, Ordering};
use crate::Remote;

/// The future of block_on, which is no task.
pub(crate) const ROOT: usize = usize::MAX;

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// What other threads hand in.
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    owner: thread::ThreadId,
}

struct Queue {
    ready: Vec<usize>,
    jobs: Vec<Job>,
    stopped: bool,
    /// Gone with the runtime, so that wakers which outlive it keep no engine open.
    remote: Option<Remote>,
}

impl Inbox {
    /// Of the calling thread.
    pub(crate) fn new(remote: Remote) -> Inbox {
        let queue = Queue { ready: Vec::new(), jobs: Vec::new(), stopped: false, remote: Some(remote) };
        Inbox { queue: Mutex::new(queue), owner: thread::current().id() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is locked.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something in; a loop that sleeps in another thread is woken.
    fn put(&self, f: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        f(&mut queue);
        if thread::current().id() != self.owner {
            if let Some(remote) = &queue.remote {
                let _ = remote.wake(); // fails in a forked child only
            }
        }
    }

    /// A job for the owner; it comes back when the runtime is gone.
    pub(crate) fn hand_in(&self, job: Job) -> Option<Job> {
        let mut job = Some(job);
        self.put(|queue| {
            if queue.remote.is_some() {
                queue.jobs.extend(job.take());
            }
        });
        job
    }

    /// The owner shall stop.
    pub(crate) fn stop(&self) {
        self.put(|queue| {
            queue.stopped = true;
            queue.ready.push(ROOT);
        });
    }

    // ---- what the owner does ----

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    pub(crate) fn is_pending(&self) -> bool {
        let queue = self.lock();
        !queue.ready.is_empty() || !queue.jobs.is_empty()
    }

    /// All that was put in.
    pub(crate) fn take(&self) -> (Vec<usize>, Vec<Job>) {
        let mut queue = self.lock();
        (std::mem::take(&mut queue.ready), std::mem::take(&mut queue.jobs))
    }

    /// For the next [`Inbox::take`].
    pub(crate) fn again(&self, ready: Vec<usize>, jobs: Vec<Job>) {
        let mut queue = self.lock();
        queue.ready.extend(ready);
        queue.jobs.extend(jobs);
    }

    /// No one wakes the loop any more, or hands in a job.
    pub(crate) fn close(&self) {
        let remote = self.lock().remote.take();
        drop(remote);
    }
}

pub(crate) struct TaskWaker {
    id: usize,
    queued: AtomicBool,
    inbox: Arc<Inbox>,
}

impl TaskWaker {
    /// `queued`: its first wake is put in by who makes it.
    pub(crate) fn new(id: usize, queued: bool, inbox: &Arc<Inbox>) -> TaskWaker {
        TaskWaker { id, queued: AtomicBool::new(queued), inbox: inbox.clone() }
    }

    /// Before the poll. It reads what a waker wrote, and so sees all that was done before that wake; a wake after it puts
    /// the task in again. A store could be late: the wake would be lost.
    pub(crate) fn begin(&self) {
        self.queued.swap(false, Ordering::AcqRel);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.inbox.put(|queue| queue.ready.push(self.id));
        }
    }
}
