//! Two engines on the two ends of one in-memory wire, turned by one thread.
#![allow(dead_code)]

pub mod echo;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use iip::{Config, Conn, Engine, EventKind, Loop, RxBuf, Wait};

pub const SERVER: &str = "10.0.0.1";
/// What a wire lost comes after timeouts that double, and the machine may have more to do.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until there is an answer.
pub fn patiently<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
    }
    panic!("{what}");
}

pub struct Side {
    pub l: Loop,
    pub engine: Engine,
}

pub fn side(config: &Config) -> Side {
    let engine = config.open().expect("an engine");
    Side { l: engine.attach(0).expect("a loop"), engine }
}

/// (server, client) on this port.
pub fn sides(port: &str) -> (Side, Side) {
    let server = side(&Config::new(port).address("10.0.0.1/24"));
    let client = side(&Config::new(port).address("10.0.0.2/24"));
    (server, client)
}

pub fn at(port: u16) -> SocketAddr {
    format!("{SERVER}:{port}").parse().unwrap()
}

/// What came up, with the bytes owned.
pub struct Seen {
    pub kind: EventKind,
    pub conn: Conn,
    pub user: u64,
    pub error: Option<iip::Error>,
    pub buf: Option<RxBuf>,
}

pub fn turn(side: &mut Side) -> Vec<Seen> {
    let batch = side.l.turn(Wait::No).expect("a turn");
    batch
        .map(|e| Seen { kind: e.kind(), conn: e.conn(), user: e.user(), error: e.error(), buf: e.take() })
        .filter(|seen| seen.kind != EventKind::Link)
        .collect()
}

/// Turns both until one of them brings an event of this kind; everything before it is dropped.
pub fn until(a: &mut Side, b: &mut Side, kind: EventKind) -> Seen {
    patiently(&format!("no event {kind:?} came"), || {
        [&mut *a, &mut *b].into_iter().find_map(|side| turn(side).into_iter().find(|seen| seen.kind == kind))
    })
}

/// A connection from client to server: (its handle there, its handle here).
pub fn connect(server: &mut Side, client: &mut Side, port: u16) -> (Conn, Conn) {
    server.l.listen(at(port), 7).unwrap();
    client.l.connect(at(port), 9).unwrap();
    let (mut there, mut here) = (None, None);
    patiently("not connected", || {
        there = there.or(turn(server).into_iter().find(|s| s.kind == EventKind::Accept).map(|s| s.conn));
        here = here.or(turn(client).into_iter().find(|s| s.kind == EventKind::Connected).map(|s| s.conn));
        there.zip(here)
    })
}
