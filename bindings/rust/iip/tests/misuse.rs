//! What nobody should do and safe code can: it may fail and panic, and never hangs, leaks a connection or touches what is
//! not its own.

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn, Future};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{connect, echo, patiently, side, sides, turn, until, Side};
use iip::net::{TcpListener, TcpStream, UdpSocket};
use iip::rt::{self, Runtime, Worker};
use iip::{Config, Conn, Engine, Error, EventKind, Listener, Region, RxBuf, Timer, Udp, Wait};

fn open(port: &str, address: &str) -> Engine {
    Config::new(port).address(address).open().unwrap()
}

fn runtime(port: &str, address: &str) -> Runtime {
    Runtime::new(open(port, address).attach(0).unwrap())
}

/// A server's thread that echoes, and a runtime for the client.
fn world(port: &str) -> (Worker, Runtime) {
    let worker = Worker::start(&open(port, "10.0.0.1/24"), 0).unwrap();
    echo::serve(&worker);
    (worker, runtime(port, "10.0.0.2/24"))
}

async fn client() -> TcpStream {
    TcpStream::connect("10.0.0.1:7".parse().unwrap()).await.unwrap()
}

async fn no_connections() {
    for _ in 0..30_000 {
        if rt::with_loop(|l| l.stats()).unwrap().conns == 0 {
            return;
        }
        rt::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} connections are left", rt::with_loop(|l| l.stats()).unwrap().conns);
}

/// TIME-WAIT is over soon.
fn short(port: &str, address: &str) -> Runtime {
    let config = Config::new(port).address(address).tunable("tcp.msl_us=1000");
    Runtime::new(config.open().unwrap().attach(0).unwrap())
}

// ---- buffers ----

#[test]
fn ranges_that_are_not_within_panic() {
    let (mut server, mut client) = sides("pair:misuse-slice");
    let (_, here) = connect(&mut server, &mut client, 7);
    client.l.send_copy(here, b"0123456789").unwrap();
    let buf = until(&mut server, &mut client, EventKind::Data).buf.unwrap();
    let max = usize::MAX;
    assert!(catch_unwind(AssertUnwindSafe(|| buf.slice(0..=max))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| buf.slice(max..))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| buf.slice(max..=max))).is_err());
    let excluded = (std::ops::Bound::Excluded(max), std::ops::Bound::Unbounded);
    assert!(catch_unwind(AssertUnwindSafe(|| buf.slice(excluded))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| buf.clone().advance(11))).is_err());
    assert_eq!((&buf.slice(10..)[..], &buf.slice(..0)[..], &buf[..]), (&b""[..], &b""[..], &b"0123456789"[..]));
}

#[test]
fn nothing_is_sent_by_sends_of_nothing() {
    let (mut server, mut client) = sides("pair:misuse-empty");
    let (_, here) = connect(&mut server, &mut client, 7);
    let empty = client.l.tx_buf().unwrap();
    client.l.send(here, empty).unwrap();
    client.l.send_copy(here, b"").unwrap();
    turn(&mut client);
    let shared = RxBuf::from(client.l.tx_buf().unwrap());
    client.l.send(here, shared.clone()).unwrap();
    drop((turn(&mut client), shared));
    client.l.send_copy(here, b"something").unwrap();
    assert_eq!(&until(&mut server, &mut client, EventKind::Data).buf.unwrap()[..], b"something");
    turn(&mut client);
    turn(&mut client);
    assert_eq!(client.l.stats().unwrap().bufs_held, 0);
}

#[test]
fn registered_memory_of_another_engine_or_of_a_closed_one_is_not_sent() {
    let (mut server, mut client) = sides("pair:misuse-region");
    let (_, here) = connect(&mut server, &mut client, 7);
    let closed = open("pair:misuse-region-closed", "10.0.0.9/24");
    let region = Region::register(&closed, [1u8; 100]).unwrap();
    drop(closed);
    client.l.send_region(here, &region, 0..100, 1).unwrap();
    let batch = client.l.turn(Wait::No).unwrap();
    assert_eq!(batch.short().unwrap().error, Error::STALE);
    drop(batch);
    assert!(Region::register(&client.engine, Vec::new()).is_err());
    let (from, to) = (5, 4);
    assert_eq!(client.l.send_region(here, &region, from..to, 1), Err(Error::INVAL));
    assert_eq!(client.l.send_region(here, &region, 0..usize::MAX, 1), Err(Error::INVAL));
    assert_eq!(region.bytes(), &[1; 100]);
}

