//! Many requests to a server of others, over a wire that loses, every body compared.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc;

use clap::Parser;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use iip::net::TcpStream;
use iip::rt::{self, Runtime, Worker};
use iip::{counter_names, Config, Engine};
use iip_stress::pages::{path, Pages};
use iip_stress::servers::{self, Stack};
use iip_stress::{Chance, Content};

/// Requests of one connection, before the next one is opened.
const EACH: u64 = 250;

/// Requests to a server of others, over a wire in memory that loses one packet in a hundred, in real time
#[derive(Parser)]
struct Options {
    /// Which: hyper or axum
    #[arg(long, value_parser = of_http)]
    stack: Stack,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    requests: u64,
    /// At a time
    #[arg(long, value_name = "N", default_value_t = 32)]
    connections: u64,
    /// Of the wire, and of the sizes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn of_http(name: &str) -> Result<Stack, String> {
    match name {
        "hyper" => Ok(Stack::Hyper),
        "axum" => Ok(Stack::Axum),
        _ => Err("hyper or axum".to_owned()),
    }
}

#[derive(Default)]
struct Tally {
    left: Cell<u64>,
    right: Cell<u64>,
    wrong: Cell<u64>,
    errors: Cell<u64>,
    connections: Cell<u64>,
    bytes: Cell<u64>,
}

fn add(to: &Cell<u64>, n: u64) {
    to.set(to.get() + n);
}

fn server_address() -> SocketAddr {
    "10.0.0.1:80".parse().expect("an address")
}

fn open(address: &str, options: &Options) -> Engine {
    let port = format!("sim:requests,clock=real,seed={},loss=1%", options.seed);
    Config::new(&port).address(address).open().unwrap_or_else(|e| panic!("{e}"))
}

type Failed = Box<dyn std::error::Error>;

/// One connection's share of the requests.
async fn talk(tally: &Tally, chance: &mut Chance) -> Result<(), Failed> {
    let stream = TcpStream::connect(server_address()).await?;
    stream.set_nodelay(true)?;
    add(&tally.connections, 1);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    rt::spawn_local(connection);
    for _ in 0..EACH {
        if tally.left.get() == 0 {
            break;
        }
        tally.left.set(tally.left.get() - 1);
        let n = if chance.below(100) == 0 { chance.below(200_000) } else { chance.below(4000) };
        let content = Content(chance.below(1 << 32));
        let request = hyper::Request::get(path(content, n)).header("host", "server").body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let right = status == 200 && body.len() as u64 == n && content.is(0, &body);
        add(if right { &tally.right } else { &tally.wrong }, 1);
        add(&tally.bytes, body.len() as u64);
    }
    Ok(())
}

async fn client(tally: Rc<Tally>, options: &Options) {
    let mut all = Vec::new();
    for i in 0..options.connections {
        let (tally, mut chance) = (tally.clone(), Chance::new(options.seed.wrapping_mul(10_007) + i));
        all.push(rt::spawn_local(async move {
            while tally.left.get() > 0 {
                if let Err(e) = talk(&tally, &mut chance).await {
                    add(&tally.errors, 1);
                    eprintln!("requests: {e}");
                }
            }
        }));
    }
    for one in all {
        one.await;
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let there = open("10.0.0.1/24", &options);
    let worker = Worker::start(&there, 0).expect("a loop");
    let (tell, told) = mpsc::channel();
    servers::start(options.stack, &worker, server_address(), Pages::default(), move || {
        tell.send(()).expect("we wait");
    });
    told.recv().expect("the server listens");
    let runtime = Runtime::new(open("10.0.0.2/24", &options).attach(0).expect("a loop"));
    let tally = Rc::new(Tally { left: Cell::new(options.requests), ..Tally::default() });
    runtime.block_on(client(tally.clone(), &options));
    let stats = runtime.with_loop(|l| l.stats()).expect("statistics");
    let counters = runtime.with_loop(|l| l.counters()).expect("counters");
    let retransmitted = counter_names().iter().position(|&name| name == "tcp_retrans").map_or(0, |at| counters[at]);
    println!(
        "requests: stack={:?} over=sim requests={} right={} wrong={} errors={} connections={} bytes={} lost={} \
         retransmits={retransmitted}",
        options.stack,
        options.requests,
        tally.right.get(),
        tally.wrong.get(),
        tally.errors.get(),
        tally.connections.get(),
        tally.bytes.get(),
        stats.wire_lost,
    );
    let good = tally.right.get() == options.requests && tally.wrong.get() + tally.errors.get() == 0;
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
