//! Serves one file by a server of others on our stack, until SIGTERM: for curl and wrk.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use iip::rt::Worker;
use iip::Config;
use iip_stress::pages::Pages;
use iip_stress::servers::{self, Stack};

/// A server of others on our stack, with one file
#[derive(Parser)]
struct Options {
    /// Which
    #[arg(long)]
    stack: Stack,
    /// The port: tap:NAME ...
    #[arg(long, value_name = "STRING")]
    port: String,
    /// Our own address
    #[arg(long, value_name = "A/PLEN")]
    address: String,
    /// Port that is served
    #[arg(long, value_name = "PORT")]
    listen: u16,
    /// What is at /body
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let pages = Pages::with_file("/body", std::fs::read(&options.body)?);
    let engine = Config::new(&options.port).address(&options.address).open()?;
    let worker = Worker::start(&engine, 0)?;
    let local = SocketAddr::new("::".parse()?, options.listen);
    servers::start(options.stack, &worker, local, pages, || println!("ready"));
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM])?;
    signals.forever().next();
    Ok(())
}