#[test]
fn sends_of_a_loop_that_was_given_up_are_not_taken_for_those_of_the_next_owner() {
    let (mut server, mut client) = sides("pair:misuse-cookie");
    let (_, here) = connect(&mut server, &mut client, 7);
    let first = Region::register(&client.engine, vec![1; 100]).unwrap();
    client.l.send_region(here, &first, 0..100, 11).unwrap();
    turn(&mut client); // on its way
    let Side { l, engine } = client;
    drop(l);
    let mut client = Side { l: engine.attach(0).unwrap(), engine };
    let second = Region::register(&client.engine, vec![2; 100]).unwrap();
    client.l.send_region(here, &second, 0..100, 22).unwrap();
    let mut done = Vec::new();
    while done.len() < 2 {
        turn(&mut server);
        done.extend(turn(&mut client).iter().filter(|s| s.kind == EventKind::TxDone).map(|s| s.user));
    }
    assert_eq!(done, [11, 22]);
}

/// Its destructor uses the loop that has just let it go.
struct Meddling(Vec<u8>);

impl AsRef<[u8]> for Meddling {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Meddling {
    fn drop(&mut self) {
        rt::spawn_local(async {});
        rt::with_loop(|l| l.timer_after(1, 1)).unwrap();
        rt::with_loop(|l| l.send_copy(Conn::from_raw(1), b"nobody")).unwrap();
    }
}

#[test]
fn a_destructor_of_registered_memory_may_use_the_loop() {
    let (_worker, runtime) = world("pair:misuse-meddling");
    runtime.block_on(async {
        let stream = client().await;
        let engine = rt::with_loop(|l| l.engine());
        let region = Region::register(&engine, Meddling(vec![7; 100])).unwrap();
        rt::with_loop(|l| l.send_region(stream.conn(), &region, 0..100, 0)).unwrap();
        drop(region);
        assert_eq!(stream.recv().await.unwrap().unwrap()[0], 7);
        rt::sleep(Duration::from_millis(50)).await; // and is acknowledged
        stream.write_all(b"on").await.unwrap();
        assert!(stream.recv().await.unwrap().is_some());
    });
}

// ---- handles and numbers ----

#[test]
fn handles_of_other_kinds_are_refused() {
    let mut side = side(&Config::new("pair:misuse-kinds").address("10.0.0.1/24"));
    turn(&mut side);
    let listener = side.l.listen("0.0.0.0:7".parse().unwrap(), 0).unwrap();
    let region = Region::register(&side.engine, [0u8; 8]).unwrap();
    let buf = side.l.tx_buf().unwrap();
    turn(&mut side);
    // Handles of buffers and regions are no secret: kind, loop, generation and slot.
    let loop_bits = listener.raw() & (127 << 43);
    let guesses = (0..64).map(|slot| 5 << 50 | loop_bits | slot).chain((0..4).map(|slot| 6 << 50 | 127 << 43 | slot));
    for raw in guesses.chain([0, u64::MAX, 1 << 63]) {
        side.l.close_conn(Conn::from_raw(raw)).unwrap();
        side.l.close_udp(Udp::from_raw(raw)).unwrap();
        side.l.close_listener(Listener::from_raw(raw)).unwrap();
        assert!(side.l.cancel(Timer::from_raw(raw)).is_err());
        let batch = side.l.turn(Wait::No).unwrap();
        assert_eq!(std::iter::from_fn(|| batch.short()).count(), 3, "{raw:#x}");
    }
    assert_eq!(region.bytes().len(), 8);
    drop(buf);
    turn(&mut side);
    assert_eq!((side.l.stats().unwrap().bufs_held, side.l.stats().unwrap().conns), (0, 0));
}

#[test]
fn times_without_end_are_no_times_of_the_past() {
    let mut side = side(&Config::new("pair:misuse-time").address("10.0.0.1/24"));
    for us in [u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 + 1] {
        side.l.timer_after(us, us).unwrap();
        side.l.timer_at(us, us).unwrap();
    }
    side.l.timer_after(1000, 5).unwrap();
    let expired = patiently("no timer", || {
        side.l.turn(Wait::For(Duration::MAX)).unwrap().find(|e| e.kind() == EventKind::Timer).map(|e| e.user())
    });
    assert_eq!(expired, 5);
    let runtime = runtime("pair:misuse-sleep", "10.0.0.1/24");
    runtime.block_on(async {
        let forever = rt::timeout(Duration::from_millis(2), rt::sleep(Duration::MAX));
        assert_eq!(forever.await, None);
        assert_eq!(rt::timeout(Duration::from_millis(2), rt::sleep_until(u64::MAX)).await, None);
    });
}

#[test]
fn numbers_of_a_configuration_work_or_are_refused() {
    type Set = fn(Config, u32) -> Config;
    let numbers: [(&str, Set); 13] = [
        ("loops", Config::loops),
        ("frames", Config::frames),
        ("frame_bytes", Config::frame_bytes),
        ("ring", Config::ring),
        ("op_cap", Config::op_cap),
        ("release_cap", Config::release_cap),
        ("event_cap", Config::event_cap),
        ("tx_free_cap", Config::tx_free_cap),
        ("post_cap", Config::post_cap),
        ("poll_us", Config::poll_us),
        ("log_level", Config::log_level),
        ("mtu", Config::mtu),
        ("limits", |c, n| c.spill_bytes(u64::from(n) << 32).mem_limit(u64::from(n)).seed(n.into())),
    ];
    for (name, set) in numbers {
        for n in [0, 1, 2, 3, 63, u32::MAX / 2, u32::MAX / 2 + 1, u32::MAX] {
            let config = set(Config::new("pair:misuse-config").address("10.0.0.1/24"), n);
            let engine = match config.open() {
                Ok(engine) => engine,
                Err(e) => {
                    assert!(!e.text.is_empty(), "{name} = {n}");
                    continue;
                }
            };
            let mut l = engine.attach(0).unwrap();
            for _ in 0..3 {
                let bufs: Vec<_> = (0..3).filter_map(|_| l.tx_buf()).collect();
                while l.room() > 0 {
                    l.send_copy(Conn::from_raw(1), b"nobody").unwrap_or_else(|e| panic!("{name} = {n}: {e}"));
                }
                assert_eq!(l.abort(Conn::from_raw(1)), Err(Error::AGAIN));
                let batch = l.turn(Wait::No).unwrap();
                assert!(batch.short().is_some());
                drop((batch, bufs));
            }
        }
    }
}

#[test]
fn addresses_of_the_wrong_family_are_errors() {
    let mut side = side(&Config::new("pair:misuse-family").address("10.0.0.1/24"));
    let six = "[fd00::1]:7".parse().unwrap();
    assert!(side.l.connect(six, 0).is_err());
    assert!(side.l.connect_from("[fd00::2]:1".parse().unwrap(), "10.0.0.2:7".parse().unwrap(), 0).is_err());
    for nobody in ["0.0.0.0:7", "[::]:7", "10.0.0.2:0", "255.255.255.255:7", "224.0.0.1:7"] {
        assert!(side.l.connect(nobody.parse().unwrap(), 0).is_err(), "{nobody}");
    }
    let udp = side.l.udp("10.0.0.1:9".parse().unwrap(), 0).unwrap();
    assert!(side.l.udp_send_copy(udp, six, None, b"six").is_err());
    assert!(side.l.udp_send_copy(udp, "10.0.0.2:9".parse().unwrap(), Some(six), b"six").is_err());
    let buf = side.l.tx_buf().unwrap();
    side.l.udp_send(udp, six, None, buf).unwrap();
    let batch = side.l.turn(Wait::No).unwrap();
    assert!(batch.short().is_some_and(|s| s.rest.is_some()));
    drop(batch);
    turn(&mut side);
    assert_eq!(side.l.stats().unwrap().bufs_held, 0);
}

// ---- runtimes and threads ----

#[test]
fn a_stream_dropped_outside_of_its_runtime_is_closed() {
    let worker = Worker::start(&open("pair:misuse-outside", "10.0.0.1/24"), 0).unwrap();
    let (tell, told) = channel();
    worker.handle().spawn(move || async move {
        let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap();
        tell.send(()).unwrap();
        while let Ok(stream) = listener.accept().await {
            while let Ok(Some(_)) = stream.recv().await {}
        }
    });
    told.recv().unwrap();
    let runtime = short("pair:misuse-outside", "10.0.0.2/24");
    let stream = runtime.block_on(client());
    let (listener, socket) = runtime.run(|| {
        let local = "10.0.0.2:9".parse().unwrap();
        (TcpListener::bind(local).unwrap(), UdpSocket::bind(local).unwrap())
    });
    drop((stream, listener, socket));
    runtime.block_on(no_connections());
    runtime.run(|| {
        let local = "10.0.0.2:9".parse().unwrap();
        drop((TcpListener::bind(local).unwrap(), UdpSocket::bind(local).unwrap()));
    });
}

#[test]
fn a_stream_stays_with_its_runtime_wherever_it_is_used() {
    let (_worker, first) = world("pair:misuse-two");
    let second = runtime("pair:misuse-two-other", "10.0.0.3/24");
    let stream = first.block_on(client());
    let other = first.block_on(client());
    let stream = second.block_on(async move {
        assert!(poll_fn(|cx| Poll::Ready(stream.poll_recv(cx).is_pending())).await);
        assert!(rt::timeout(Duration::from_millis(1), stream.write_all(b"from elsewhere")).await.is_some());
        stream.set_nodelay(true).unwrap();
        stream.shutdown().unwrap();
        drop(other);
        stream
    });
    first.block_on(async move {
        let mut got = Vec::new();
        while let Some(part) = stream.recv().await.unwrap() {
            got.extend_from_slice(&part);
        }
        assert_eq!(got, b"from elsewhere");
    });
    second.block_on(async {
        assert_eq!(rt::with_loop(|l| l.stats()).unwrap().ops_failed, 0);
        assert_eq!(rt::timeout(Duration::from_millis(5), pending::<()>()).await, None);
    });
}

#[test]
fn a_stream_whose_runtime_has_ended_says_so() {
    let (_worker, runtime) = world("pair:misuse-ended");
    let stream = runtime.block_on(client());
    let reader = Arc::new(Woken(std::sync::atomic::AtomicBool::new(false)));
    let waker = Waker::from(reader.clone());
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(stream.poll_recv(&mut cx).is_pending());
    drop(runtime);
    assert!(reader.0.load(std::sync::atomic::Ordering::SeqCst), "who waits is told");
    assert!(matches!(stream.poll_recv(&mut cx), Poll::Ready(Err(_))));
    assert!(matches!(stream.poll_write_from(&mut cx, b"late"), Poll::Ready(Err(_))));
    assert!(stream.set_nodelay(true).is_err() && stream.abort().is_err());
    drop(stream);
}

struct Woken(std::sync::atomic::AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn a_job_for_a_runtime_that_has_ended_may_wake_it() {
    struct WakesInDrop(Waker);
    impl Drop for WakesInDrop {
        fn drop(&mut self) {
            self.0.wake_by_ref();
        }
    }
    let runtime = runtime("pair:misuse-late", "10.0.0.1/24");
    let waker = runtime.block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    let handle = runtime.handle();
    drop(runtime);
    let (tell, told) = channel();
    thread::spawn(move || {
        let wakes = WakesInDrop(waker);
        handle.spawn(move || async move { drop(wakes) });
        tell.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(60)).expect("it waits for itself");
}

#[test]
fn a_worker_may_end_itself() {
    let worker = Worker::start(&open("pair:misuse-worker", "10.0.0.1/24"), 0).unwrap();
    let handle = worker.handle().clone();
    let (tell, told) = channel();
    handle.spawn(move || async move {
        drop(worker);
        tell.send(thread::panicking()).unwrap();
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(false));
}

#[test]
fn a_panic_in_a_task_leaves_the_runtime_as_it_was() {
    let (_worker, runtime) = world("pair:misuse-panic");
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("a destructor");
            }
        }
    }
    let stream = runtime.block_on(client());
    for i in 0..3 {
        let failed = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                match i {
                    0 => drop(rt::spawn_local(async { panic!("a task") })),
                    1 => drop(rt::spawn_local(async { drop(PanicsInDrop) })),
                    _ => rt::with_loop(|_| panic!("with the loop")),
                }
                pending::<()>().await;
            })
        }));
        assert!(failed.is_err());
        runtime.block_on(async {
            stream.write_all(b"ping").await.unwrap();
            assert_eq!(&stream.recv().await.unwrap().unwrap()[..], b"ping");
        });
    }
    let kept = PanicsInDrop;
    runtime.run(|| {
        rt::spawn_local(async move {
            let _kept = kept;
            pending::<()>().await;
        })
    });
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(runtime)));
    assert!(dropped.is_err());
    stream.abort().unwrap_err();
}

