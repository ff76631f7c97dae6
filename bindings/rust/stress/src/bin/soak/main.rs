//! Many connections whose received buffers are kept, divided and dropped by other threads, for as long as one likes.
//!
//! Each byte is a function of its connection and offset, so whoever holds some can tell at any time whether they are
//! still the same. Connections open, end in order and break off at random; at the end both sides must have counted the
//! same, and nothing may be left.
#![forbid(unsafe_code)]

mod keeper;
mod talk;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use iip::net::{TcpListener, TcpStream};
use iip::rt::{self, Runtime};
use iip::{Config, Engine};
use iip_stress::Chance;

use keeper::{Kept, Piece};
use talk::{End, Plan};

const FRAMES: u32 = 1 << 15;
const KEEPERS: u64 = 3;
/// Connections that are opened at the same time.
const OPENING: usize = 64;
/// How long the last connections may take.
const GRACE: Duration = Duration::from_secs(300);

/// Buffers in many hands, over a wire in memory
#[derive(Clone, Parser)]
struct Options {
    /// How long
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u64,
    /// Connections at a time
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// Of what is random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long a segment may be on its way; longer where all is slow, as under a sanitizer
    #[arg(long, value_name = "MS", default_value_t = 500)]
    msl_ms: u64,
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Connects.
    Client,
    /// Accepts.
    Server,
}

/// What all threads count.
#[derive(Default)]
pub struct Tally {
    opened: AtomicU64,
    bytes: AtomicU64,
    stale: AtomicU64,
    errors: AtomicU64,
    /// By side, and by how it ended.
    ends: [[AtomicU64; 3]; 2],
}

impl Tally {
    fn ends(&self, side: Side, end: End) -> &AtomicU64 {
        &self.ends[side as usize][end as usize]
    }

    /// Something is not as it must be.
    pub fn error(&self, text: &str) {
        if self.errors.fetch_add(1, Ordering::Relaxed) < 20 {
            eprintln!("soak: {text}");
        }
    }

    /// Bytes that were kept have changed.
    pub fn stale(&self, content: &iip_stress::Content, at: u64) {
        if self.stale.fetch_add(1, Ordering::Relaxed) < 20 {
            eprintln!("soak: {content:?} at {at}: no longer what was received");
        }
    }

    /// So many bytes were received.
    pub fn got(&self, n: u64) {
        self.bytes.fetch_add(n, Ordering::Relaxed);
    }

    fn ended(&self, side: Side, end: std::io::Result<End>) {
        match end {
            Ok(end) => drop(self.ends(side, end).fetch_add(1, Ordering::Relaxed)),
            Err(e) => self.error(&format!("{side:?}: {e}")),
        }
    }

    /// Both sides must have seen the same.
    fn compare(&self) {
        let n = |side, end| self.ends(side, end).load(Ordering::Relaxed);
        let pairs = [(End::Whole, End::Whole), (End::Cut, End::Reset), (End::Reset, End::Cut)];
        for (here, there) in pairs {
            let (client, server) = (n(Side::Client, here), n(Side::Server, there));
            if client != server {
                self.error(&format!("{client} ended as {here:?} for the client, {server} as {there:?} for the server"));
            }
            if client == 0 {
                self.error(&format!("none ended as {here:?} for the client"));
            }
        }
        let all: u64 = pairs.iter().map(|pair| n(Side::Client, pair.0)).sum();
        let opened = self.opened.load(Ordering::Relaxed);
        if all != opened {
            self.error(&format!("{opened} were opened, {all} ended"));
        }
    }
}

/// What the tasks of one thread share with all others.
#[derive(Clone)]
pub struct World {
    /// What happened.
    pub tally: Arc<Tally>,
    /// What the keepers have.
    pub kept: Arc<Kept>,
    keepers: Vec<Sender<Piece>>,
    over: Arc<AtomicBool>,
}

impl World {
    /// Hands a piece to one of the keepers.
    pub fn give(&self, chance: &mut Chance, piece: Piece) {
        let to = chance.below(self.keepers.len() as u64) as usize;
        self.keepers[to].send(piece).expect("keepers live longer than connections");
    }
}

fn address() -> SocketAddr {
    "10.0.0.1:7".parse().expect("an address")
}

fn open(address: &str, options: &Options) -> Engine {
    let config = Config::new("pair:soak").address(address).frames(FRAMES).seed(options.seed);
    // So short that TIME-WAIT does not use up all ports, so long that a FIN that comes again is still answered.
    let msl = format!("tcp.msl_us={}", options.msl_ms * 1000);
    config.tunable(&msl).open().unwrap_or_else(|e| panic!("{e}"))
}

async fn serve(world: World, seed: u64, listening: Sender<()>) {
    let listener = TcpListener::bind(address()).expect("a listener");
    listening.send(()).expect("somebody waits");
    let mut n = 0;
    while let Ok(stream) = listener.accept().await {
        n += 1;
        let (world, chance) = (world.clone(), Chance::new(seed ^ (n << 1)));
        drop(rt::spawn_local(async move {
            let end = talk::server(&world, stream, chance).await;
            world.tally.ended(Side::Server, end);
        }));
    }
}

