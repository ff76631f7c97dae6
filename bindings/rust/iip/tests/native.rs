//! The native loop: an echo, and who owns what.

mod common;

use common::{at, connect, patiently, side, sides, turn, until, Side};
use iip::{Config, Conn, Error, EventKind, Opt, Post, Region, Wait};

/// Sends `bytes` as an echo client would, and reads them back: `sent` behind `taken`, in order.
fn echo(server: &mut Side, client: &mut Side, conn: Conn, bytes: &[u8]) -> Vec<u8> {
    let (mut at, mut blocked, mut back) = (0, false, Vec::new());
    patiently("not all came back", || {
        while at < bytes.len() && !blocked {
            let Some(mut buf) = client.l.tx_buf() else { break };
            at += buf.extend_from_slice(&bytes[at..]);
            client.l.send(conn, buf).expect("room");
            blocked = client.l.room() < 200; // a few at a time
        }
        let batch = client.l.turn(Wait::No).unwrap();
        while let Some(short) = batch.short() {
            at -= short.rest.as_ref().map_or(0, |r| r.len()); // offered again from the source
        }
        for event in batch {
            back.extend_from_slice(event.data());
        }
        blocked = false;
        serve(server);
        (back.len() == bytes.len()).then(|| std::mem::take(&mut back))
    })
}

/// An echo by copies, that holds nothing.
fn serve(server: &mut Side) {
    let batch = server.l.turn(Wait::No).unwrap();
    let queue = batch.queue();
    assert!(batch.short().is_none(), "the server's send queue is full");
    for event in batch {
        if event.kind() == EventKind::Data {
            queue.send_copy(event.conn(), event.data()).expect("room");
        }
    }
}

#[test]
fn an_echo_over_a_pair() {
    let (mut server, mut client) = sides("pair:native-echo");
    let (_, conn) = connect(&mut server, &mut client, 7);
    let bytes: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
    for part in [1usize, 2, 1447, 1448, 1449, 20_000] {
        assert_eq!(echo(&mut server, &mut client, conn, &bytes[..part]), &bytes[..part]);
    }
}

#[test]
fn an_echo_over_a_wire_that_loses() {
    let (mut server, mut client) = sides("sim:native-loss,seed=7,loss=2%,dup=1%,reorder=3%,delay=100us");
    let (_, conn) = connect(&mut server, &mut client, 7);
    let bytes: Vec<u8> = (0..20_000u32).flat_map(u32::to_le_bytes).collect();
    for _ in 0..5 {
        assert_eq!(echo(&mut server, &mut client, conn, &bytes[..30_000]), &bytes[..30_000]);
    }
}

#[test]
fn buffers_outlive_everything_and_go_home_from_anywhere() {
    let (mut server, mut client) = sides("pair:native-bufs");
    let (_, conn) = connect(&mut server, &mut client, 7);
    client.l.send_copy(conn, b"hello, world").unwrap();
    let buf = until(&mut server, &mut client, EventKind::Data).buf.unwrap();
    let word = buf.slice(7..);
    let twice = word.clone();
    assert_eq!((&buf[..], &word[..], &twice[..]), (&b"hello, world"[..], &b"world"[..], &b"world"[..]));
    assert_eq!(server.l.stats().unwrap().bufs_held, 1);
    std::thread::spawn(move || drop((buf, twice))).join().unwrap();
    turn(&mut server);
    assert_eq!(server.l.stats().unwrap().bufs_held, 1, "one reference is left");
    let Side { l, engine } = server;
    drop(l);
    let engine = engine.close().expect_err("a buffer lives");
    drop(engine);
    assert_eq!(&word[..], b"world", "the engine lives as long as its buffers");
    drop(word);
    drop(client);
}

#[test]
fn a_close_tells_what_is_missing() {
    let Side { l, engine } = side(&Config::new("pair:native-close").address("10.0.0.1/24"));
    let kept = l.tx_buf().unwrap();
    l.timer_after(1_000_000, 0).unwrap();
    drop(l);
    let engine = engine.close().expect_err("a buffer lives");
    drop(kept);
    let leaks = engine.close().expect("nothing else lives");
    assert_eq!((leaks.bufs, leaks.timers, leaks.regions), (0, 1, 0));
}

