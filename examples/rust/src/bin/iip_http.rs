//! iip_http: an HTTP/1.1 server: GET and HEAD of a directory and of `/bytes/N`, PUT of `/sink`.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use iip_examples::http::{worker, Site, NAMES};
use iip_examples::load::{self, clients, self_test_report, two_ends, Totals};
use iip_examples::{number, options, seconds, serve, usage, Common, Run};

const PROGRAM: &str = "iip_http";

/// an HTTP/1.1 server
#[derive(Clone, Parser)]
#[command(name = "iip_http")]
struct Options {
    #[command(flatten)]
    common: Common,
    /// directory to serve (default: a built-in page, and /bytes/N)
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// longest body of a PUT to /sink
    #[arg(long, value_name = "BYTES", default_value = "1099511627776", value_parser = number(0, 1 << 60))]
    body_max: u64,
    /// for the head of a request (10)
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    head_timeout: Duration,
    /// for 16 KiB of a body, either way (20)
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    body_timeout: Duration,
    /// between requests (60)
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    idle_timeout: Duration,
    /// serve a client in this process, on pair: or sim:
    #[arg(long)]
    self_test: bool,
    /// how many the self-test makes (1000)
    #[arg(long, value_name = "N", default_value = "1000", value_parser = number(1, 1_000_000_000))]
    requests: u64,
}

impl Options {
    fn root(&self) -> Option<File> {
        let root = self.root.as_ref()?;
        let opened = File::open(root.join(".")); // a directory, or nothing
        Some(opened.unwrap_or_else(|e| usage(PROGRAM, &format!("--root {}: {e}", root.display()))))
    }

    fn site(&self) -> Site {
        Site {
            root: self.root(),
            body_max: self.body_max,
            head: self.head_timeout,
            body: self.body_timeout,
            idle: self.idle_timeout,
        }
    }
}

/// The server and a client of ours in one process: what can be shown where there is no network.
fn self_test(mut options: Options) -> ExitCode {
    let duration = options.common.duration;
    let (common, peer) = two_ends(PROGRAM, "--self-test", &mut options.common);
    let there = options.clone();
    let mut server = Run::start(PROGRAM, &common, NAMES, move |context| worker(context, there.site()));
    let mut plan = load::Options::parse_from(["iip_load", "--mode", "http", "--depth", "4", "--path", "/bytes/10000"]);
    plan.conns = options.requests.min(4);
    plan.count = if duration.is_some() { None } else { Some(options.requests) };
    plan.common.duration = duration;
    let sum = Arc::new(Mutex::new(Totals::default()));
    let totals = sum.clone();
    let mut client = Run::start(PROGRAM, &options.common, load::NAMES, move |context| {
        clients(context, plan.clone(), peer, totals.clone())
    });
    client.wait();
    client.stop();
    server.stop();
    let totals = sum.lock().expect("nobody panics with it");
    self_test_report(peer, &server, &client, &totals);
    let good = client.end() & server.end();
    if good && totals.errors + totals.mismatches == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn main() -> ExitCode {
    let mut options: Options = options(PROGRAM);
    options.common.listen.get_or_insert(80);
    drop(options.root()); // what is wrong with it is said now
    if options.self_test {
        return self_test(options);
    }
    let common = options.common.clone();
    serve(PROGRAM, &common, NAMES, move |context| worker(context, options.site()))
}
