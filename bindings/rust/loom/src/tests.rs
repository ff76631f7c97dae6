//! A wake that is lost is a loop that sleeps for ever: Loom calls that a deadlock.

use std::sync::atomic::{AtomicUsize as Count, Ordering::SeqCst};
use std::sync::Arc;
use std::task::Waker;

use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::inbox::{Inbox, TaskWaker, ROOT};
use crate::Remote;

/// A loop with one task, as block_on turns it.
struct Loop {
    inbox: Arc<Inbox>,
    remote: Remote,
    task: Arc<TaskWaker>,
}

impl Loop {
    fn new() -> Loop {
        let remote = Remote::default();
        let inbox = Arc::new(Inbox::new(remote.clone()));
        let task = Arc::new(TaskWaker::new(0, false, &inbox));
        Loop { inbox, remote, task }
    }

    fn waker(&self) -> Waker {
        self.task.clone().into()
    }

    /// Until `poll` of the task, or of the root, says that it is over.
    fn turn(&self, mut poll: impl FnMut(usize) -> bool) {
        loop {
            let (ready, jobs) = self.inbox.take();
            jobs.into_iter().for_each(|job| job());
            for id in ready {
                if id != ROOT {
                    self.task.begin();
                }
                if poll(id) {
                    return;
                }
            }
            if !self.inbox.is_pending() {
                self.remote.sleep();
            }
        }
    }
}

/// The flags are all that the threads and the task share: who is woken sees what was done before.
fn wakes(threads: usize, wakes: usize) {
    loom::model(move || {
        let l = Loop::new();
        let flags: Vec<_> = (0..threads).map(|_| Arc::new(AtomicBool::new(false))).collect();
        let setting: Vec<_> = flags
            .iter()
            .map(|flag| {
                let (waker, flag) = (l.waker(), flag.clone());
                thread::spawn(move || {
                    (1..wakes).for_each(|_| waker.wake_by_ref());
                    flag.store(true, Relaxed);
                    waker.wake();
                })
            })
            .collect();
        l.turn(|_| flags.iter().all(|flag| flag.load(Relaxed)));
        setting.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_wake_brings_what_was_written_before_it() {
    wakes(1, 1);
}

#[test]
fn a_wake_while_the_task_is_polled_polls_it_again() {
    wakes(1, 2);
}

#[test]
fn two_threads_wake_one_task() {
    wakes(2, 1);
}

/// Counts what becomes of it, once: dropped.
struct Counted(Arc<Count>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Each job is run, or dropped by the owner at its end, or comes back; and no handle keeps the loop open after that.
#[test]
fn jobs_that_meet_the_end_of_the_loop_are_dropped_once() {
    loom::model(|| {
        let l = Loop::new();
        let (dropped, ran) = (Arc::new(Count::new(0)), Arc::new(Count::new(0)));
        let handing: Vec<_> = (0..2)
            .map(|_| {
                let (inbox, counted, ran) = (l.inbox.clone(), Counted(dropped.clone()), ran.clone());
                thread::spawn(move || {
                    let back = inbox.hand_in(Box::new(move || {
                        ran.fetch_add(1, SeqCst);
                        drop(counted);
                    }));
                    usize::from(back.is_some())
                })
            })
            .collect();
        l.inbox.take().1.into_iter().for_each(|job| job());
        l.inbox.close();
        let left = l.inbox.take().1.len();
        let back: usize = handing.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!((ran.load(SeqCst) + left + back, dropped.load(SeqCst)), (2, 2));
        assert!(!l.inbox.is_pending());
        assert_eq!(l.remote.count(), 1);
    });
}

#[test]
fn a_job_ends_the_sleep() {
    loom::model(|| {
        let l = Loop::new();
        let (inbox, waker) = (l.inbox.clone(), l.waker());
        let handing = thread::spawn(move || drop(inbox.hand_in(Box::new(move || waker.wake()))));
        l.turn(|id| id == 0);
        handing.join().unwrap();
    });
}

#[test]
fn a_stop_beside_a_wake_ends_the_loop() {
    loom::model(|| {
        let l = Loop::new();
        let (inbox, waker) = (l.inbox.clone(), l.waker());
        let stopping = thread::spawn(move || inbox.stop());
        let waking = thread::spawn(move || waker.wake());
        let mut polled = false;
        l.turn(|id| {
            polled |= id == 0;
            polled && l.inbox.is_stopped()
        });
        stopping.join().unwrap();
        waking.join().unwrap();
    });
}

/// A waker that outlives its runtime wakes nobody, and keeps no loop open.
#[test]
fn a_wake_past_the_end_is_none() {
    loom::model(|| {
        let l = Loop::new();
        let waker = l.waker();
        let waking = thread::spawn(move || waker.wake());
        let Loop { inbox, remote, task } = l;
        inbox.close();
        drop((inbox, task));
        waking.join().unwrap();
        assert_eq!(remote.count(), 1);
    });
}