#[test]
fn a_slice_is_sent_without_a_copy() {
    let (mut server, mut client) = sides("pair:native-slice");
    let (there, here) = connect(&mut server, &mut client, 7);
    client.l.send_copy(here, b"0123456789").unwrap();
    let buf = until(&mut server, &mut client, EventKind::Data).buf.unwrap();
    server.l.send(there, buf.slice(3..7)).unwrap();
    let answer = until(&mut client, &mut server, EventKind::Data).buf.unwrap();
    assert_eq!(&answer[..], b"3456");
    assert_eq!(&buf[..], b"0123456789", "what is shared does not change");
}

#[test]
fn what_a_full_queue_does_not_take_comes_back() {
    let (mut server, mut client) = sides("pair:native-full");
    let (_, here) = connect(&mut server, &mut client, 7);
    client.l.set(here, Opt::SendBuffer, 4096).unwrap();
    turn(&mut client);
    let mut sent = Vec::new();
    for i in 0..8u8 {
        let mut buf = client.l.tx_buf().unwrap();
        let room = buf.capacity();
        buf.resize(room);
        buf.fill(i);
        sent.extend_from_slice(&buf);
        client.l.send(here, buf).unwrap();
    }
    let mut rest = Vec::new();
    let batch = client.l.turn(Wait::No).unwrap();
    while let Some(short) = batch.short() {
        assert_eq!((short.error, short.obj), (Error::AGAIN, here.raw()));
        rest.extend_from_slice(&short.rest.expect("the rest of the buffer"));
    }
    drop(batch);
    assert!(!rest.is_empty() && sent.ends_with(&rest), "{} of {}", rest.len(), sent.len());
    turn(&mut client);
    until(&mut server, &mut client, EventKind::Writable);
}

#[test]
fn a_buffer_of_another_loop_is_refused_and_given_back() {
    let (mut server, mut client) = sides("pair:native-foreign");
    let (_, here) = connect(&mut server, &mut client, 7);
    let foreign = server.l.tx_buf().unwrap();
    let refused = client.l.send(here, foreign).unwrap_err();
    assert_eq!(refused.error, Error::STALE);
    drop(refused);
    for _ in 0..3 {
        turn(&mut server);
    }
    assert_eq!(server.l.stats().unwrap().bufs_held, 0);
    assert_eq!(server.l.stats().unwrap().stale_handles, 0);
}

#[test]
fn stale_handles_are_errors() {
    let mut side = side(&Config::new("pair:native-stale").address("10.0.0.1/24"));
    let nobody = Conn::from_raw(12345);
    assert_eq!(side.l.conn_info(nobody).unwrap_err(), Error::STALE);
    side.l.close_conn(nobody).unwrap();
    let batch = side.l.turn(Wait::No).unwrap();
    let short = batch.short().expect("the operation failed");
    assert_eq!((short.error, short.obj), (Error::STALE, 12345));
    assert!(batch.short().is_none());
    let timer = { batch.queue().timer_after(1, 0).unwrap() };
    drop(batch);
    side.l.cancel(timer).unwrap();
    assert_eq!(side.l.cancel(timer), Err(Error::STALE));
}

#[test]
fn a_loop_has_one_owner() {
    let Side { l, engine } = side(&Config::new("pair:native-owner").address("10.0.0.1/24"));
    assert_eq!(engine.attach(0).unwrap_err(), Error::BUSY);
    assert_eq!(engine.attach(1).unwrap_err(), Error::NOT_FOUND);
    let other = engine.clone();
    std::thread::spawn(move || assert_eq!(other.attach(0).unwrap_err(), Error::BUSY)).join().unwrap();
    drop(l);
    std::thread::spawn(move || engine.attach(0).unwrap().turn(Wait::No).map(drop).unwrap()).join().unwrap();
}

#[test]
fn an_empty_buffer_that_no_turn_declared_is_not_handed_out_twice() {
    let Side { l, engine } = side(&Config::new("pair:native-undeclared").address("10.0.0.1/24").tx_free_cap(4));
    let mut l = l;
    l.turn(Wait::No).map(drop).unwrap();
    let mut first = l.tx_buf().unwrap();
    let stray = l.tx_buf().unwrap();
    first.extend_from_slice(b"mine");
    drop(l); // no turn has heard of it
    std::thread::spawn(move || drop(stray)).join().unwrap();
    let mut l = engine.attach(0).unwrap();
    let mut others = Vec::new();
    for _ in 0..3 {
        l.turn(Wait::No).map(drop).unwrap();
        for _ in 0..6 {
            let mut buf = l.tx_buf().unwrap();
            buf.extend_from_slice(b"theirs");
            others.push(buf);
        }
    }
    assert_eq!(&first[..], b"mine");
    drop((first, others));
    l.turn(Wait::No).map(drop).unwrap();
    l.turn(Wait::No).map(drop).unwrap();
    assert_eq!(l.stats().unwrap().bufs_held, 0);
}

