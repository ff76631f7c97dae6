//! An engine with one thread a loop: from its start to its end.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};

use iip::rt::Worker;
use iip::{Config, Cores, Engine, Networker, Wait};

use crate::options::{usage, Common};
use crate::stats;

/// How long the loops may take to end.
const CLOSING: Duration = Duration::from_secs(10);

/// Numbers that an example counts, by name.
pub struct Counts {
    names: &'static [&'static str],
    values: Vec<AtomicU64>,
}

impl Counts {
    /// Adds to number `i`.
    pub fn add(&self, i: usize, n: u64) {
        self.values[i].fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.names.iter().copied().zip(self.values.iter().map(|v| v.load(Ordering::Relaxed)))
    }
}

/// What a worker gets: one a loop.
#[derive(Clone)]
pub struct Context {
    /// Of all loops together.
    pub counts: Arc<Counts>,
    /// Which loop it is.
    pub index: u32,
    /// Of how many.
    pub loops: u32,
    /// Port that is served.
    pub listen: u16,
    run: Arc<Shared>,
}

struct Shared {
    program: &'static str,
    ready: AtomicU32,
    failed: AtomicBool,
    first: String,
    tell: mpsc::Sender<What>,
    alive: AtomicU32,
}

enum What {
    Signal(i32),
    /// No worker is left.
    Over,
}

impl Context {
    /// All addresses of both families.
    pub fn any(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), self.listen)
    }

    /// This loop serves; when all do, a script that started us may connect.
    pub fn ready(&self) {
        if self.run.ready.fetch_add(1, Ordering::AcqRel) + 1 != self.loops {
            return;
        }
        let ip = self.run.first.split('/').next().unwrap_or_default();
        if let Ok(ip) = ip.parse::<IpAddr>() {
            println!("ready {}", SocketAddr::new(ip, self.listen));
        }
    }

    /// Says what went wrong; the program ends with 1.
    pub fn fail(&self, what: &str, error: &dyn std::fmt::Display) {
        eprintln!("{}: {what}: {error}", self.run.program);
        self.run.failed.store(true, Ordering::Release);
    }
}

/// A worker that is done, or dropped: the last one ends the program.
struct Alive(Context);

impl Drop for Alive {
    fn drop(&mut self) {
        if self.0.run.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _ = self.0.run.tell.send(What::Over);
        }
    }
}

/// An engine with one thread a loop.
pub struct Run {
    pub(crate) program: &'static str,
    pub(crate) common: Common,
    pub(crate) engine: Engine,
    pub(crate) counts: Arc<Counts>,
    shared: Arc<Shared>,
    told: mpsc::Receiver<What>,
    workers: Vec<Worker>,
    networkers: Vec<Networker>,
    pub(crate) began: Instant,
}

impl Run {
    /// Opens the engine and starts a worker on each loop. What is wrong with the flags ends the program with 2.
    pub fn start<M, F>(program: &'static str, common: &Common, names: &'static [&'static str], worker: M) -> Run
    where
        M: Fn(Context) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let engine = open(program, common);
        let loops = engine.info().map_or(1, |info| info.loops);
        if u64::from(loops) < common.loops {
            eprintln!("{program}: --loops {}: the port has {loops} queues, going on with as many", common.loops);
        }
        let counts = Arc::new(Counts { names, values: names.iter().map(|_| AtomicU64::new(0)).collect() });
        let (tell, told) = mpsc::channel();
        let shared = Arc::new(Shared {
            program,
            ready: AtomicU32::new(0),
            failed: AtomicBool::new(false),
            first: common.addresses[0].clone(),
            tell,
            alive: AtomicU32::new(loops),
        });
        let mut workers = Vec::new();
        let networkers = networkers(program, common, &engine, loops);
        for index in 0..loops {
            let listen = common.listen.unwrap_or(0) as u16;
            let context = Context { counts: counts.clone(), index, loops, listen, run: shared.clone() };
            let thread =
                Worker::start(&engine, index).unwrap_or_else(|e| usage(program, &format!("loop {index}: {e}")));
            let worker = worker.clone();
            thread.handle().spawn(move || async move {
                let alive = Alive(context.clone());
                worker(context).await;
                drop(alive);
            });
            workers.push(thread);
        }
        Run {
            program,
            common: common.clone(),
            engine,
            counts,
            shared,
            told,
            workers,
            networkers,
            began: Instant::now(),
        }
    }

    /// Until a signal, `--duration` or the workers' end.
    pub fn wait(&self) {
        let signals = signal_hook::iterator::Signals::new([
            signal_hook::consts::SIGTERM,
            signal_hook::consts::SIGINT,
            signal_hook::consts::SIGUSR1,
        ]);
        let Ok(mut signals) = signals else { return };
        let tell = self.shared.tell.clone();
        std::thread::spawn(move || signals.forever().try_for_each(|s| tell.send(What::Signal(s))));
        loop {
            let left = self.common.duration.map_or(Duration::MAX, |d| d.saturating_sub(self.began.elapsed()));
            match self.told.recv_timeout(left.min(Duration::from_secs(3600))) {
                Ok(What::Signal(signal_hook::consts::SIGUSR1)) => self.save(false),
                Ok(_) => return,
                Err(_) if self.common.duration.is_some_and(|d| self.began.elapsed() >= d) => return,
                Err(_) => {}
            }
        }
    }

    /// Ends the workers; the counters stand still then.
    pub fn stop(&mut self) {
        self.workers.clear();
        for index in 0..self.engine.info().map_or(0, |info| info.loops) {
            close_loop(&self.engine, index);
        }
        self.networkers.clear();
        self.save(true);
    }

    /// A counter of the stack, of all loops.
    pub fn counter(&self, name: &str) -> u64 {
        stats::sum(&self.engine, true).0.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| *v)
    }

