//! Loops whose networking has a thread of its own; what a simulated wire can be told; the log.

mod common;

use std::time::Duration;

use common::{at, connect, side, sides, turn, until, Side};
use iip::{Config, Conn, Cores, Error, EventKind, Networker, Opt, Wait};

fn other(port: &str, cores: Cores, address: &str) -> Side {
    side(&Config::new(port).address(address).cores(cores))
}

/// 100 requests of growing size, each looked at; both ends with a networking thread.
fn echo_in(cores: Cores, port: &str) {
    let (mut server, mut client) = (other(port, cores, "10.0.0.1/24"), other(port, cores, "10.0.0.2/24"));
    let net = [&server, &client].map(|side| Networker::start(&side.engine, 0, None).unwrap());
    let (there, here) = connect(&mut server, &mut client, 7);
    for size in 1..=100u8 {
        let bytes: Vec<u8> = (0..size).collect();
        client.l.send_copy(here, &bytes).unwrap();
        let got = until(&mut server, &mut client, EventKind::Data).buf.unwrap();
        assert_eq!(&got[..], &bytes);
        server.l.send(there, got).unwrap();
        let back = until(&mut client, &mut server, EventKind::Data).buf.unwrap();
        assert_eq!(&back[..], &bytes);
    }
    drop(net);
    // Alone again, it goes on as a unified loop.
    client.l.send_copy(here, b"alone").unwrap();
    assert_eq!(&until(&mut server, &mut client, EventKind::Data).buf.unwrap()[..], b"alone");
}

#[test]
fn an_echo_with_split_cores() {
    echo_in(Cores::Split, "pair:models-split");
}

#[test]
fn an_echo_with_merged_cores() {
    echo_in(Cores::Merge, "pair:models-merge");
}

#[test]
fn networking_is_refused_where_it_makes_no_sense() {
    let unified = side(&Config::new("pair:models-unified").address("10.0.0.1/24"));
    let mut net = unified.engine.networking(0).unwrap();
    assert_eq!(net.turn(Some(Duration::ZERO)), Err(Error::BUSY), "this thread has the loop");
    assert_eq!(unified.engine.networking(1).unwrap_err(), Error::NOT_FOUND);
    let engine = unified.engine.clone();
    let e = std::thread::spawn(move || engine.networking(0).unwrap().turn(None).unwrap_err()).join().unwrap();
    assert_eq!(e.name(), "IIP_E_NOT_SUPPORTED");
    let split = other("pair:models-two", Cores::Split, "10.0.0.1/24");
    let net = Networker::start(&split.engine, 0, None).unwrap();
    let second = Networker::start(&split.engine, 0, None).unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::ResourceBusy);
    drop(net);
}

#[test]
fn a_wire_that_is_told_what_to_do() {
    let (mut server, mut client) = sides("sim:models-sim,clock=virtual");
    let (_, here) = connect(&mut server, &mut client, 7);
    assert_eq!(client.l.conns().unwrap(), [here]);
    let remote = client.l.remote();
    assert_eq!(std::thread::spawn(move || remote.conns().unwrap()).join().unwrap(), [here]);
    client.l.set(here, Opt::Ttl, 9).unwrap();
    turn(&mut client);
    assert_eq!(client.l.get(here, Opt::Ttl), Ok(9));
    assert_eq!(client.l.get(Conn::from_raw(3), Opt::Ttl), Err(Error::STALE));
    let before = client.l.stats().unwrap().rx_packets;
    client.engine.inject(&[0xff; 60]).unwrap();
    turn(&mut client);
    assert_eq!(client.l.stats().unwrap().rx_packets, before + 1);
    assert_eq!(client.engine.inject(&[]), Err(Error::INVAL));
    client.engine.set_mtu(1000).unwrap();
    let kinds: Vec<_> = client.l.turn(Wait::No).unwrap().map(|e| e.kind()).collect();
    assert!(kinds.contains(&EventKind::Link), "{kinds:?}");
    let now = client.engine.advance(Duration::from_millis(5)).unwrap();
    assert_eq!(client.l.clock_us().unwrap(), now);
}

#[test]
fn the_library_tells_what_it_has() {
    assert!(iip::features().iter().all(|f| iip::probe(f)));
    assert!(iip::port_kinds().contains(&"pair"));
    let engine = Config::new("pair:models-log").address("10.0.0.1/24").log_level(4).open().unwrap();
    while let Some(record) = engine.log() {
        assert!(!record.text.is_empty());
    }
    assert_eq!(at(1).port(), 1);
}
