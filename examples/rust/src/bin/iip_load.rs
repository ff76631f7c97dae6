//! iip_load: a load generator that verifies every byte.

use std::cell::{Cell, RefCell};
use std::future::{poll_fn, Future};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context as Cx, Poll};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use iip::net::{TcpListener, TcpStream};
use iip::rt::{self, Sleep};
use iip_examples::{options, serve, usage, Common, Context, Pattern, Run};

const NAMES: &[&str] = &["opened", "messages", "payload_bytes"];
/// Connections being opened at a time: few until the peer's hardware address is known, later not all.
const OPENING_FIRST: u64 = 4;
const OPENING_MAX: u64 = 256;
const CHUNK: u64 = 1 << 16;
const CONNECT: Duration = Duration::from_secs(10);
/// After --duration: for answers that are on their way, and the end.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Mode {
    /// Messages that an echo server returns
    Pp,
    /// Bulk to the server
    Send,
    /// Bulk from the server
    Recv,
    /// GET, over and over
    Http,
}

/// A load generator that verifies every byte
#[derive(Clone, Parser)]
#[command(name = "iip_load")]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The server
    #[arg(long, value_name = "A:PORT")]
    connect: Option<SocketAddr>,
    /// What is said
    #[arg(long, value_enum, default_value = "pp")]
    mode: Mode,
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    conns: u64,
    /// pp: bytes of a message
    #[arg(long, value_name = "BYTES", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    size: u64,
    /// pp: messages on their way per connection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    depth: u64,
    /// Messages in all (10000 without --duration)
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// send, recv: per connection (10^8 without --duration)
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// http: what to get
    #[arg(long, value_name = "PATH", default_value = "/bytes/1000")]
    path: String,
    /// Be the server of this mode on --listen
    #[arg(long)]
    serve: bool,
    /// Be both, on a pair: or sim: port
    #[arg(long = "self")]
    both: bool,
    /// No table, only the last line
    #[arg(long)]
    json: bool,
}

#[derive(Debug)]
struct Totals {
    requests: u64,
    bytes: u64,
    errors: u64,
    mismatches: u64,
    latency: Histogram<u64>,
    seconds: f64,
}

impl Totals {
    fn new() -> Totals {
        let latency = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("good bounds");
        Totals {
            requests: 0,
            bytes: 0,
            errors: 0,
            mismatches: 0,
            latency,
            seconds: 0.0,
        }
    }

    fn add(&mut self, other: &Totals) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.mismatches += other.mismatches;
        let _ = self.latency.add(&other.latency);
        self.seconds = self.seconds.max(other.seconds);
    }
}

/// What the clients of one loop share.
struct Load {
    options: Options,
    peer: SocketAddr,
    totals: RefCell<Totals>,
    /// Messages that may still be started.
    quota: Cell<u64>,
    over: Cell<bool>,
    context: Context,
}

/// One connection: what is sent and what came.
struct Talk {
    load: Rc<Load>,
    stream: TcpStream,
    out: Pattern,
    check: Pattern,
    chunk: Vec<u8>,
    sent: u64,
    allowed: u64,
    received: u64,
    started: u64,
    finished: u64,
    stamps: std::collections::VecDeque<Instant>,
    verdict: Vec<u8>,
    shut: bool,
    end: Option<Pin<Box<Sleep>>>,
}

enum Bad {
    Mismatch(String),
    Error(String),
}

impl Talk {
    fn mode(&self) -> Mode {
        self.load.options.mode
    }

    fn start_message(&mut self) {
        let quota = self.load.quota.get();
        if self.load.over.get() || quota == 0 {
            return;
        }
        self.load.quota.set(quota - 1);
        self.stamps.push_back(Instant::now());
        self.started += 1;
        self.allowed += self.load.options.size;
    }

    fn start(&mut self) {
        match self.mode() {
            Mode::Send => self.allowed = self.load.options.bytes.unwrap_or(u64::MAX),
            Mode::Pp => (0..self.load.options.depth).for_each(|_| self.start_message()),
            _ => {}
        }
    }