/// One connection after the other, until it is over.
async fn slot(world: World, options: Options, slot: u64) {
    let mut chance = Chance::new(options.seed.wrapping_mul(1_000_003) + slot);
    let mut id = slot << 32;
    rt::sleep(Duration::from_millis(slot / OPENING as u64)).await;
    while !world.over.load(Ordering::Relaxed) {
        id += 1;
        let plan = Plan::draw(id, &mut chance);
        match TcpStream::connect(address()).await {
            Ok(stream) => {
                world.tally.opened.fetch_add(1, Ordering::Relaxed);
                let end = talk::client(&world, stream, plan, chance.clone()).await;
                world.tally.ended(Side::Client, end);
            }
            Err(e) => world.tally.error(&format!("connect: {e}")),
        }
        rt::sleep(Duration::from_micros(chance.below(20_000))).await;
    }
}

/// Until this runtime has no connections and lent no buffers.
async fn at_rest(what: &str, tally: &Tally) {
    let began = Instant::now();
    loop {
        let stats = rt::with_loop(|l| l.stats()).expect("statistics");
        if (stats.conns, stats.bufs_held) == (0, 0) {
            return;
        }
        if began.elapsed() > GRACE {
            return tally.error(&format!("{what}: {} connections, {} buffers are left", stats.conns, stats.bufs_held));
        }
        rt::sleep(Duration::from_millis(1)).await;
    }
}

/// A thread with a runtime of its own for one side.
fn side<F, M>(engine: &Engine, name: &str, make: M) -> std::thread::JoinHandle<()>
where
    F: std::future::Future<Output = ()>,
    M: FnOnce() -> F + Send + 'static,
{
    let engine = engine.clone();
    let start = std::thread::Builder::new().name(name.to_owned());
    start.spawn(move || Runtime::new(engine.attach(0).expect("a loop")).block_on(make())).expect("a thread")
}

fn leaks(engine: Engine, tally: &Tally) -> u64 {
    match engine.close() {
        Ok(l) => [l.bufs, l.conns, l.udps, l.timers, l.externs, l.regions].map(u64::from).iter().sum(),
        Err(_) => {
            tally.error("an engine is still in use");
            1
        }
    }
}

fn run(options: &Options) -> bool {
    let tally = Arc::new(Tally::default());
    let kept = Arc::new(Kept::new(u64::from(FRAMES / 4)));
    let (mut keepers, mut threads) = (Vec::new(), Vec::new());
    for i in 0..KEEPERS {
        let (give, take) = mpsc::channel();
        let (kept, tally, chance) = (kept.clone(), tally.clone(), Chance::new(options.seed + i));
        keepers.push(give);
        threads.push(std::thread::spawn(move || keeper::keep(&take, &kept, &tally, chance)));
    }
    let world = World { tally: tally.clone(), kept: kept.clone(), keepers, over: Arc::default() };
    let engines = [open("10.0.0.1/24", options), open("10.0.0.2/24", options)];
    let (listening, told) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let (there, seed) = (world.clone(), options.seed);
    let server = side(&engines[0], "server", move || async move {
        let tally = there.tally.clone();
        let serving = rt::spawn_local(serve(there, seed, listening));
        while !stopped.load(Ordering::Relaxed) {
            rt::sleep(Duration::from_millis(1)).await;
        }
        drop(serving);
        at_rest("server", &tally).await;
    });
    told.recv().expect("the server listens");
    let began = Instant::now();
    let (here, plan) = (world.clone(), options.clone());
    let client = side(&engines[1], "client", move || async move {
        let slots: Vec<_> =
            (0..plan.connections).map(|i| rt::spawn_local(slot(here.clone(), plan.clone(), i))).collect();
        rt::sleep(Duration::from_secs(plan.seconds)).await;
        here.over.store(true, Ordering::Relaxed);
        for slot in slots {
            slot.await;
        }
        let tally = here.tally.clone();
        drop(here);
        at_rest("client", &tally).await;
    });
    client.join().expect("the client's thread");

    stop.store(true, Ordering::Relaxed);
    server.join().expect("the server's thread");
    drop(world);
    threads.into_iter().for_each(|thread| thread.join().expect("a keeper"));
    let seconds = began.elapsed().as_secs();
    tally.compare();
    if kept.now() != 0 {
        tally.error(&format!("{} pieces were not dropped", kept.now()));
    }
    let leaks: u64 = engines.map(|engine| leaks(engine, &tally)).iter().sum();
    let n = |n: &AtomicU64| n.load(Ordering::Relaxed);
    println!(
        "soak: seconds={seconds} connections={} opened={} bytes={} kept_max={} stale={} leaks={leaks}",
        options.connections,
        n(&tally.opened),
        n(&tally.bytes),
        kept.most(),
        n(&tally.stale)
    );
    n(&tally.errors) + n(&tally.stale) + leaks == 0
}

fn main() -> ExitCode {
    if run(&Options::parse()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
