//! The runtime and its sockets: echoes over wires that lose, back-pressure, futures dropped half-way, timers.

use std::future::{poll_fn, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use iip::net::{TcpListener, TcpStream, UdpSocket};
use iip::rt::{self, Runtime, Worker};
use iip::{Config, Engine};

const SERVER: &str = "10.0.0.1:7";
const LOSSY: &str = "seed=11,loss=2%,dup=1%,reorder=3%,corrupt=1%,delay=100us";

fn address() -> SocketAddr {
    SERVER.parse().unwrap()
}

/// A server's thread with `serve` on it, and a runtime for the client.
fn world<F, M>(port: &str, serve: M) -> (Worker, Runtime)
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let open = |address| -> Engine { Config::new(port).address(address).open().unwrap() };
    let worker = Worker::start(&open("10.0.0.1/24"), 0).unwrap();
    worker.handle().spawn(serve);
    (worker, Runtime::new(open("10.0.0.2/24").attach(0).unwrap()))
}

async fn echo_server() {
    let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap();
    while let Ok(stream) = listener.accept().await {
        rt::spawn_local(async move {
            while let Ok(Some(bytes)) = stream.recv().await {
                stream.write_all(&bytes).await?;
            }
            stream.shutdown()
        });
    }
}

/// Connects, over and over until the server listens.
async fn connect() -> TcpStream {
    for _ in 0..60_000 {
        if let Ok(stream) = TcpStream::connect(address()).await {
            return stream;
        }
        rt::sleep(Duration::from_millis(1)).await;
    }
    panic!("nobody listens");
}

