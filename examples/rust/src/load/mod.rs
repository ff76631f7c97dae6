//! The load generator: what it is told, and what it finds out.

mod client;
mod http;
mod report;
mod serve;
mod talk;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use clap::Parser;
use hdrhistogram::Histogram;

use crate::options::{number, Common};
use crate::run::Context;

pub use client::clients;
pub use report::{report, self_test_report, two_ends};
pub use serve::server;

/// What it counts.
pub const NAMES: &[&str] = &["opened", "messages", "payload_bytes"];

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Messages that an echo server returns.
    Pp,
    /// Bulk to the server.
    Send,
    /// Bulk from the server.
    Recv,
    /// GET, over and over.
    Http,
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "pp" => Ok(Mode::Pp),
        "send" => Ok(Mode::Send),
        "recv" => Ok(Mode::Recv),
        "http" => Ok(Mode::Http),
        _ => Err("give pp, send, recv or http".to_owned()),
    }
}

fn peer(text: &str) -> Result<SocketAddr, String> {
    let peer = text.parse().ok().filter(|peer: &SocketAddr| peer.port() != 0);
    peer.ok_or_else(|| "give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7".to_owned())
}

fn path(text: &str) -> Result<String, String> {
    let good = text.starts_with('/') && text.len() <= 400 && text.bytes().all(|b| b.is_ascii_graphic());
    let remedy = "give a path without blanks, up to 400 bytes, for example /bytes/1000";
    good.then(|| text.to_owned()).ok_or_else(|| remedy.to_owned())
}

/// a load generator that verifies every byte
#[derive(Clone, Parser)]
#[command(name = "iip_load")]
pub struct Options {
    /// As all programs.
    #[command(flatten)]
    pub common: Common,
    /// the server
    #[arg(long, value_name = "A:PORT", value_parser = peer)]
    pub connect: Option<SocketAddr>,
    /// pp: messages that an echo server returns; send, recv: bulk; http
    #[arg(long, value_name = "MODE", default_value = "pp", value_parser = mode)]
    pub mode: Mode,
    /// connections (1)
    #[arg(long, value_name = "N", default_value = "1", value_parser = number(1, 1_000_000))]
    pub conns: u64,
    /// pp: of a message (1)
    #[arg(long, value_name = "BYTES", default_value = "1", value_parser = number(1, 1 << 24))]
    pub size: u64,
    /// pp, http: messages on their way per connection (1)
    #[arg(long, value_name = "N", default_value = "1", value_parser = number(1, 256))]
    pub depth: u64,
    /// messages in all (10000 without --duration)
    #[arg(long, value_name = "N", value_parser = number(1, u64::MAX))]
    pub count: Option<u64>,
    /// send, recv: per connection (10^8 without --duration)
    #[arg(long, value_name = "N", value_parser = number(1, 1 << 50))]
    pub bytes: Option<u64>,
    /// http: what to get (/bytes/1000)
    #[arg(long, value_name = "PATH", default_value = "/bytes/1000", value_parser = path)]
    pub path: String,
    /// be the server of this mode on --listen
    #[arg(long)]
    pub serve: bool,
    /// be both, on a pair: or sim: port
    #[arg(long = "self")]
    pub both: bool,
    /// no table, only the last line
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// Where neither --duration nor a number says when it ends.
    pub fn with_an_end(mut self) -> Options {
        if self.common.duration.is_none() {
            self.count = self.count.or(Some(10_000));
            self.bytes = self.bytes.or(Some(100_000_000));
        }
        self
    }
}

/// What came of it, added up.
#[derive(Debug)]
pub struct Totals {
    /// Messages, answers or transfers.
    pub requests: u64,
    /// Of payload.
    pub bytes: u64,
    /// Connections that failed.
    pub errors: u64,
    /// Bytes that were wrong.
    pub mismatches: u64,
    latency: Histogram<u64>,
    seconds: f64,
}

impl Default for Totals {
    fn default() -> Totals {
        let latency = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("good bounds");
        Totals { requests: 0, bytes: 0, errors: 0, mismatches: 0, latency, seconds: 0.0 }
    }
}

impl Totals {
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

/// Why a connection is no good.
enum Bad {
    Mismatch(String),
    Error(String),
}

impl Load {
    /// One more message, if there may be one.
    fn may_start(&self) -> bool {
        let quota = self.quota.get();
        let may = !self.over.get() && quota > 0;
        if may {
            self.quota.set(quota - 1);
        }
        may
    }

    fn answered(&self, began: std::time::Instant) {
        let mut totals = self.totals.borrow_mut();
        totals.requests += 1;
        totals.latency.saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        self.context.counts.add(1, 1);
    }

    fn payload(&self, n: u64) {
        self.totals.borrow_mut().bytes += n;
        self.context.counts.add(2, n);
    }
}
