//! Tasks of one thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::inbox::{Inbox, Job, TaskWaker, ROOT};
use crate::Remote;

struct Task {
    /// Absent while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Arc<TaskWaker>,
}

/// The tasks. A slot that is used again may get a wake that was meant for its predecessor: one poll in vain.
pub(crate) struct Tasks {
    slots: RefCell<Vec<Option<Task>>>,
    free: RefCell<Vec<usize>>,
    inbox: Arc<Inbox>,
    root: Arc<TaskWaker>,
}

impl Tasks {
    pub(crate) fn new(remote: Remote) -> Tasks {
        let inbox = Arc::new(Inbox::new(remote));
        let root = Arc::new(TaskWaker::new(ROOT, false, &inbox));
        Tasks { slots: RefCell::default(), free: RefCell::default(), inbox, root }
    }

    pub(crate) fn inbox(&self) -> Arc<Inbox> {
        self.inbox.clone()
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle { inbox: self.inbox.clone() }
    }

    pub(crate) fn root(&self) -> Waker {
        self.root.clone().into()
    }

    pub(crate) fn wake(&self, id: usize) {
        self.inbox.again(vec![id], Vec::new());
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.inbox.is_pending()
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let state = Rc::new(RefCell::new(Join { out: None, waker: None }));
        let join = JoinHandle { state: state.clone() };
        self.put(Box::pin(async move {
            let out = future.await;
            let waker = {
                let mut join = state.borrow_mut();
                join.out = Some(out);
                join.waker.take()
            };
            waker.into_iter().for_each(Waker::wake);
        }));
        join
    }

    fn put(&self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let id = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut slots = self.slots.borrow_mut();
            slots.push(None);
            slots.len() - 1
        });
        let waker = Arc::new(TaskWaker::new(id, true, &self.inbox));
        self.slots.borrow_mut()[id] = Some(Task { future: Some(future), waker });
        self.wake(id);
    }

    /// Runs what is ready now, each once; `true`: the future of block_on is too.
    pub(crate) fn run(&self) -> bool {
        let mut due = Due::of(&self.inbox);
        for job in due.jobs.by_ref() {
            job();
        }
        let mut root = false;
        for id in due.ready.by_ref() {
            if id == ROOT {
                self.root.begin();
                root = true;
            } else {
                self.poll(id);
            }
        }
        root
    }

    fn poll(&self, id: usize) {
        let (future, waker) = match self.slots.borrow_mut().get_mut(id) {
            Some(Some(task)) => (task.future.take(), task.waker.clone()),
            _ => return,
        };
        let Some(mut future) = future else { return };
        waker.begin();
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker.into()));
        let done = {
            let mut slots = self.slots.borrow_mut();
            match (polled, slots[id].as_mut()) {
                (Poll::Pending, Some(task)) => {
                    task.future = Some(future);
                    return;
                }
                _ => slots[id].take(),
            }
        };
        drop((done, future)); // may spawn, so nothing is borrowed
        self.free.borrow_mut().push(id);
    }

    /// Drops all of them, and what they spawn meanwhile.
    pub(crate) fn clear(&self) {
        loop {
            let (_, jobs) = self.inbox.take();
            let tasks = std::mem::take(&mut *self.slots.borrow_mut());
            self.free.borrow_mut().clear();
            if tasks.is_empty() && jobs.is_empty() {
                return;
            }
            drop((tasks, jobs));
        }
    }

    /// No one wakes the loop any more, or hands in a job.
    pub(crate) fn close(&self) {
        self.inbox.close();
    }
}

/// What a turn is to run; what a panic keeps from running is put in again.
struct Due<'a> {
    ready: std::vec::IntoIter<usize>,
    jobs: std::vec::IntoIter<Job>,
    inbox: &'a Inbox,
}

impl Due<'_> {
    fn of(inbox: &Inbox) -> Due<'_> {
        let (ready, jobs) = inbox.take();
        Due { ready: ready.into_iter(), jobs: jobs.into_iter(), inbox }
    }
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.inbox.again(self.ready.by_ref().collect(), self.jobs.by_ref().collect());
        }
    }
}

struct Join<T> {
    out: Option<T>,
    waker: Option<Waker>,
}

/// The result of a task, to be awaited. Dropped, it leaves the task alone.
pub struct JoinHandle<T> {
    state: Rc<RefCell<Join<T>>>,
}

impl<T> JoinHandle<T> {
    /// Whether the task has come to its end.
    pub fn is_finished(&self) -> bool {
        self.state.borrow().out.is_some()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let out = self.state.borrow_mut().out.take();
        if let Some(out) = out {
            return Poll::Ready(out);
        }
        let waker = cx.waker().clone();
        let before = self.state.borrow_mut().waker.replace(waker);
        drop(before); // code of others: nothing is borrowed
        Poll::Pending
    }
}

impl<T> std::fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JoinHandle")
    }
}

/// A runtime as other threads see it: `Send + Sync`, and cheap to clone.
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<Inbox>,
}

impl Handle {
    /// Runs a future on the runtime's thread. It is made there, so that it need not be `Send`. Nothing happens when the
    /// runtime is gone.
    pub fn spawn<M, F>(&self, make: M)
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let job: Job = Box::new(move || drop(super::spawn_local(make())));
        drop(self.inbox.hand_in(job)); // unlocked: it is the caller's, and may wake us
    }

    /// Ends the thread of a [`Worker`](super::Worker).
    pub(crate) fn stop(&self) {
        self.inbox.stop();
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}
