//! Wakers are code of others: cloned and let go, they may use the very thing that they wait for.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, Future};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use common::{at, echo};
use iip::net::{TcpListener, TcpStream, UdpSocket};
use iip::rt::{self, Runtime, Worker};
use iip::Config;

thread_local! {
    static USE: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    static USES: Cell<u32> = const { Cell::new(0) };
}

/// What was put into USE, once: it may have wakers itself.
fn meddle() {
    let act = USE.with(|act| act.borrow_mut().take());
    if let Some(act) = act {
        USES.with(|n| n.set(n.get() + 1));
        act();
        USE.with(|kept| *kept.borrow_mut() = Some(act));
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(|_| cloned(), |_| meddle(), |_| {}, |_| meddle());

fn cloned() -> RawWaker {
    meddle();
    RawWaker::new(std::ptr::null(), &TABLE)
}

fn meddling() -> Waker {
    // SAFETY: the table uses no data.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// `ask` is pending; it is asked again by every clone and drop of the waker that waits for it: 6, or 3 where all are kept
/// until the next turn.
fn asked_again(what: &str, uses: u32, ask: impl Fn(&mut Context<'_>) -> bool + 'static) {
    let ask = Rc::new(ask);
    let again = ask.clone();
    USE.with(|act| {
        *act.borrow_mut() = Some(Rc::new(move || {
            let _ = again(&mut Context::from_waker(Waker::noop()));
        }))
    });
    USES.with(|n| n.set(0));
    let waker = meddling();
    for _ in 0..3 {
        assert!(ask(&mut Context::from_waker(&waker)), "{what} was to wait");
        assert!(ask(&mut Context::from_waker(Waker::noop())), "{what} was to wait");
    }
    let used = USES.with(Cell::get);
    USE.with(|act| act.borrow_mut().take());
    assert!(used >= uses, "{what}: cloned and dropped {used} times");
}

fn runtime(port: &str, address: &str) -> Runtime {
    Runtime::new(Config::new(port).address(address).open().unwrap().attach(0).unwrap())
}

/// An echo server's thread, and a runtime for the client.
fn world(port: &str) -> (Worker, Runtime) {
    let worker = Worker::start(&Config::new(port).address("10.0.0.1/24").open().unwrap(), 0).unwrap();
    echo::serve(&worker);
    (worker, runtime(port, "10.0.0.2/24"))
}

/// Writes until a write is pending: nobody reads what comes back.
async fn fill(mut write: impl FnMut(&mut Context<'_>) -> bool) {
    while rt::timeout(Duration::from_millis(200), poll_fn(|cx| if write(cx) { Poll::Pending } else { Poll::Ready(()) }))
        .await
        .is_some()
    {}
}

#[test]
fn sockets() {
    let (_worker, runtime) = world("pair:wakers");
    runtime.block_on(async {
        let stream = Rc::new(TcpStream::connect(at(7)).await.unwrap());
        let listener = TcpListener::bind("0.0.0.0:9".parse().unwrap()).unwrap();
        let socket = UdpSocket::bind("0.0.0.0:9".parse().unwrap()).unwrap();
        asked_again("accept", 6, move |cx| listener.poll_accept(cx).is_pending());
        asked_again("a datagram", 6, move |cx| socket.poll_recv(cx).is_pending());
        let asked = stream.clone();
        asked_again("a read", 6, move |cx| asked.poll_recv(cx).is_pending());
        let asked = stream.clone();
        asked_again("the end", 6, move |cx| pin!(asked.closed()).poll(cx).is_pending());
        fill(|cx| stream.poll_write_from(cx, &[1; 60_000]).is_pending()).await;
        asked_again("a write", 6, move |cx| stream.poll_write_from(cx, b"x").is_pending());
    });
}

#[test]
fn buffers_that_are_few() {
    let engine = Config::new("pair:wakers-few").address("10.0.0.2/24").frames(256).open().unwrap();
    let there = Worker::start(&Config::new("pair:wakers-few").address("10.0.0.1/24").open().unwrap(), 0).unwrap();
    echo::serve(&there);
    Runtime::new(engine.attach(0).unwrap()).block_on(async {
        let stream = TcpStream::connect(at(7)).await.unwrap();
        let bufs: Vec<_> = rt::with_loop(|l| std::iter::from_fn(|| l.tx_buf()).collect());
        rt::yield_now().await;
        asked_again("a buffer", 3, move |cx| stream.poll_write_from(cx, b"x").is_pending());
        drop(bufs);
    });
}

#[test]
fn tasks_and_times() {
    let runtime = runtime("pair:wakers-tasks", "10.0.0.2/24");
    runtime.block_on(async {
        let join = Rc::new(RefCell::new(rt::spawn_local(pending::<()>())));
        asked_again("a task", 6, move |cx| match join.try_borrow_mut() {
            Ok(mut join) => std::pin::Pin::new(&mut *join).poll(cx).is_pending(),
            Err(_) => rt::spawn_local(async {}).is_finished(),
        });
        let sleep = Rc::new(RefCell::new(rt::sleep(Duration::MAX)));
        asked_again("a time", 6, move |cx| match sleep.try_borrow_mut() {
            Ok(mut sleep) => std::pin::Pin::new(&mut *sleep).poll(cx).is_pending(),
            Err(_) => pin!(rt::sleep(Duration::MAX)).poll(cx).is_pending(),
        });
    });
}

/// What waits for something when its handle goes may use the runtime, too.
#[test]
fn handles_that_are_dropped() {
    let (_worker, runtime) = world("pair:wakers-drop");
    runtime.block_on(async {
        let stream = TcpStream::connect(at(7)).await.unwrap();
        let other = Rc::new(TcpStream::connect(at(7)).await.unwrap());
        let waker = meddling();
        assert!(stream.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        let dropped = Rc::new(Cell::new(false));
        let seen = dropped.clone();
        USE.with(|act| {
            *act.borrow_mut() = Some(Rc::new(move || {
                drop(other.poll_write_from(&mut Context::from_waker(Waker::noop()), b"x"));
                drop(rt::spawn_local(async {}));
                drop(rt::sleep(Duration::MAX));
                seen.set(true);
            }))
        });
        drop(stream);
        assert!(dropped.get());
        drop(rt::timeout(Duration::MAX, pending::<()>()));
        rt::yield_now().await;
        USE.with(|act| act.borrow_mut().take());
    });
}

/// One that waits for a runtime from outside is told when its loop is given back.
#[test]
fn who_waits_is_told_when_the_loop_is_given_back() {
    struct Told(AtomicBool);
    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let runtime = runtime("pair:wakers-back", "10.0.0.2/24");
    let (listener, socket) = runtime.run(|| {
        let local = "0.0.0.0:9".parse().unwrap();
        (TcpListener::bind(local).unwrap(), UdpSocket::bind(local).unwrap())
    });
    let all: Vec<_> = (0..2).map(|_| Arc::new(Told(AtomicBool::new(false)))).collect();
    let wakers: Vec<Waker> = all.iter().map(|told| told.clone().into()).collect();
    assert!(listener.poll_accept(&mut Context::from_waker(&wakers[0])).is_pending());
    assert!(socket.poll_recv(&mut Context::from_waker(&wakers[1])).is_pending());
    drop(runtime.into_loop().unwrap());
    assert!(all.iter().all(|told| told.0.load(Ordering::SeqCst)));
}

#[cfg(feature = "send")]
#[test]
fn handles_of_other_threads() {
    use iip::send::{SendListener, SendStream};
    let (worker, runtime) = world("pair:wakers-send");
    runtime.block_on(async {
        let listener = SendListener::bind(&rt::handle(), "0.0.0.0:9".parse().unwrap()).await.unwrap();
        asked_again("accept", 6, move |cx| pin!(listener.accept()).poll(cx).is_pending());
        let stream = Rc::new(SendStream::connect(&rt::handle(), at(7)).await.unwrap());
        let asked = stream.clone();
        asked_again("a read", 6, move |cx| asked.poll_read_by(cx, 10, |_| {}).is_pending());
        fill(|cx| stream.poll_write_from(cx, &[1; 60_000]).is_pending()).await;
        let asked = stream.clone();
        asked_again("a write", 6, move |cx| asked.poll_write_from(cx, b"x").is_pending());
        // What is read is given away while nothing is locked.
        let asked = stream.clone();
        let read = poll_fn(|cx| stream.poll_read_by(cx, 10, |_| assert!(asked.peer_addr().is_ok()))).await;
        assert!(read.is_ok_and(|n| n > 0));
    });
    drop(worker);
}
