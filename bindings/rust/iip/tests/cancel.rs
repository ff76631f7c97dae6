//! Every await, dropped after each number of polls at which it can be, over a wire that loses: nothing is lost that was
//! not lost on purpose, the others go on, and nothing is left at the end.
#![cfg(all(feature = "tokio", feature = "send"))]

use std::cell::Cell;
use std::future::{poll_fn, Future};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{Sender, TryRecvError};
use std::task::Poll;
use std::time::{Duration, Instant};

use iip::net::{TcpListener, TcpStream, UdpSocket};
use iip::rt::{self, Runtime, Worker};
use iip::send::{SendListener, SendStream};
use iip::{Config, Engine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Polls that no await needs.
const ENOUGH: u32 = 12;
const PATIENCE: Duration = Duration::from_secs(120);

fn at(port: u16) -> SocketAddr {
    format!("10.0.0.1:{port}").parse().unwrap()
}

/// Polls a future so often, and drops it; `None`: it was not ready by then.
async fn polled<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    rt::timeout(Duration::from_millis(20), async {
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            match future.as_mut().poll(cx) {
                Poll::Ready(out) => Poll::Ready(Some(out)),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    })
    .await
    .flatten()
}

/// 0, 1, 2 ... polls, over and over.
fn rounds(n: usize) -> impl Iterator<Item = u32> {
    (0..=ENOUGH).cycle().take(n)
}

fn pattern(n: usize, seed: u64) -> Vec<u8> {
    (0..n as u64).map(|i| ((i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

async fn echo(stream: TcpStream) -> std::io::Result<()> {
    while let Some(bytes) = stream.recv().await? {
        stream.send(bytes).await?;
    }
    stream.shutdown()?;
    stream.closed().await
}

async fn serve(ready: Sender<()>) {
    let listener = TcpListener::bind(at(7)).unwrap();
    let udp = UdpSocket::bind(at(7)).unwrap();
    rt::spawn_local(async move {
        loop {
            let datagram = udp.recv().await.unwrap();
            udp.send_from(&datagram.to_vec(), datagram.ends).unwrap();
        }
    });
    ready.send(()).unwrap();
    while let Ok(stream) = listener.accept().await {
        rt::spawn_local(echo(stream));
    }
}

/// A stream beside the others, which must not notice anything; one echo at least, however soon they are over.
async fn bystander(over: Rc<Cell<bool>>) {
    let stream = TcpStream::connect(at(7)).await.unwrap();
    for round in 0.. {
        let bytes = pattern(5000, round);
        stream.write_all(&bytes).await.unwrap();
        let mut back = Vec::new();
        while back.len() < bytes.len() {
            back.extend_from_slice(&stream.recv().await.unwrap().unwrap());
        }
        assert!(back == bytes, "the stream beside was disturbed");
        if over.get() {
            break;
        }
    }
    stream.shutdown().unwrap();
    assert!(stream.recv().await.unwrap().is_none());
    stream.closed().await.unwrap();
}

async fn at_rest(runtime: &str) {
    let began = Instant::now();
    loop {
        let stats = rt::with_loop(|l| l.stats()).unwrap();
        if (stats.conns, stats.bufs_held) == (0, 0) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{runtime}: {} connections, {} buffers", stats.conns, stats.bufs_held);
        rt::sleep(Duration::from_millis(1)).await;
    }
}

fn no_leaks(engine: Engine) {
    let l = engine.close().expect("nothing of it lives");
    assert_eq!([l.bufs, l.conns, l.listeners, l.udps, l.externs, l.regions, l.timers], [0; 7], "{l:?}");
}

/// `work` on the client, beside a stream that must not notice, over a wire of this name.
fn dropped<F, M>(name: &str, work: M)
where
    F: Future<Output = ()>,
    M: FnOnce(rt::Handle) -> F,
{
    let port = format!("sim:cancel-{name},clock=real,seed=5,loss=1%,reorder=1%,delay=50us");
    let open = |address| Config::new(&port).address(address).tunable("tcp.msl_us=1000").open().unwrap();
    let (there, here) = (open("10.0.0.1/24"), open("10.0.0.2/24"));
    let worker = Worker::start(&there, 0).unwrap();
    let (ready, told) = std::sync::mpsc::channel();
    worker.handle().spawn(move || serve(ready));
    told.recv().unwrap();
    let runtime = Runtime::new(here.attach(0).unwrap());
    runtime.block_on(async {
        let over = Rc::new(Cell::new(false));
        let beside = rt::spawn_local(bystander(over.clone()));
        work(worker.handle().clone()).await;
        over.set(true);
        beside.await;
        at_rest("client").await;
        // The client goes on turning: a last ACK that the wire lost is asked for again.
        let (tell, told) = std::sync::mpsc::channel();
        worker.handle().spawn(move || async move {
            at_rest("server").await;
            tell.send(()).unwrap();
        });
        while let Err(none) = told.try_recv() {
            assert_eq!(none, TryRecvError::Empty, "the server is at rest");
            rt::sleep(Duration::from_millis(1)).await;
        }
        at_rest("client").await;
    });
    drop(runtime);
    drop(worker);
    [there, here].into_iter().for_each(no_leaks);
}

#[test]
fn connects() {
    dropped("connect", |_| async {
        let (mut done, mut given_up, began) = (0, 0, Instant::now());
        let mut polls = rounds(usize::MAX);
        while done + given_up < 100 || done == 0 {
            assert!(began.elapsed() < PATIENCE, "{given_up} in vain");
            match polled(polls.next().unwrap(), TcpStream::connect(at(7))).await {
                Some(stream) => {
                    done += 1;
                    stream.unwrap().write_all(b"x").await.unwrap();
                }
                None => {
                    given_up += 1;
                    rt::yield_now().await;
                }
            }
        }
        assert!(given_up > 0);
    });
}

#[test]
fn accepts_lose_none() {
    dropped("accept", |server| async move {
        let listener = TcpListener::bind("10.0.0.2:9".parse().unwrap()).unwrap();
        server.spawn(|| async {
            for i in 0..50u8 {
                let stream = TcpStream::connect("10.0.0.2:9".parse().unwrap()).await.unwrap();
                stream.write_all(&[i]).await.unwrap();
                assert!(stream.recv().await.unwrap().is_none());
            }
        });
        let (mut got, began, mut polls) = (0u8, Instant::now(), rounds(usize::MAX));
        while got < 50 && began.elapsed() < PATIENCE {
            if let Some(stream) = polled(polls.next().unwrap(), listener.accept()).await {
                let stream = stream.unwrap();
                assert_eq!(stream.recv().await.unwrap().unwrap()[..], [got]);
                got += 1;
            }
        }
        assert_eq!(got, 50);
    });
}

#[test]
fn reads_lose_no_byte() {
    dropped("read", |_| async {
        let mut stream = TcpStream::connect(at(7)).await.unwrap();
        let bytes = pattern(300_000, 1);
        let (mut sent, mut back, mut given_up) = (0, Vec::new(), 0);
        let mut polls = rounds(usize::MAX);
        while back.len() < bytes.len() {
            let n = bytes.len().min(sent + 3000);
            stream.write_all(&bytes[sent..n]).await.unwrap();
            sent = n;
            let polls = polls.next().unwrap();
            let mut some = [0; 1000];
            let n = match polls % 3 {
                0 => polled(polls, stream.recv()).await.map(|part| {
                    let part = part.unwrap().unwrap();
                    back.extend_from_slice(&part);
                    0
                }),
                1 => polled(polls, stream.read(&mut some)).await.map(|n| n.unwrap()),
                _ => polled(polls, AsyncReadExt::read(&mut stream, &mut some)).await.map(|n| n.unwrap()),
            };
            back.extend_from_slice(&some[..n.unwrap_or(0)]);
            given_up += u32::from(n.is_none());
        }
        assert!(back == bytes && given_up > 10, "{given_up}");
    });
}

/// What was dropped half-way was not sent, so it is sent again: each byte arrives once.
#[test]
fn sends_are_whole_or_not_at_all() {
    dropped("send", |_| async {
        let stream = Rc::new(TcpStream::connect(at(7)).await.unwrap());
        let bytes = pattern(2_000_000, 2);
        let reader = rt::spawn_local({
            let (stream, bytes) = (stream.clone(), bytes.clone());
            async move {
                let mut at = 0;
                while let Some(part) = stream.recv().await.unwrap() {
                    assert!(part[..] == bytes[at..at + part.len()], "at {at}");
                    at += part.len();
                }
                assert_eq!(at, bytes.len());
            }
        });
        let (mut sent, mut given_up) = (0, 0);
        for polls in rounds(usize::MAX) {
            if sent == bytes.len() {
                break;
            }
            let n = if polls % 2 == 0 {
                polled(polls, stream.write(&bytes[sent..])).await.map(|n| n.unwrap())
            } else {
                match polled(polls, stream.tx_buf()).await {
                    None => None,
                    Some(buf) => {
                        let mut buf = buf.unwrap();
                        let n = buf.extend_from_slice(&bytes[sent..]);
                        polled(polls - 1, stream.send(buf)).await.map(|done| {
                            done.unwrap();
                            n
                        })
                    }
                }
            };
            sent += n.unwrap_or(0);
            given_up += u32::from(n.is_none());
        }
        stream.shutdown().unwrap();
        reader.await;
        stream.closed().await.unwrap();
        assert!(given_up > 10, "{given_up}");
    });
}

#[test]
fn what_may_be_sent_in_part_leaves_nothing_behind() {
    dropped("write-all", |_| async {
        for polls in rounds(60) {
            let stream = TcpStream::connect(at(7)).await.unwrap();
            let bytes = pattern(400_000, 3);
            let done = polled(polls, stream.write_all(&bytes)).await;
            assert!(done.is_none_or(|done| done.is_ok()));
        }
    });
}

#[test]
fn flushes_shutdowns_and_ends() {
    dropped("shutdown", |_| async {
        for polls in rounds(60) {
            let mut stream = TcpStream::connect(at(7)).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            let _ = polled(polls, AsyncWriteExt::flush(&mut stream)).await;
            let _ = polled(polls, AsyncWriteExt::shutdown(&mut stream)).await;
            stream.shutdown().unwrap();
            let mut back = Vec::new();
            while let Some(part) = stream.recv().await.unwrap() {
                back.extend_from_slice(&part);
            }
            assert_eq!(back, b"hello");
            if polled(polls, stream.closed()).await.is_none() {
                stream.closed().await.unwrap();
            }
        }
    });
}

#[test]
fn datagrams_are_lost_by_the_wire_alone() {
    dropped("udp", |_| async {
        let socket = UdpSocket::bind("10.0.0.2:0".parse().unwrap()).unwrap();
        let (mut polls, mut given_up) = (rounds(usize::MAX), 0);
        for i in 0..100u8 {
            let mut to = [0; 100];
            let began = Instant::now();
            'asked: loop {
                assert!(began.elapsed() < PATIENCE);
                socket.send_to(&[i; 50], at(7)).unwrap();
                for _ in 0..20 {
                    match polled(polls.next().unwrap(), socket.recv_from(&mut to)).await {
                        Some(got) if to[0] == i => {
                            assert_eq!(got.unwrap(), (50, at(7)));
                            assert_eq!(to[..50], [i; 50]);
                            break 'asked;
                        }
                        Some(late) => drop(late.unwrap()), // the answer to a question that was asked twice
                        None => given_up += 1,
                    }
                }
            }
        }
        assert!(given_up > 10, "{given_up}");
    });
}

#[test]
fn timers_and_tasks() {
    dropped("timers", |_| async {
        let count = Rc::new(Cell::new(0));
        for polls in rounds(200) {
            let _ = polled(polls, rt::sleep(Duration::from_micros(u64::from(polls) * 300))).await;
            let _ = polled(polls, rt::timeout(Duration::from_secs(3600), std::future::pending::<()>())).await;
            let counted = count.clone();
            let task = rt::spawn_local(async move {
                rt::yield_now().await;
                rt::sleep(Duration::from_micros(500)).await;
                counted.set(counted.get() + 1);
                7
            });
            assert!(polled(polls, task).await.is_none_or(|out| out == 7));
        }
        let began = Instant::now();
        while count.get() < 200 && began.elapsed() < PATIENCE {
            rt::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(count.get(), 200, "a task whose handle was dropped did not go on");
    });
}

/// Handles of other threads: their futures know nothing of the loop that does the work.
#[test]
fn streams_of_other_threads() {
    dropped("other-thread", |server| async move {
        let here = rt::handle();
        let (over, waits) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            tokio.block_on(async move {
                other_thread(&server, &here).await;
                over.send(()).unwrap();
            });
        });
        waits.await.expect("the other thread came to its end");
        thread.join().unwrap();
    });
}

async fn polled_elsewhere<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    let counted = poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(out) => Poll::Ready(Some(out)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    tokio::time::timeout(Duration::from_millis(20), counted).await.ok().flatten()
}

async fn other_thread(server: &rt::Handle, client: &rt::Handle) {
    for polls in rounds(40) {
        drop(polled_elsewhere(polls, SendStream::connect(client, at(7))).await);
        drop(polled_elsewhere(polls, SendListener::bind(server, at(20))).await);
    }
    let began = Instant::now();
    let listener = loop {
        match SendListener::bind(server, at(20)).await {
            Ok(listener) => break listener,
            Err(e) => assert!(began.elapsed() < PATIENCE, "a listener that was given up is still there: {e}"),
        }
    };
    for polls in rounds(40) {
        let mut stream = SendStream::connect(client, at(20)).await.unwrap();
        let there = match polled_elsewhere(polls, listener.accept()).await {
            Some(there) => there.unwrap(),
            None => listener.accept().await.unwrap(),
        };
        stream.write_all(b"hello").await.unwrap();
        let mut got = Vec::new();
        while got.len() < 5 {
            if let Some(part) = polled_elsewhere(polls.max(1), there.recv()).await {
                got.extend_from_slice(&part.unwrap().unwrap());
            }
        }
        assert_eq!(got, b"hello");
    }
}
