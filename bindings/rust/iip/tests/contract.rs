//! The contract that all bindings keep: stale and foreign handles, releases from everywhere, exhausted pools, close with
//! work in flight. What Rust refuses to compile (another thread's loop, a second release) is in `compile-fail`.

mod common;

use std::time::{Duration, Instant};

use common::{at, connect, patiently, side, sides, turn, until, Side};
use iip::{Config, Conn, Error, EventKind, Opt, Post, RxBuf};

fn echo(server: &mut Side, client: &mut Side, conn: Conn, bytes: &[u8]) {
    client.l.send_copy(conn, bytes).unwrap();
    let got = until(server, client, EventKind::Data);
    assert_eq!(&got.buf.unwrap()[..], bytes);
}

#[test]
fn handles_that_are_stale_or_of_another_loop_are_errors_and_nothing_else() {
    let (mut server, mut client) = sides("pair:contract-stale");
    let (there, here) = connect(&mut server, &mut client, 7);
    for wrong in [0, here.raw() + 1, 1 << 52, u64::MAX, there.raw()].map(Conn::from_raw) {
        client.l.shutdown(wrong).unwrap();
        client.l.abort(wrong).unwrap();
        client.l.send_copy(wrong, b"lost").unwrap();
        let buf = client.l.tx_buf().unwrap();
        client.l.send(wrong, buf).unwrap();
        let batch = client.l.turn(iip::Wait::No).unwrap();
        let mut shorts = 0;
        while let Some(short) = batch.short() {
            assert_eq!((short.error, short.obj), (Error::STALE, wrong.raw()));
            shorts += 1;
        }
        assert_eq!(shorts, 4, "{wrong:?}");
        drop(batch);
        client.l.remote().post(Post::Abort(wrong), 1, false).unwrap();
        assert_eq!(turn(&mut client)[0].error, Some(Error::STALE));
    }
    echo(&mut server, &mut client, here, b"and the connection lives");
}

fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

/// So many buffers at the server, each with the place of its first byte in the stream: what the client sends again, when
/// the ACK comes late, may be cut otherwise.
fn received(server: &mut Side, client: &mut Side, here: Conn, bufs: usize) -> Vec<(usize, RxBuf)> {
    let (mut sent, mut got, mut kept) = (0, 0, Vec::new());
    patiently("not all came", || {
        if sent == got && kept.len() < bufs {
            let bytes: Vec<u8> = (sent..sent + 1000).map(pattern).collect();
            client.l.send_copy(here, &bytes).unwrap();
            sent += 1000;
        }
        turn(client);
        for buf in turn(server).into_iter().filter_map(|seen| seen.buf) {
            let at = got;
            got += buf.len();
            kept.push((at, buf));
        }
        (sent == got && kept.len() >= bufs).then(|| std::mem::take(&mut kept))
    })
}

#[test]
fn releases_from_many_threads_give_each_buffer_back_once() {
    let (mut server, mut client) = sides("pair:contract-storm");
    let (_, here) = connect(&mut server, &mut client, 7);
    client.l.set(here, Opt::NoDelay, 1).unwrap();
    turn(&mut server);
    let before = server.l.stats().unwrap();
    let kept = received(&mut server, &mut client, here, 100);
    let shares: Vec<Vec<(usize, RxBuf)>> =
        (0..8).map(|_| kept.iter().flat_map(|(at, b)| [(*at, b.clone()), (*at + 1, b.slice(1..))]).collect()).collect();
    let n = kept.len() as u64;
    assert_eq!(server.l.stats().unwrap().bufs_held, n);
    drop(kept);
    let start = std::sync::Arc::new(std::sync::Barrier::new(shares.len()));
    let threads: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let start = start.clone();
            std::thread::spawn(move || {
                start.wait();
                for (at, buf) in share {
                    assert!((at..).zip(buf.iter()).all(|(at, &b)| b == pattern(at)), "at {at}");
                }
            })
        })
        .collect();
    while !threads.iter().all(|t| t.is_finished()) {
        turn(&mut server);
    }
    threads.into_iter().for_each(|t| t.join().unwrap());
    turn(&mut server);
    turn(&mut server);
    let after = server.l.stats().unwrap();
    assert_eq!((after.bufs_held, after.stale_handles), (0, before.stale_handles));
    assert_eq!(after.frames_free, before.frames_free);
    assert!(after.foreign_releases - before.foreign_releases >= n);
}

#[test]
fn a_pool_whose_buffers_are_all_kept_stops_the_stream_and_loses_nothing() {
    let port = "pair:contract-pool";
    let open = |address: &str| side(&Config::new(port).address(address).frames(256).spill_bytes(1 << 16));
    let (mut server, mut client) = (open("10.0.0.1/24"), open("10.0.0.2/24"));
    let (_, here) = connect(&mut server, &mut client, 7);
    let (mut sent, mut got, mut kept) = (0u32, 0u32, Vec::new());
    let check = |buf: &RxBuf, got: &mut u32| {
        for &byte in buf.iter() {
            assert_eq!(byte, (*got % 251) as u8, "at {got}");
            *got += 1;
        }
    };
    let (mut stops, mut last) = (0, Instant::now());
    while got < 2_000_000 {
        let bytes: Vec<u8> = (sent..sent + 10_000).map(|i| (i % 251) as u8).collect();
        client.l.send_copy(here, &bytes).unwrap();
        let batch = client.l.turn(iip::Wait::No).unwrap();
        sent += batch.short().map_or(10_000, |short| short.taken);
        drop(batch);
        for buf in turn(&mut server).into_iter().filter_map(|s| s.buf) {
            check(&buf, &mut got);
            kept.push(buf);
            last = Instant::now();
        }
        if last.elapsed() > Duration::from_millis(50) && !kept.is_empty() {
            stops += 1;
            kept.clear();
        }
        assert!(last.elapsed() < Duration::from_secs(60), "nothing comes although no buffer is kept");
    }
    assert!(stops > 1, "the stream was never stopped");
}

#[test]
fn a_close_with_work_in_flight_tells_and_leaves_nothing() {
    let (mut server, mut client) = sides("pair:contract-close");
    let (_, here) = connect(&mut server, &mut client, 7);
    for _ in 0..20 {
        client.l.send_copy(here, &[1; 1000]).unwrap();
    }
    client.l.timer_after(1_000_000_000, 5).unwrap();
    client.l.close().unwrap();
    let seen = turn(&mut client);
    assert!(
        seen.iter().any(|s| s.kind == EventKind::Closed && s.error == Some(Error::ABORTED)),
        "the end was not told"
    );
    assert!(until(&mut server, &mut client, EventKind::Closed).error == Some(Error::RESET));
    client.l.send_copy(here, b"too late").unwrap();
    turn(&mut client);
    drop(client.l);
    let leaks = client.engine.close().unwrap();
    assert_eq!([leaks.bufs, leaks.conns, leaks.timers, leaks.externs], [0; 4], "{leaks:?}");
    drop(server.l);
    server.engine.close().unwrap();
    assert_eq!(at(7).port(), 7);
}