#[test]
fn registered_memory_lives_until_it_is_done_with() {
    struct Told(Vec<u8>, std::sync::Arc<std::sync::atomic::AtomicBool>);
    impl AsRef<[u8]> for Told {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Told {
        fn drop(&mut self) {
            self.1.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let (mut server, mut client) = sides("pair:native-region");
    let (_, here) = connect(&mut server, &mut client, 7);
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_gone = || gone.load(std::sync::atomic::Ordering::SeqCst);
    let region = Region::register(&client.engine, Told(vec![42; 1000], gone.clone())).unwrap();
    assert_eq!(client.l.send_region(here, &region, 0..0, 0), Err(Error::INVAL));
    assert_eq!(client.l.send_region(here, &region, 1..1001, 0), Err(Error::INVAL));
    client.l.send_region(here, &region, 100..200, 77).unwrap();
    drop(region);
    assert!(!is_gone());
    let got = until(&mut server, &mut client, EventKind::Data).buf.unwrap();
    assert_eq!(&got[..], &[42; 100]);
    drop(got);
    let done = until(&mut client, &mut server, EventKind::TxDone);
    assert_eq!(done.user, 77);
    assert!(is_gone(), "the last share went with TX_DONE");
    // A loop that is forgotten with bytes on their way keeps them for ever.
    gone.store(false, std::sync::atomic::Ordering::SeqCst);
    let region = Region::register(&client.engine, Told(vec![42; 1000], gone.clone())).unwrap();
    client.l.send_region(here, &region, 0..1000, 78).unwrap();
    turn(&mut client);
    drop(region);
    std::mem::forget(client);
    assert!(!is_gone());
    let got = until_one(&mut server);
    assert_eq!(&got[..], &[42; 1000]);
}

fn until_one(side: &mut Side) -> Vec<u8> {
    patiently("nothing came", || turn(side).into_iter().find_map(|s| s.buf)).to_vec()
}

#[test]
fn registered_memory_outlives_a_loop_that_is_given_up() {
    let (mut server, mut client) = sides("pair:native-region-end");
    let (_, here) = connect(&mut server, &mut client, 7);
    let region = Region::register(&client.engine, vec![1; 5000]).unwrap();
    client.l.send_region(here, &region, 0..5000, 1).unwrap();
    turn(&mut client);
    let engine = client.engine.clone();
    drop((region, client));
    let leaks = engine.close().expect("nothing of it lives");
    assert_eq!((leaks.externs, leaks.regions), (1, 1), "it was still on its way, and kept");
}

#[test]
fn other_threads_post_and_wake() {
    let mut side = side(&Config::new("pair:native-post").address("10.0.0.1/24"));
    let remote = side.l.remote();
    let thread = std::thread::spawn(move || {
        remote.post(Post::Nop, 5, true).unwrap();
        remote.post(Post::Close(Conn::from_raw(99)), 6, false).unwrap();
        remote.wake().unwrap();
        remote.stats().unwrap();
    });
    thread.join().unwrap();
    let seen = turn(&mut side);
    assert_eq!(
        seen.iter().map(|s| (s.kind, s.user, s.error)).collect::<Vec<_>>(),
        [(EventKind::Done, 5, None), (EventKind::Done, 6, Some(Error::STALE))]
    );
}

#[test]
fn a_port_that_cannot_be_opened_says_why() {
    let e = Config::new("nosuch:x").open().unwrap_err();
    assert!(e.to_string().contains("nosuch"), "{e}");
    let e = Config::new("pair:x").address("10.0.0.300/24").open().unwrap_err();
    assert_eq!(e.error, Error::INVAL);
    assert!(e.to_string().contains("10.0.0.300"), "{e}");
    assert!(Config::new("pair:\0").open().unwrap_err().to_string().contains("zero byte"));
}

#[test]
fn a_pool_that_is_exhausted_gives_nothing_and_recovers() {
    let mut side = side(&Config::new("pair:native-pool").address("10.0.0.1/24"));
    let mut all = Vec::new();
    while let Some(buf) = side.l.tx_buf() {
        all.push(buf);
    }
    assert!(!all.is_empty());
    drop(all);
    turn(&mut side);
    turn(&mut side);
    assert!(side.l.tx_buf().is_some());
    assert_eq!(at(7).port(), 7);
}
