//! What the example programs share: the command line, one thread a loop, signals, statistics, bytes that can be verified.
//! `examples/c/README.md` is the contract.
#![forbid(unsafe_code)]

mod pattern;
mod stats;

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};

use clap::Parser;
use iip::rt::Worker;
use iip::{Config, Engine};

pub use pattern::Pattern;

/// Flags that all of them take.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The port: tap:NAME, pair:NAME, sim:..., dpdk:...
    #[arg(long, value_name = "STRING", default_value = "tap:iip0")]
    pub port: String,
    /// Our own address; repeatable
    #[arg(long = "addr", value_name = "A/PLEN")]
    pub addresses: Vec<String>,
    /// Default gateway; repeatable (IPv4, IPv6)
    #[arg(long = "gateway", value_name = "G")]
    pub gateways: Vec<String>,
    /// Port that is served
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub listen: Option<u16>,
    /// Record all packets
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<String>,
    /// A tunable of the stack; repeatable
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = tunable)]
    pub tunables: Vec<String>,
    /// Statistics, at the end and on SIGUSR1
    #[arg(long, value_name = "FILE")]
    pub stats_json: Option<String>,
    /// End after S seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Loops, one thread each
    #[arg(long, alias = "threads", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub loops: u32,
}

fn tunable(text: &str) -> Result<String, String> {
    let good = text.contains('=');
    good.then(|| text.to_owned())
        .ok_or_else(|| "give name=value, for example tcp.mss=1400".to_owned())
}

/// "2.5" as a time.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let value: Option<f64> = text.parse().ok().filter(|s| (0.0..1e9).contains(s));
    value
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "give seconds, for example 2.5".to_owned())
}

/// The command line, or the end: a mistake is one line on standard error and exit code 2.
pub fn options<T: Parser>(program: &str) -> T {
    T::try_parse().unwrap_or_else(|e| {
        if !e.use_stderr() {
            e.exit(); // --help
        }
        let text = e.to_string();
        let line = text
            .lines()
            .next()
            .unwrap_or("?")
            .trim_start_matches("error: ");
        usage(program, &format!("{line}; --help lists what there is"))
    })
}

/// One line on standard error, and exit code 2.
pub fn usage(program: &str, text: &str) -> ! {
    eprintln!("{program}: {text}");
    std::process::exit(2)
}

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

    fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.names
            .iter()
            .copied()
            .zip(self.values.iter().map(|v| v.load(Ordering::Relaxed)))
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
    program: &'static str,
    common: Common,
    engine: Engine,
    counts: Arc<Counts>,
    shared: Arc<Shared>,
    told: mpsc::Receiver<What>,
    workers: Vec<Worker>,
    began: Instant,
}

impl Run {
    /// Opens the engine and starts a worker on each loop. What is wrong with the flags ends the program with 2.
    pub fn start<M, F>(
        program: &'static str,
        common: &Common,
        names: &'static [&'static str],
        worker: M,
    ) -> Run
    where
        M: Fn(Context) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let engine = open(program, common);
        let loops = engine.info().map_or(1, |info| info.loops);
        if loops < common.loops {
            eprintln!(
                "{program}: --loops {}: the port has {loops} queues, going on with as many",
                common.loops
            );
        }
        let counts = Arc::new(Counts {
            names,
            values: names.iter().map(|_| AtomicU64::new(0)).collect(),
        });
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
        for index in 0..loops {
            let listen = common.listen.unwrap_or(0);
            let context = Context {
                counts: counts.clone(),
                index,
                loops,
                listen,
                run: shared.clone(),
            };
            let thread = Worker::start(&engine, index)
                .unwrap_or_else(|e| usage(program, &format!("loop {index}: {e}")));
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
        std::thread::spawn(move || {
            signals
                .forever()
                .try_for_each(|s| tell.send(What::Signal(s)))
        });
        loop {
            let left = self
                .common
                .duration
                .map_or(Duration::MAX, |d| d.saturating_sub(self.began.elapsed()));
            match self.told.recv_timeout(left.min(Duration::from_secs(3600))) {
                Ok(What::Signal(signal_hook::consts::SIGUSR1)) => self.save(false),
                Ok(_) => return,
                Err(_)
                    if self
                        .common
                        .duration
                        .is_some_and(|d| self.began.elapsed() >= d) =>
                {
                    return
                }
                Err(_) => {}
            }
        }
    }

    /// Ends the workers; the counters stand still then.
    pub fn stop(&mut self) {
        self.workers.clear();
        self.save(true);
    }

    /// A counter of the stack, of all loops.
    pub fn counter(&self, name: &str) -> u64 {
        stats::sum(&self.engine, true)
            .0
            .iter()
            .find(|(n, _)| *n == name)
            .map_or(0, |(_, v)| *v)
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
pub fn serve<M, F>(
    program: &'static str,
    common: &Common,
    names: &'static [&'static str],
    worker: M,
) -> ExitCode
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
        usage(
            program,
            "--addr: missing; give our own address and prefix length, for example 10.0.0.2/24",
        );
    }
    if common.port.contains("clock=virtual") {
        usage(
            program,
            &format!(
                "--port {}: a virtual clock stands still here; use clock=real",
                common.port
            ),
        );
    }
    let mut config = Config::new(&common.port)
        .loops(common.loops)
        .op_cap(1024)
        .tx_free_cap(256);
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
    config
        .open()
        .unwrap_or_else(|e| usage(program, &e.to_string()))
}