    /// What was dropped, and why.
    pub fn drops(&self) -> String {
        let counters = stats::sum(&self.engine, true).0;
        let drops = counters.iter().filter(|(name, n)| name.starts_with("drop_") && *n != 0);
        let drops: Vec<_> = drops.map(|(name, n)| format!("{name} {n}")).collect();
        if drops.is_empty() {
            "none".to_owned()
        } else {
            drops.join(", ")
        }
    }

    fn save(&self, ended: bool) {
        let Some(file) = &self.common.stats_json else {
            return;
        };
        let text = stats::json(self, ended).to_string();
        let new = format!("{file}.new");
        let saved = std::fs::write(&new, text + "\n").and_then(|()| std::fs::rename(&new, file));
        if let Err(e) = saved {
            eprintln!("{}: --stats-json {file}: {e}", self.program);
        }
    }

    /// Closes the engine; `true`: nothing failed and nothing leaked.
    pub fn end(self) -> bool {
        let failed = self.shared.failed.load(Ordering::Acquire);
        match self.engine.close() {
            Ok(leaks) if leaks.bufs == 0 => !failed,
            Ok(leaks) => {
                eprintln!("{}: not given back: {} buffers", self.program, leaks.bufs);
                false
            }
            Err(engine) => {
                eprintln!("{}: something of {engine:?} was kept", self.program);
                false
            }
        }
    }
}

/// A whole server: start, wait, stop, statistics.
pub fn serve<M, F>(program: &'static str, common: &Common, names: &'static [&'static str], worker: M) -> ExitCode
where
    M: Fn(Context) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let mut run = Run::start(program, common, names, worker);
    run.wait();
    run.stop();
    if run.end() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn open(program: &str, common: &Common) -> Engine {
    if common.addresses.is_empty() {
        usage(program, "--addr: missing; give our own address and prefix length, for example 10.0.0.2/24");
    }
    if common.port().contains("clock=virtual") {
        usage(program, &format!("--port {}: a virtual clock stands still here; use clock=real", common.port()));
    }
    if let Some(file) = &common.stats_json {
        if let Err(e) = std::fs::OpenOptions::new().append(true).create(true).open(file) {
            usage(program, &format!("--stats-json {file}: {e}"));
        }
    }
    let mut config =
        Config::new(common.port()).loops(common.loops as u32).cores(common.model).op_cap(1024).tx_free_cap(256);
    for address in &common.addresses {
        config = config.address(address);
    }
    for gateway in &common.gateways {
        config = config.route(&format!("default via {gateway}"));
    }
    for tunable in &common.tunables {
        config = config.tunable(tunable);
    }
    if let Some(file) = &common.pcap {
        config = config.pcap(file);
    }
    config.open().unwrap_or_else(|e| usage(program, &e.to_string()))
}

/// The threads of the networking, where it has its own.
fn networkers(program: &str, common: &Common, engine: &Engine, loops: u32) -> Vec<Networker> {
    let wanted = if common.model == Cores::Unified { 0 } else { loops };
    let start =
        |i| Networker::start(engine, i, None).unwrap_or_else(|e| usage(program, &format!("--model: loop {i}: {e}")));
    (0..wanted).map(start).collect()
}

/// Connections that are still open end, and their peers are told.
fn close_loop(engine: &Engine, index: u32) {
    let Ok(mut l) = engine.attach(index) else { return };
    let began = Instant::now();
    let mut closed = l.close().is_err();
    while !closed && began.elapsed() < CLOSING {
        closed = l.turn(Wait::For(Duration::from_millis(1))).map_or(true, |batch| batch.state().closed());
    }
}