#[test]
fn a_panic_in_a_task_keeps_no_other_from_running() {
    let runtime = runtime("pair:misuse-panic-others", "10.0.0.1/24");
    let other = runtime.run(|| {
        drop(rt::spawn_local(async { panic!("a task") }));
        rt::spawn_local(async { 5 })
    });
    let job = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let done = job.clone();
    runtime.handle().spawn(|| async { panic!("a task that was handed in") });
    runtime.handle().spawn(move || async move { done.store(true, std::sync::atomic::Ordering::SeqCst) });
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(pending::<()>()))).is_err());
    }
    assert_eq!(runtime.block_on(rt::timeout(Duration::from_secs(60), other)), Some(5));
    assert!(job.load(std::sync::atomic::Ordering::SeqCst));
}

#[test]
fn a_runtime_within_a_runtime_panics_and_both_go_on() {
    let first = runtime("pair:misuse-nested", "10.0.0.1/24");
    let second = Rc::new(runtime("pair:misuse-nested", "10.0.0.2/24"));
    first.block_on(async {
        let inner = catch_unwind(AssertUnwindSafe(|| second.block_on(async {})));
        assert!(inner.is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| rt::with_loop(|_| first.block_on(async {})))).is_err());
        second.run(|| drop(rt::spawn_local(async {})));
        rt::yield_now().await;
        drop(runtime("pair:misuse-nested-more", "10.0.0.3/24"));
        rt::sleep(Duration::from_millis(1)).await;
    });
    assert!(catch_unwind(AssertUnwindSafe(|| first.with_loop(|_| first.block_on(async {})))).is_err());
    first.block_on(async { rt::sleep(Duration::from_millis(1)).await });
    second.block_on(async { rt::sleep(Duration::from_millis(1)).await });
}

