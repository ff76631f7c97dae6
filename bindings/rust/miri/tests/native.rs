//! The native loop: what it hands out, kept, cut and let go by many threads while it turns.
#![cfg(miri)]

use std::sync::mpsc::{channel, Receiver};
use std::thread;

use bytes::Bytes;
use iip::{Config, Conn, Engine, Error, EventKind, Loop, Opt, Post, Region, RxBuf, Wait};
use iip_miri as _;

struct Side {
    l: Loop,
    engine: Engine,
}

fn side(port: &str, address: &str) -> Side {
    let engine = Config::new(port).address(address).open().unwrap();
    Side { l: engine.attach(0).unwrap(), engine }
}

/// Turns both sides; what they bring is given to `f`, with the number of the side.
fn until(sides: [&mut Side; 2], mut f: impl FnMut(usize, EventKind, Conn, u64, Option<RxBuf>) -> bool) {
    for _ in 0..1000 {
        for i in 0..2 {
            let batch = sides[i].l.turn(Wait::No).unwrap();
            let mut done = false;
            for event in batch {
                let (kind, conn, user) = (event.kind(), event.conn(), event.user());
                done |= f(i, kind, conn, user, event.take());
            }
            if done {
                return;
            }
        }
    }
    panic!("it did not come");
}

/// Server, client, and the connection at each.
fn connected(port: &str) -> (Side, Side, Conn, Conn) {
    let (mut server, mut client) = (side(port, "10.0.0.1/24"), side(port, "10.0.0.2/24"));
    server.l.listen("10.0.0.1:7".parse().unwrap(), 0).unwrap();
    let here = client.l.connect("10.0.0.1:7".parse().unwrap(), 0).unwrap();
    let mut there = None;
    until([&mut server, &mut client], |_, kind, conn, _, _| {
        there = there.or((kind == EventKind::Accept).then_some(conn));
        kind == EventKind::Connected
    });
    (server, client, there.unwrap(), here)
}

fn received(server: &mut Side, client: &mut Side) -> RxBuf {
    let mut got = None;
    until([server, client], |_, _, _, _, buf| {
        got = got.take().or(buf);
        got.is_some()
    });
    got.unwrap()
}

fn at_rest(side: &mut Side) {
    for _ in 0..2 {
        side.l.turn(Wait::No).map(drop).unwrap();
    }
    let stats = side.l.stats().unwrap();
    assert_eq!((stats.bufs_held, stats.stale_handles), (0, 0));
}

/// A thread that looks at what it is given, in every form that a buffer may take, and lets it go.
fn keeper(pieces: Receiver<RxBuf>) {
    let mut kept = Vec::new();
    for (i, buf) in pieces.into_iter().enumerate() {
        assert!(buf.iter().all(|&b| b == buf[0]));
        match i % 4 {
            0 => kept.push(Bytes::from(buf.slice(1..)).slice(..1)),
            1 => drop(buf.clone()),
            2 => kept.push(Bytes::from(buf)),
            _ => kept.clear(),
        }
    }
    assert!(kept.iter().all(|b| b.iter().all(|&x| x == b[0])));
}

#[test]
fn other_threads_let_go_while_the_loop_takes() {
    let (mut server, mut client, _, here) = connected("pair:storm");
    let (keepers, gives): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let (give, take) = channel();
            (thread::spawn(move || keeper(take)), give)
        })
        .unzip();
    let (mut sent, mut got) = (0, 0u32);
    while got < 30 {
        if sent < 30 && client.l.send_copy(here, &[sent as u8; 20]).is_ok() {
            sent += 1;
        }
        let batch = client.l.turn(Wait::No).unwrap();
        if batch.short().is_some() {
            sent -= 1;
        }
        drop(batch);
        for event in server.l.turn(Wait::No).unwrap() {
            let Some(buf) = event.take() else { continue };
            gives[got as usize % 3].send(buf.clone()).unwrap();
            gives[(got as usize + 1) % 3].send(buf).unwrap();
            got += 1;
        }
    }
    drop(gives);
    keepers.into_iter().for_each(|k| k.join().unwrap());
    at_rest(&mut server);
    at_rest(&mut client);
}

#[test]
fn what_is_read_in_place_is_gone_with_its_batch() {
    let (mut server, mut client, there, here) = connected("pair:place");
    for i in 0..5u8 {
        let mut buf = client.l.tx_buf().unwrap();
        buf.extend_from_slice(&[i; 30]);
        buf.resize(40);
        buf[39] = i;
        client.l.send(here, buf).unwrap();
        client.l.turn(Wait::No).map(drop).unwrap();
        let batch = server.l.turn(Wait::No).unwrap();
        let queue = batch.queue();
        for event in batch {
            assert!(event.ends().is_none() || event.kind() == EventKind::Accept);
            if event.kind() == EventKind::Data {
                assert_eq!((event.data()[0], event.data()[39]), (i, i));
                queue.send_copy(there, &event.data()[..3]).unwrap();
                if let Some(buf) = event.take() {
                    queue.send(there, buf.slice(..2)).unwrap();
                    queue.send_last(Conn::from_raw(1), buf).unwrap(); // comes back as short
                }
            }
        }
        while let Some(short) = server.l.turn(Wait::No).unwrap().short() {
            assert!(short.rest.is_some());
        }
        let mut back = 0;
        until([&mut server, &mut client], |_, _, _, _, buf| {
            back += buf.map_or(0, |b| b.len());
            back == 5
        });
    }
    at_rest(&mut server);
}

