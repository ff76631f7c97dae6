//! Tasks, wakers, timers and sockets: between threads, past the end of their runtime, and dropped half-way.
#![cfg(miri)]

#[path = "../../iip/tests/common/echo.rs"]
mod echo;

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use iip::net::{TcpStream, UdpSocket};
use iip::rt::{self, Runtime, Worker};
use iip::send::{SendListener, SendStream};
use iip::{Config, Engine};
use iip_miri as _;

fn open(port: &str, address: &str) -> Engine {
    Config::new(port).address(address).open().unwrap()
}

/// A server's thread, and a runtime for the client.
fn world(port: &str) -> (Worker, Runtime) {
    let worker = Worker::start(&open(port, "10.0.0.1/24"), 0).unwrap();
    (worker, Runtime::new(open(port, "10.0.0.2/24").attach(0).unwrap()))
}

async fn connect() -> TcpStream {
    TcpStream::connect("10.0.0.1:7".parse().unwrap()).await.unwrap()
}

/// Polls once.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(out) => Poll::Ready(Some(out)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn an_echo_between_threads() {
    let (worker, runtime) = world("pair:echo");
    echo::serve(&worker);
    runtime.block_on(async {
        let stream = connect().await;
        let bytes: Vec<u8> = (0..700u32).map(|i| i as u8).collect();
        let mut back = Vec::new();
        let mut write = pin!(stream.write_all(&bytes));
        let mut written = false;
        while back.len() < bytes.len() {
            written = written || once(&mut write).await.is_some();
            if let Some(part) = rt::timeout(Duration::from_millis(1), stream.recv()).await {
                back.extend_from_slice(&part.unwrap().unwrap());
            }
        }
        assert_eq!(back, bytes);
        stream.shutdown().unwrap();
        assert!(stream.recv().await.unwrap().is_none());
        stream.closed().await.unwrap();
    });
    drop(worker);
}

#[test]
fn futures_dropped_half_way() {
    let (worker, runtime) = world("pair:drop");
    echo::serve(&worker);
    runtime.block_on(async {
        let stream = connect().await;
        for _ in 0..3 {
            drop(once(stream.recv()).await);
            assert!(once(rt::sleep(Duration::from_millis(1))).await.is_none());
            stream.write_all(b"ping").await.unwrap();
            assert_eq!(&stream.recv().await.unwrap().unwrap()[..], b"ping");
        }
        drop(once(TcpStream::connect("10.0.0.1:8".parse().unwrap())).await);
        let joined = rt::spawn_local(async { 5 });
        assert_eq!(joined.await, 5);
        drop(rt::spawn_local(std::future::pending::<()>()));
    });
}

/// What other threads do to a task: they wake it over and over, spawn beside it, and keep its waker past the end.
#[test]
fn wakers_of_many_threads_and_past_the_end() {
    let runtime = Runtime::new(open("pair:waker", "10.0.0.1/24").attach(0).unwrap());
    let (give, take) = channel::<Waker>();
    let (tell, told) = channel();
    let handle = runtime.handle();
    let waking = thread::spawn(move || {
        let mut kept = Vec::new();
        for waker in take {
            waker.wake_by_ref();
            handle.spawn(|| async {});
            kept.push(waker);
        }
        told.recv().unwrap();
        kept.iter().for_each(Waker::wake_by_ref);
        handle.spawn(|| async { unreachable!() });
        kept.into_iter().for_each(Waker::wake);
    });
    runtime.block_on(async move {
        let mut left = 10;
        let woken = move |cx: &mut Context<'_>| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            give.send(cx.waker().clone()).unwrap();
            Poll::Pending
        };
        rt::spawn_local(poll_fn(woken)).await;
    });
    drop(runtime);
    tell.send(()).unwrap();
    waking.join().unwrap();
}

/// The flag is all that the waking thread and the task share: whoever is woken must see what was done before.
#[test]
fn a_wake_brings_what_was_written_before_it() {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::Arc;
    let runtime = Runtime::new(open("pair:flag", "10.0.0.1/24").attach(0).unwrap());
    runtime.block_on(async {
        for _ in 0..10 {
            let flag = Arc::new(AtomicBool::new(false));
            let (give, take) = channel::<Waker>();
            let setting = thread::spawn({
                let flag = flag.clone();
                move || {
                    let waker = take.recv().unwrap();
                    waker.wake_by_ref(); // so that the task is being polled when the flag is set
                    flag.store(true, Ordering::Relaxed);
                    waker.wake();
                }
            });
            let mut given = false;
            let waiting = rt::spawn_local(poll_fn(move |cx| {
                if !std::mem::replace(&mut given, true) {
                    give.send(cx.waker().clone()).unwrap();
                }
                if flag.load(Ordering::Relaxed) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
            rt::timeout(Duration::from_secs(30), waiting).await.expect("the wake was lost");
            setting.join().unwrap();
        }
    });
}

#[test]
fn datagrams() {
    let (worker, runtime) = world("pair:udp");
    let (tell, told) = channel();
    worker.handle().spawn(move || async move {
        let socket = UdpSocket::bind("10.0.0.1:9".parse().unwrap()).unwrap();
        tell.send(()).unwrap();
        loop {
            let datagram = socket.recv().await.unwrap();
            socket.send_from(&datagram.to_vec(), datagram.ends).unwrap();
        }
    });
    told.recv().unwrap();
    runtime.block_on(async {
        let socket = UdpSocket::bind("10.0.0.2:0".parse().unwrap()).unwrap();
        let mut back = [0; 100];
        for n in [0, 1, 100] {
            socket.send_to(&vec![n as u8; n], "10.0.0.1:9".parse().unwrap()).unwrap();
            let (got, _) = socket.recv_from(&mut back).await.unwrap();
            assert_eq!((got, &back[..n]), (n, &vec![n as u8; n][..]));
        }
    });
}

/// Streams that are used on other threads, and dropped there while bytes are on their way.
#[test]
fn streams_of_other_threads() {
    let (server, client) = (open("pair:send", "10.0.0.1/24"), open("pair:send", "10.0.0.2/24"));
    let (server, client) = (Worker::start(&server, 0).unwrap(), Worker::start(&client, 0).unwrap());
    let side = Runtime::new(open("pair:aside", "10.0.0.1/24").attach(0).unwrap());
    side.block_on(async {
        let listener = SendListener::bind(server.handle(), "0.0.0.0:7".parse().unwrap()).await.unwrap();
        let stream = SendStream::connect(client.handle(), "10.0.0.1:7".parse().unwrap()).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let written = poll_fn(|cx| stream.poll_write_from(cx, &[3; 300])).await.unwrap();
        assert_eq!(written, 300);
        let first = accepted.recv().await.unwrap().unwrap();
        thread::spawn(move || {
            assert!(first.iter().all(|&b| b == 3));
            drop(accepted);
        })
        .join()
        .unwrap();
        drop(once(poll_fn(|cx| stream.poll_read_by(cx, 10, |_| {}))).await);
        drop(client);
        drop((stream, listener));
        drop(server);
    });
}