    /// Nothing more to send, ever.
    fn is_done(&self) -> bool {
        let over = self.load.over.get();
        match self.mode() {
            Mode::Send => over || self.sent == self.allowed,
            Mode::Recv => false,
            _ => self.finished == self.started && (over || self.load.quota.get() == 0),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>) -> Result<bool, Bad> {
        if self.shut {
            return Ok(false);
        }
        if self.is_done() {
            self.shut = true;
            let _ = self.stream.shutdown();
            return Ok(true);
        }
        let n = (self.allowed - self.sent).min(CHUNK);
        if n == 0 {
            return Ok(false);
        }
        self.chunk.resize(n as usize, 0);
        self.out.fill(&mut self.chunk);
        let taken = match self.stream.poll_write_from(cx, &self.chunk) {
            Poll::Ready(Ok(taken)) => taken as u64,
            Poll::Ready(Err(e)) => return Err(Bad::Error(e.to_string())),
            Poll::Pending => 0,
        };
        self.sent += taken;
        if taken < n {
            self.out = Pattern::at(self.sent);
        }
        if self.mode() == Mode::Send {
            self.count(taken);
        }
        Ok(taken > 0)
    }

    fn count(&self, n: u64) {
        self.load.totals.borrow_mut().bytes += n;
        self.load.context.counts.add(2, n);
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        if self.mode() == Mode::Send {
            self.verdict.extend_from_slice(bytes);
            return Ok(());
        }
        let right = self.check.check(bytes) as u64;
        self.received += right;
        if right < bytes.len() as u64 {
            return Err(Bad::Mismatch(format!(
                "a wrong byte at byte {} of a connection",
                self.received
            )));
        }
        self.count(right);
        if self.mode() == Mode::Pp {
            if self.received > self.sent {
                return Err(Bad::Mismatch("more than was sent".to_owned()));
            }
            while self.finished < self.started
                && self.received >= (self.finished + 1) * self.load.options.size
            {
                self.finish_message();
            }
        }
        Ok(())
    }

    fn finish_message(&mut self) {
        self.finished += 1;
        if let Some(stamp) = self.stamps.pop_front() {
            let mut totals = self.load.totals.borrow_mut();
            totals.requests += 1;
            totals
                .latency
                .saturating_record(u64::try_from(stamp.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        self.load.context.counts.add(1, 1);
        self.start_message();
    }

    fn fin(&mut self) -> Result<(), Bad> {
        let want = format!("{} bytes right\n", self.sent);
        match self.mode() {
            Mode::Send
                if !self.shut || (!self.verdict.is_empty() && self.verdict != want.as_bytes()) =>
            {
                return Err(Bad::Mismatch(
                    "the receiver did not get what was sent".to_owned(),
                ));
            }
            Mode::Recv if self.load.options.bytes.is_some_and(|n| n != self.received) => {
                return Err(Bad::Mismatch("an end too early".to_owned()));
            }
            Mode::Pp if !self.shut => return Err(Bad::Error("the server ended it".to_owned())),
            Mode::Send | Mode::Recv => self.load.totals.borrow_mut().requests += 1,
            _ => {}
        }
        if !self.shut {
            let _ = self.stream.shutdown();
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Bad>> {
        if self
            .end
            .as_mut()
            .is_some_and(|end| end.as_mut().poll(cx).is_ready())
        {
            self.end = None;
            self.load.over.set(true);
        }
        if self.load.over.get() && self.mode() == Mode::Recv {
            let _ = self.stream.abort(); // the other side would go on for ever
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut moved = self.write(cx)?;
            match self.stream.poll_recv(cx) {
                Poll::Ready(Ok(Some(bytes))) => {
                    self.data(&bytes)?;
                    moved = true;
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(self.fin()),
                Poll::Ready(Err(e)) => return Poll::Ready(Err(Bad::Error(e.to_string()))),
                Poll::Pending => {}
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }
}

fn complain(load: &Load, bad: Bad) {
    let mut totals = load.totals.borrow_mut();
    let text = match bad {
        Bad::Mismatch(text) => {
            totals.mismatches += 1;
            text
        }
        Bad::Error(text) => {
            totals.errors += 1;
            format!("a connection ended: {text}")
        }
    };
    eprintln!("iip_load: {text}");
}

/// GETs of one connection, one after the other, by hyper's client.
async fn talk_http(load: &Load, stream: TcpStream) -> Result<(), Bad> {
    use http_body_util::{BodyExt, Empty};
    use hyper::body::Bytes;
    let failed = |e: hyper::Error| Bad::Error(e.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(failed)?;
    rt::spawn_local(connection);
    let expect: Option<usize> = load
        .options
        .path
        .strip_prefix("/bytes/")
        .and_then(|n| n.parse().ok());
    while !load.over.get() && load.quota.get() > 0 {
        load.quota.set(load.quota.get() - 1);
        let began = Instant::now();
        let request = hyper::Request::get(&load.options.path).header("host", load.peer.to_string());
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|e| Bad::Error(e.to_string()))?;
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(failed)?
            .to_bytes();
        let right = expect.is_none_or(|n| body.len() == n && Pattern::at(0).check(&body) == n);
        if status != 200 || !right {
            return Err(Bad::Mismatch(
                "an answer that is not 200 with the right bytes".to_owned(),
            ));
        }
        let mut totals = load.totals.borrow_mut();
        totals.requests += 1;
        totals.bytes += body.len() as u64;
        totals
            .latency
            .saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        load.context.counts.add(1, 1);
        load.context.counts.add(2, body.len() as u64);
    }
    Ok(())
}

async fn talk(load: Rc<Load>, stream: TcpStream) -> Result<(), Bad> {
    if load.options.mode == Mode::Http {
        return talk_http(&load, stream).await;
    }
    let mut talk = Talk {
        end: load.options.common.duration.map(|d| Box::pin(rt::sleep(d))),
        load,
        stream,
        out: Pattern::default(),
        check: Pattern::default(),
        chunk: Vec::new(),
        sent: 0,
        allowed: 0,
        received: 0,
        started: 0,
        finished: 0,
        stamps: std::collections::VecDeque::new(),
        verdict: Vec::new(),
        shut: false,
    };
    talk.start();
    let done = poll_fn(|cx| talk.poll(cx)).await;
    if done.is_err() {
        let _ = talk.stream.abort();
    }
    let _ = talk.stream.closed().await; // on purpose or not, it is over
    done
}

async fn one_client(
    load: Rc<Load>,
    opening: Rc<Cell<u64>>,
    met: Rc<Cell<bool>>,
) -> Result<(), Bad> {
    let stream = rt::timeout(CONNECT, TcpStream::connect(load.peer)).await;
    opening.set(opening.get() - 1);
    let stream = stream
        .ok_or_else(|| Bad::Error("nobody answers".into()))?
        .map_err(|e| Bad::Error(e.to_string()))?;
    met.set(true);
    let _ = stream.set_nodelay(true);
    talk(load, stream).await
}

/// Opens connections, a few at a time, and waits for all of them.
async fn clients(context: Context, options: Options, peer: SocketAddr, sum: Arc<Mutex<Totals>>) {
    let share = |all: u64| {
        all / u64::from(context.loops)
            + u64::from(u64::from(context.index) < all % u64::from(context.loops))
    };
    let (conns, quota) = (share(options.conns), options.count.map_or(u64::MAX, share));
    let load = Rc::new(Load {
        options,
        peer,
        totals: RefCell::new(Totals::new()),
        quota: Cell::new(quota),
        over: Cell::new(false),
        context,
    });
    let (opening, met, began) = (
        Rc::new(Cell::new(0)),
        Rc::new(Cell::new(false)),
        Instant::now(),
    );
    let mut all = Vec::new();
    for _ in 0..conns {
        while opening.get()
            >= if met.get() {
                OPENING_MAX
            } else {
                OPENING_FIRST
            }
        {
            rt::sleep(Duration::from_micros(100)).await;
        }
        opening.set(opening.get() + 1);
        let (load, opening, met) = (load.clone(), opening.clone(), met.clone());
        all.push(rt::spawn_local(async move {
            load.context.counts.add(0, 1);
            let one = one_client(load.clone(), opening, met);
            let done = match load.options.common.duration {
                Some(d) => rt::timeout(d + GRACE, one)
                    .await
                    .unwrap_or_else(|| Err(Bad::Error("no end came".to_owned()))),
                None => one.await,
            };
            if let Err(bad) = done {
                complain(&load, bad);
            }
        }));
    }
    for one in all {
        one.await;
    }
    load.totals.borrow_mut().seconds = began.elapsed().as_secs_f64();
    if let Ok(mut sum) = sum.lock() {
        sum.add(&load.totals.borrow());
    }
}

// ---- the other side ----

async fn serve_one(context: Context, options: Options, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    context.counts.add(0, 1);
    match options.mode {
        Mode::Send => {
            let (mut pattern, mut received, mut right) = (Pattern::default(), 0u64, 0u64);
            while let Some(bytes) = stream.recv().await? {
                if right == received {
                    right += pattern.check(&bytes) as u64;
                }
                received += bytes.len() as u64;
                context.counts.add(2, bytes.len() as u64);
            }
            let wrong = if right == received {
                "right"
            } else {
                "right, then a wrong one"
            };
            stream
                .write_all(format!("{right} bytes {wrong}\n").as_bytes())
                .await?;
        }
        Mode::Recv => {
            let (mut pattern, mut left) = (Pattern::default(), options.bytes.unwrap_or(u64::MAX));
            let mut chunk = vec![0; CHUNK as usize];
            while left > 0 {
                let n = left.min(CHUNK) as usize;
                pattern.fill(&mut chunk[..n]);
                stream.write_all(&chunk[..n]).await?;
                context.counts.add(2, n as u64);
                left -= n as u64;
            }
        }
        _ => {
            while let Some(bytes) = stream.recv().await? {
                stream.write_all(&bytes).await?;
                context.counts.add(2, bytes.len() as u64);
            }
        }
    }
    stream.shutdown()?;
    stream.closed().await
}

async fn server(context: Context, options: Options) {
    let listener = match TcpListener::bind(context.any()) {
        Ok(listener) => listener,
        Err(e) => return context.fail("--listen", &e),
    };
    if !options.both {
        context.ready();
    }
    while let Ok(stream) = listener.accept().await {
        drop(rt::spawn_local(serve_one(
            context.clone(),
            options.clone(),
            stream,
        )));
    }
}

// ---- the command line ----

fn report(options: &Options, run: &Run, totals: &Totals) {
    let seconds = totals.seconds.max(1e-9);
    let us = |q: f64| totals.latency.value_at_quantile(q) as f64 / 1e3;
    let retransmits = run.counter("tcp_retrans");
    if !options.json {
        println!("port          {}", options.common.port);
        println!("connections   {}", options.conns);
        println!(
            "requests      {} in {seconds:.3} s, {:.0}/s",
            totals.requests,
            totals.requests as f64 / seconds
        );
        println!(
            "payload       {} bytes, {:.3} Gbit/s",
            totals.bytes,
            totals.bytes as f64 * 8.0 / seconds / 1e9
        );
        println!(
            "latency [us]  p50 {:.1}  p90 {:.1}  p99 {:.1}",
            us(0.5),
            us(0.9),
            us(0.99)
        );
        println!(
            "errors        {}, mismatches {}",
            totals.errors, totals.mismatches
        );
        println!("retransmits   {retransmits}");
    }
    let line = serde_json::json!({
        "requests": totals.requests, "requests_per_s": totals.requests as f64 / seconds, "bytes": totals.bytes,
        "bytes_per_s": totals.bytes as f64 / seconds, "seconds": seconds, "errors": totals.errors,
        "mismatches": totals.mismatches, "p50_us": us(0.5), "p90_us": us(0.9), "p99_us": us(0.99), "p999_us": us(0.999),
        "max_us": totals.latency.max() as f64 / 1e3, "retransmits": retransmits,
    });
    println!("{line}");
}

fn client(options: &Options, peer: SocketAddr, other: Option<Run>) -> ExitCode {
    let sum = Arc::new(Mutex::new(Totals::new()));
    let mut common = options.common.clone();
    (common.listen, common.duration) = (None, None); // the loops end in order by themselves
    let (plan, totals) = (options.clone(), sum.clone());
    let mut run = Run::start("iip_load", &common, NAMES, move |context| {
        clients(context, plan.clone(), peer, totals.clone())
    });
    run.wait();
    run.stop();
    let totals = sum.lock().expect("nobody panics with it");
    report(options, &run, &totals);
    let mut good = run.end();
    if let Some(mut server) = other {
        server.stop();
        good &= server.end();
    }
    if good && totals.errors == 0 && totals.mismatches == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn both(mut options: Options) -> ExitCode {
    if options.common.port == "tap:iip0" {
        options.common.port = "pair:self-test".to_owned();
    }
    let mut there = options.clone();
    there.common.addresses = vec!["10.9.0.1/24".to_owned()];
    there.common.duration = None;
    options.common.addresses = vec!["10.9.0.2/24".to_owned()];
    options.common.pcap = None; // the server's record has all packets too
    if let Some(file) = &mut options.common.stats_json {
        file.push_str(".client");
    }
    let peer = SocketAddr::new([10, 9, 0, 1].into(), there.common.listen.unwrap_or(7));
    let common = there.common.clone();
    let run = Run::start("iip_load", &common, NAMES, move |context| {
        server(context, there.clone())
    });
    client(&options, peer, Some(run))
}

fn main() -> ExitCode {
    let mut options: Options = options("iip_load");
    options.common.listen.get_or_insert(7);
    if (options.serve || options.both) && options.mode == Mode::Http {
        usage("iip_load", "--mode http: is what iip_http serves");
    }
    if options.mode == Mode::Http && options.depth > 1 {
        usage(
            "iip_load",
            "--depth: hyper's client sends one request at a time; give more --conns",
        );
    }
    if !options.serve && options.common.duration.is_none() {
        options.count = options.count.or(Some(10_000));
        options.bytes = options.bytes.or(Some(100_000_000));
    }
    if options.serve {
        let common = options.common.clone();
        return serve("iip_load", &common, NAMES, move |context| {
            server(context, options.clone())
        });
    }
    if options.both {
        return both(options);
    }
    match options.connect {
        Some(peer) if peer.port() != 0 => client(&options, peer, None),
        _ => usage(
            "iip_load",
            "--connect: missing; give the server as ADDRESS:PORT, or --serve, or --self",
        ),
    }
}
