//! What a crossing costs, and a row of C's benchmarks for comparison (c/bench/loop.c, row pingpong):
//!
//! ```text
//! cargo run --release -p ffi-bench    (-- --json FILE: the rows as JSON, too)
//! valgrind --tool=callgrind --toggle-collect='*measured*' target/release/ffi-bench pingpong 3200
//! ```

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

use iip::{Config, Conn, EventKind, Loop, Wait};

const CONNS: usize = 32;

struct Talk {
    conn: Conn,
    request: u8,
}

fn open(side: u8) -> Loop {
    let (ours, other, mac) = if side == 1 { ("10.0.1.1/16", "10.0.0.1", 2) } else { ("10.0.0.1/16", "10.0.1.1", 1) };
    let config = Config::new(&format!("pair:bench,csum=off,mac=02:00:00:00:00:0{side}"))
        .address(ours)
        .neighbour(&format!("{other}=02:00:00:00:00:0{mac}"))
        .tunable("tcp.msl_us=1000")
        .seed(1)
        .key([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    config.open().expect("a pair").attach(0).expect("a loop")
}

/// Both ends, and a connection for each of `n` talkers; `user` of the client's is its index.
fn establish(n: usize) -> (Loop, Loop, Vec<Talk>) {
    let (mut client, mut server) = (open(1), open(2));
    for _ in 0..4 {
        client.turn(Wait::No).map(drop).expect("a turn");
        server.turn(Wait::No).map(drop).expect("a turn");
    }
    let at: SocketAddr = "10.0.0.1:80".parse().expect("an address");
    server.listen(at, 0).expect("a listener");
    let mut talks = Vec::new();
    for i in 0..n {
        let conn = client.connect(at, i as u64).expect("a connection");
        talks.push(Talk { conn, request: i as u8 });
    }
    let (mut connected, mut accepted) = (0, 0);
    while connected < n || accepted < n {
        connected += client.turn(Wait::No).expect("a turn").filter(|e| e.kind() == EventKind::Connected).count();
        accepted += server.turn(Wait::No).expect("a turn").filter(|e| e.kind() == EventKind::Accept).count();
    }
    (client, server, talks)
}

/// The same under a name of its own, so that callgrind can collect it without what comes before.
#[inline(never)]
fn measured(client: &mut Loop, server: &mut Loop, talks: &mut [Talk], units: u64) -> u64 {
    talk_for(client, server, talks, units)
}

/// Requests of one byte, answered by the byte behind it, until so many are done.
fn talk_for(client: &mut Loop, server: &mut Loop, talks: &mut [Talk], units: u64) -> u64 {
    let mut done = 0;
    while done < units {
        let batch = server.turn(Wait::No).expect("a turn");
        let queue = batch.queue();
        for event in batch {
            let byte = one_byte(event.data());
            queue.send_copy(event.conn(), &[byte.wrapping_add(1)]).expect("room");
        }
        let batch = client.turn(Wait::No).expect("a turn");
        assert!(batch.short().is_none(), "an operation fell short");
        let queue = batch.queue();
        for event in batch {
            let talk = &mut talks[event.user() as usize];
            assert_eq!(one_byte(event.data()), talk.request.wrapping_add(1), "a wrong reply");
            talk.request = talk.request.wrapping_mul(5).wrapping_add(3);
            queue.send_copy(talk.conn, &[talk.request]).expect("room");
            done += 1;
        }
    }
    done
}

fn one_byte(data: &[u8]) -> u8 {
    assert_eq!(data.len(), 1);
    data[0]
}

fn ping_pong(units: u64) {
    let (mut client, mut server, mut talks) = establish(CONNS);
    for talk in &talks {
        client.send_copy(talk.conn, &[talk.request]).expect("room");
    }
    talk_for(&mut client, &mut server, &mut talks, 20 * CONNS as u64);
    let done = measured(&mut client, &mut server, &mut talks, units);
    println!("{{\"row\": \"pingpong\", \"conns\": {CONNS}, \"units\": {done}}}");
}

/// Rows of the table: a name, and nanoseconds.
type Rows = Vec<(String, f64)>;

fn row(rows: &mut Rows, name: String, ns: f64) {
    println!("{name:<34} {ns:>9.1} ns");
    rows.push((name, ns));
}

/// The fastest of some runs, in nanoseconds for one of `n`.
fn best(rows: &mut Rows, name: &str, n: u64, mut f: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..15 {
        let began = Instant::now();
        for _ in 0..n {
            f();
        }
        best = best.min(began.elapsed().as_nanos() as f64 / n as f64);
    }
    row(rows, name.to_owned(), best);
}

/// Turns of the server that bring so many events: the client's sends are not counted.
fn turns_with(rows: &mut Rows, events: usize) {
    let (mut client, mut server, talks) = establish(events);
    let (mut fastest, mut view, mut sum) = (f64::MAX, f64::MAX, 0u64);
    for _ in 0..2000 {
        for talk in &talks {
            client.send_copy(talk.conn, b"x").expect("room");
        }
        client.turn(Wait::No).map(drop).expect("a turn");
        let began = Instant::now();
        let batch = server.turn(Wait::No).expect("a turn");
        let turned = began.elapsed();
        let n = batch.len();
        batch.for_each(|event| sum += u64::from(event.data()[0]));
        let read = began.elapsed() - turned;
        if n == events {
            fastest = fastest.min(turned.as_nanos() as f64);
            view = view.min(read.as_nanos() as f64 / n as f64);
        }
    }
    black_box(sum);
    row(rows, format!("turn with {events} event{}", if events == 1 { "" } else { "s" }), fastest);
    row(rows, format!("view and release, each of {events}"), view);
}

fn crossings() -> Rows {
    let mut rows = Rows::new();
    best(&mut rows, "nop (iip_abi_version)", 100_000, || {
        // SAFETY: takes nothing.
        black_box(unsafe { iip_sys::iip_abi_version() });
    });
    let mut l = open(1);
    best(&mut rows, "turn without events", 10_000, || l.turn(Wait::No).map(drop).expect("a turn"));
    drop(l);
    turns_with(&mut rows, 1);
    turns_with(&mut rows, 64);
    let (mut client, mut server, talks) = establish(1);
    client.send_copy(talks[0].conn, b"hello").expect("room");
    client.turn(Wait::No).map(drop).expect("a turn");
    let buf = server.turn(Wait::No).expect("a turn").find_map(|e| e.take()).expect("data");
    best(&mut rows, "RxBuf: clone and release", 500, || drop(black_box(buf.clone())));
    server.turn(Wait::No).map(drop).expect("a turn");
    rows
}

fn json(rows: &Rows) -> String {
    let object = |(name, ns): &(String, f64)| {
        format!("{{\"row\": \"{name}\", \"value\": {ns:.1}, \"unit\": \"ns\", \"ratio\": null, \"peer\": null}}")
    };
    format!("[\n  {}\n]\n", rows.iter().map(object).collect::<Vec<_>>().join(",\n  "))
}

fn usage(why: &str) -> ! {
    eprintln!("ffi-bench: {why}: give nothing, --json FILE, or pingpong [N]");
    std::process::exit(2)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => drop(crossings()),
        ["--json", file] => {
            if let Err(e) = std::fs::write(file, json(&crossings())) {
                usage(&format!("--json {file}: {e}"));
            }
        }
        ["pingpong"] => ping_pong(3200),
        ["pingpong", n] => ping_pong(n.parse().unwrap_or_else(|_| usage(n))),
        _ => usage(&args.join(" ")),
    }
}