fn pattern(n: usize, seed: u64) -> Vec<u8> {
    (0..n as u64).map(|i| ((i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

/// Writes all while it reads all back.
async fn echo(stream: &TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut write = pin!(async {
        stream.write_all(bytes).await?;
        stream.shutdown()
    });
    let mut read = pin!(async {
        let mut back = Vec::new();
        while let Some(part) = stream.recv().await? {
            back.extend_from_slice(&part);
        }
        Ok(back)
    });
    let mut written = false;
    poll_fn(|cx| {
        if !written {
            if let Poll::Ready(done) = write.as_mut().poll(cx) {
                done?;
                written = true;
            }
        }
        read.as_mut().poll(cx)
    })
    .await
}

fn echoes(port: &str, conns: u64, size: usize) {
    let (_worker, runtime) = world(port, echo_server);
    runtime.block_on(async {
        let mut all = Vec::new();
        for i in 0..conns {
            all.push(rt::spawn_local(async move {
                let stream = connect().await;
                let bytes = pattern(size, i);
                assert!(echo(&stream, &bytes).await.unwrap() == bytes, "connection {i}");
                stream.closed().await.unwrap();
            }));
        }
        for one in all {
            one.await;
        }
    });
}

#[test]
fn many_echoes_over_a_pair() {
    echoes("pair:rt-echo", 32, 300_000);
}

#[test]
fn many_echoes_over_a_wire_that_loses() {
    echoes(&format!("sim:rt-loss,{LOSSY}"), 8, 100_000);
}

#[test]
fn a_reader_that_waits_stops_the_writer() {
    let (_worker, runtime) = world("pair:rt-pressure", echo_server);
    runtime.block_on(async {
        let stream = connect().await;
        let bytes = pattern(20_000_000, 1);
        let mut sent = 0;
        // Nothing is read: sooner or later writing is pending, for as long as we like.
        while let Some(n) = rt::timeout(Duration::from_millis(200), stream.write(&bytes[sent..])).await {
            sent += n.unwrap();
            assert!(sent < bytes.len(), "the writer was never stopped");
        }
        let mut back = 0;
        while back < sent {
            let part = stream.recv().await.unwrap().unwrap();
            assert!(part[..] == bytes[back..back + part.len()]);
            back += part.len();
        }
        assert_eq!(back, sent);
    });
}

#[test]
fn futures_dropped_half_way_lose_nothing() {
    let (_worker, runtime) = world("pair:rt-cancel", echo_server);
    runtime.block_on(async {
        let stream = connect().await;
        let mut cx = Context::from_waker(Waker::noop());
        let mut back = Vec::new();
        for i in 0..200u8 {
            stream.write_all(&[i; 10]).await.unwrap();
            // Polled once and dropped, over and over, until the answer is there.
            while back.len() < 10 * (usize::from(i) + 1) {
                let polled = pin!(stream.recv()).poll(&mut cx);
                if let Poll::Ready(part) = polled {
                    back.extend_from_slice(&part.unwrap().unwrap());
                }
                rt::yield_now().await;
            }
            assert_eq!(back[10 * usize::from(i)..], [i; 10]);
        }
        // A connect that is given up leaves nothing behind.
        for _ in 0..10 {
            assert!(pin!(TcpStream::connect(address())).poll(&mut cx).is_pending());
        }
        let listener = TcpListener::bind("0.0.0.0:9".parse().unwrap()).unwrap();
        assert!(pin!(listener.accept()).poll(&mut cx).is_pending());
        stream.shutdown().unwrap();
        assert!(stream.recv().await.unwrap().is_none());
        stream.closed().await.unwrap();
        for _ in 0..60_000 {
            if rt::with_loop(|l| l.stats()).unwrap().conns == 0 {
                return;
            }
            rt::sleep(Duration::from_millis(1)).await;
        }
        panic!("connections that were given up are still there");
    });
}

#[test]
fn received_buffers_go_back_whole() {
    let (_worker, runtime) = world("pair:rt-zero-copy", || async {
        let listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).unwrap();
        let stream = listener.accept().await.unwrap();
        while let Some(bytes) = stream.recv().await.unwrap() {
            stream.send(bytes).await.unwrap();
        }
        stream.shutdown().unwrap();
        let _ = stream.closed().await;
    });
    runtime.block_on(async {
        let stream = connect().await;
        let bytes = pattern(500_000, 5);
        assert!(echo(&stream, &bytes).await.unwrap() == bytes);
    });
}

#[test]
fn errors_are_those_of_io() {
    let (_worker, runtime) = world("pair:rt-errors", || async {
        let listener = TcpListener::bind("0.0.0.0:8".parse().unwrap()).unwrap();
        assert_eq!(TcpListener::bind("0.0.0.0:8".parse().unwrap()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        listener.accept().await.unwrap().abort().unwrap();
        rt::sleep(Duration::from_secs(60)).await;
    });
    runtime.block_on(async {
        let refused = TcpStream::connect(address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let stream = loop {
            if let Ok(stream) = TcpStream::connect("10.0.0.1:8".parse().unwrap()).await {
                break stream;
            }
        };
        assert_eq!(stream.recv().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(stream.write(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn timers_expire_in_order() {
    let engine = Config::new("pair:rt-timers").address("10.0.0.1/24").open().unwrap();
    let runtime = Runtime::new(engine.attach(0).unwrap());
    let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    runtime.block_on(async {
        let mut all = Vec::new();
        let now_us = rt::with_loop(|l| l.clock_us()).unwrap();
        for ms in [600u64, 200, 400, 0] {
            let order = order.clone();
            all.push(rt::spawn_local(async move {
                rt::sleep_until(now_us + ms * 1000).await;
                order.borrow_mut().push(ms);
            }));
        }
        drop(rt::sleep(Duration::from_millis(1)));
        for one in all {
            one.await;
        }
        assert!(rt::timeout(Duration::from_millis(1), std::future::pending::<()>()).await.is_none());
        assert_eq!(rt::timeout(Duration::from_secs(60), async { 5 }).await, Some(5));
    });
    assert_eq!(*order.borrow(), [0, 200, 400, 600]);
}

#[test]
fn a_waker_of_another_thread_wakes_a_loop_that_sleeps() {
    let engine = Config::new("pair:rt-wake").address("10.0.0.1/24").open().unwrap();
    let runtime = Runtime::new(engine.attach(0).unwrap());
    let (tell, told) = std::sync::mpsc::channel::<Waker>();
    let thread = std::thread::spawn(move || {
        for waker in told {
            std::thread::sleep(Duration::from_millis(2));
            waker.wake();
        }
    });
    runtime.block_on(async {
        for _ in 0..50 {
            let mut asked = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut asked, true) {
                    return Poll::Ready(());
                }
                tell.send(cx.waker().clone()).unwrap();
                Poll::Pending
            })
            .await;
        }
    });
    drop(tell);
    thread.join().unwrap();
}

#[test]
fn datagrams_of_all_sizes_come_back() {
    let (_worker, runtime) = world("pair:rt-udp", || async {
        let socket = UdpSocket::bind("0.0.0.0:7".parse().unwrap()).unwrap();
        loop {
            let datagram = socket.recv().await.unwrap();
            socket.send_from(&datagram.to_vec(), datagram.ends).unwrap();
        }
    });
    runtime.block_on(async {
        let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        for size in [0usize, 1, 1400, 1472, 1473, 9000, 60_000] {
            let bytes = pattern(size, size as u64);
            let mut to = vec![0; 70_000];
            let (n, from) = loop {
                socket.send_to(&bytes, address()).unwrap();
                // The server may not be there yet, or slow: then there are two answers, and the second is passed over.
                match rt::timeout(Duration::from_millis(500), socket.recv_from(&mut to)).await {
                    Some(Ok((n, from))) if n == size => break (n, from),
                    got => drop(got.map(Result::unwrap)),
                }
            };
            assert_eq!((n, from), (size, address()));
            assert!(to[..n] == bytes);
        }
    });
}

#[test]
fn an_engine_closes_when_its_runtime_has_ended() {
    let engine = Config::new("pair:rt-end").address("10.0.0.1/24").open().unwrap();
    let worker = Worker::start(&engine, 0).unwrap();
    let handle = worker.handle().clone();
    handle.spawn(echo_server);
    drop(worker);
    handle.spawn(|| async { panic!("the runtime is gone") });
    let leaks = engine.close().expect("nothing of it lives");
    assert_eq!((leaks.bufs, leaks.conns, leaks.listeners, leaks.timers), (0, 0, 0, 0));
}

#[test]
fn a_loop_that_is_given_back_has_nothing_open() {
    let (_worker, runtime) = world("pair:rt-back", echo_server);
    let held = runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:9".parse().unwrap()).unwrap();
        rt::spawn_local(async move { drop(listener.accept().await) });
        let mut streams = Vec::new();
        for _ in 0..300 {
            streams.push(connect().await); // more than a turn has room to abort
        }
        rt::spawn_local(rt::sleep(Duration::from_secs(3600)));
        rt::yield_now().await;
        let task = streams.pop().unwrap();
        rt::spawn_local(async move { task.recv().await });
        (streams, UdpSocket::bind("0.0.0.0:9".parse().unwrap()).unwrap())
    });
    let l = runtime.into_loop().unwrap();
    assert_eq!(l.stats().unwrap().conns, 0);
    let engine = l.engine();
    drop((l, held));
    let leaks = engine.close().expect("nothing of it lives");
    assert_eq!([leaks.bufs, leaks.conns, leaks.listeners, leaks.udps, leaks.timers], [0; 5], "{leaks:?}");
}