#[test]
fn what_is_not_taken_comes_back_whole() {
    let (mut server, mut client, _, here) = connected("pair:short");
    client.l.set(here, Opt::SendBuffer, 100).unwrap();
    let mut all = Vec::new();
    for i in 0..3u8 {
        let mut buf = client.l.tx_buf().unwrap();
        buf.extend_from_slice(&[i; 60]);
        all.extend_from_slice(&buf);
        client.l.send(here, buf).unwrap();
    }
    let batch = client.l.turn(Wait::No).unwrap();
    let mut rest = Vec::new();
    while let Some(short) = batch.short() {
        rest.push(short.rest.unwrap());
    }
    drop(batch);
    assert_eq!(rest.iter().map(|r| r.len()).sum::<usize>(), 80);
    let taken = thread::spawn(move || rest.iter().flat_map(|r| r.to_vec()).collect::<Vec<u8>>()).join().unwrap();
    assert!(all.ends_with(&taken));
    until([&mut server, &mut client], |_, kind, _, _, _| kind == EventKind::Writable);
    at_rest(&mut client);
}

#[test]
fn buffers_outlive_their_loop_and_close_the_engine() {
    let (mut server, mut client, _, here) = connected("pair:outlive");
    client.l.send_copy(here, b"hello, world").unwrap();
    let buf = received(&mut server, &mut client);
    let mut room = server.l.tx_buf().unwrap();
    let Side { l, engine } = server;
    drop((l, engine));
    let reader = thread::spawn({
        let word = Bytes::from(buf.slice(7..));
        move || assert_eq!(&word[..], b"world")
    });
    let writer = thread::spawn(move || assert_eq!(room.extend_from_slice(b"nobody's"), 8));
    assert_eq!(&buf[..5], b"hello");
    reader.join().unwrap();
    writer.join().unwrap();
    drop(client);
    thread::spawn(move || drop(buf)).join().unwrap(); // the last of the engine
}

#[test]
fn a_loop_moves_between_threads_with_work_undone() {
    let (mut server, client, _, here) = connected("pair:move");
    let Side { mut l, engine } = client;
    for _ in 0..3 {
        let mut buf = l.tx_buf().unwrap();
        buf.extend_from_slice(b"never sent");
        l.send(here, buf).unwrap();
        let next = engine.clone();
        let kept = l.tx_buf().unwrap();
        drop(l);
        let elsewhere = thread::spawn(move || {
            let mut there = next.attach(0).unwrap();
            assert!(next.attach(0).is_err());
            there.send_copy(here, b"sent").unwrap();
            there.turn(Wait::No).map(drop).unwrap();
            let empty = there.tx_buf().unwrap();
            drop(there);
            drop((empty, kept));
        });
        elsewhere.join().unwrap();
        l = engine.attach(0).unwrap();
    }
    let mut client = Side { l, engine };
    assert_eq!(&received(&mut server, &mut client)[..], b"sent");
    at_rest(&mut client);
}

#[test]
fn what_is_forgotten_leaks_and_never_dangles() {
    let (mut server, mut client, _, here) = connected("pair:forget");
    client.l.send_copy(here, b"forgotten").unwrap();
    client.l.turn(Wait::No).map(drop).unwrap();
    std::mem::forget(server.l.turn(Wait::No).unwrap());
    client.l.send_copy(here, b"event").unwrap();
    client.l.turn(Wait::No).map(drop).unwrap();
    server.l.turn(Wait::No).unwrap().for_each(std::mem::forget);
    client.l.send_copy(here, b"kept").unwrap();
    let kept = received(&mut server, &mut client);
    assert_eq!((&kept[..], server.l.stats().unwrap().bufs_held), (&b"kept"[..], 3));
    drop(kept);
    server.l.turn(Wait::No).map(drop).unwrap();
    assert_eq!(server.l.stats().unwrap().bufs_held, 2);
}

#[test]
fn registered_memory_stays_where_it_is() {
    let (mut server, mut client, _, here) = connected("pair:region");
    let inside = Region::register(&client.engine, [7u8; 16]).unwrap(); // its bytes lie in the box itself
    let outside = Region::register(&client.engine, vec![8u8; 16]).unwrap();
    for (region, user) in [(&inside, 70), (&outside, 80)] {
        client.l.send_region(here, region, 4..12, user).unwrap();
    }
    assert_eq!((inside.bytes()[15], outside.bytes()[15]), (7, 8));
    let elsewhere = inside.clone();
    thread::spawn(move || assert_eq!(elsewhere.bytes()[0], 7)).join().unwrap();
    drop((inside, outside));
    let mut done = Vec::new();
    until([&mut server, &mut client], |_, kind, _, user, buf| {
        assert!(buf.is_none_or(|b| b.len() == 8));
        done.extend((kind == EventKind::TxDone).then_some(user));
        done.len() == 2
    });
    assert_eq!(done, [70, 80]);
}

#[test]
fn posts_and_wakes_reach_a_loop_that_sleeps() {
    let mut side = side("pair:wake", "10.0.0.1/24");
    let remote = side.l.remote();
    let poster = thread::spawn(move || {
        remote.wake().unwrap();
        remote.post(Post::Abort(Conn::from_raw(1)), 5, false)
    });
    loop {
        if let Some(done) = side.l.turn(Wait::Forever).unwrap().find(|e| e.kind() == EventKind::Done) {
            assert_eq!((done.user(), done.error()), (5, Some(Error::STALE)));
            break;
        }
    }
    poster.join().unwrap().unwrap();
}