#[test]
fn a_runtime_may_end_with_its_thread() {
    thread_local! {
        static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    let engine = open("pair:misuse-thread", "10.0.0.1/24");
    let there = engine.clone();
    thread::spawn(move || {
        KEPT.with(|kept| {
            let runtime = Runtime::new(there.attach(0).unwrap());
            runtime.block_on(async { drop(rt::spawn_local(pending::<()>())) });
            *kept.borrow_mut() = Some(runtime);
        });
    })
    .join()
    .unwrap();
    drop(engine.attach(0).unwrap());
    engine.close().unwrap();
}

#[test]
fn wakers_may_do_anything() {
    /// Polls what it was told to, in the middle of being woken.
    struct Polls(std::sync::Mutex<Option<SendPtr>>);
    struct SendPtr(Box<dyn Fn() + Send>);
    impl Wake for Polls {
        fn wake(self: Arc<Self>) {
            if let Some(f) = self.0.lock().unwrap().as_ref() {
                f.0();
            }
        }
    }
    thread_local! {
        static JOIN: RefCell<Option<rt::JoinHandle<u32>>> = const { RefCell::new(None) };
    }
    let runtime = runtime("pair:misuse-wakers", "10.0.0.1/24");
    let (tell, told) = channel();
    let poll = move || {
        let done = JOIN.with(|join| join.borrow().as_ref().map(rt::JoinHandle::is_finished));
        tell.send(done).unwrap();
    };
    let waker = Waker::from(Arc::new(Polls(std::sync::Mutex::new(Some(SendPtr(Box::new(poll)))))));
    runtime.block_on(async {
        let mut join = rt::spawn_local(async { 5 });
        assert!(std::pin::Pin::new(&mut join).poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        JOIN.with(|kept| *kept.borrow_mut() = Some(join));
        rt::yield_now().await;
        rt::yield_now().await;
    });
    assert_eq!(told.try_recv(), Ok(Some(true)));
}

#[test]
fn a_thread_is_not_both_sides_of_a_split_loop() {
    let config = Config::new("pair:misuse-split").address("10.0.0.1/24").cores(iip::Cores::Split);
    let engine = config.open().unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut net = engine.networking(0).unwrap();
        net.turn(Some(Duration::ZERO)).unwrap();
        let both = engine.attach(0).and_then(|mut l| l.turn(Wait::No).map(drop));
        tell.send(both).unwrap();
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).expect("it waits for itself"), Err(Error::BUSY));
}
