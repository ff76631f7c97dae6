//! The result for people and for programs; and how two engines share one in-memory port.

use std::net::SocketAddr;

use super::{Options, Totals};
use crate::options::{usage, Common};
use crate::run::Run;

/// The table, unless only the line is wanted, and the line.
pub fn report(options: &Options, run: &Run, totals: &Totals) {
    let seconds = totals.seconds.max(1e-9);
    let us = |q: f64| totals.latency.value_at_quantile(q) as f64 / 1e3;
    let max_us = totals.latency.max() as f64 / 1e3;
    let retransmits = run.counter("tcp_retrans");
    let (requests, bytes) = (totals.requests, totals.bytes);
    if !options.json {
        println!("port          {}", options.common.port());
        println!("connections   {}", options.conns);
        println!("requests      {requests} in {seconds:.3} s, {:.0}/s", requests as f64 / seconds);
        println!("payload       {bytes} bytes, {:.3} Gbit/s", bytes as f64 * 8.0 / seconds / 1e9);
        if !totals.latency.is_empty() {
            let (p50, p90, p99, p999) = (us(0.5), us(0.9), us(0.99), us(0.999));
            println!("latency [us]  p50 {p50:.1}  p90 {p90:.1}  p99 {p99:.1}  p99.9 {p999:.1}  max {max_us:.1}");
        }
        println!("errors        {}, mismatches {}", totals.errors, totals.mismatches);
        println!("retransmits   {retransmits}");
        println!("dropped       {}", run.drops());
    }
    let line = serde_json::json!({
        "requests": requests, "requests_per_s": requests as f64 / seconds, "bytes": bytes,
        "bytes_per_s": bytes as f64 / seconds, "seconds": seconds, "errors": totals.errors,
        "mismatches": totals.mismatches, "p50_us": us(0.5), "p90_us": us(0.9), "p99_us": us(0.99), "p999_us": us(0.999),
        "max_us": max_us, "retransmits": retransmits,
    });
    println!("{line}");
}

/// The table of `iip_http --self-test`.
pub fn self_test_report(peer: SocketAddr, server: &Run, client: &Run, totals: &Totals) {
    let seconds = totals.seconds.max(1e-9);
    println!("port          {}", server.common.port());
    println!("address       {peer}");
    println!("requests      {} in {seconds:.3} s, {:.0}/s", totals.requests, totals.requests as f64 / seconds);
    println!("verified      {} bytes, {} mismatches, {} errors", totals.bytes, totals.mismatches, totals.errors);
    println!("retransmits   {}", server.counter("tcp_retrans") + client.counter("tcp_retrans"));
    println!("dropped       {}", server.drops());
}

/// Makes the flags of a client those of the server, on the other end of the same port; returns those and its address.
pub fn two_ends(program: &str, flag: &str, client: &mut Common) -> (Common, SocketAddr) {
    let port = client.port.get_or_insert_with(|| "pair:self-test".to_owned());
    if !port.starts_with("pair:") && !port.starts_with("sim:") {
        usage(program, &format!("--port {port}: has one end; for {flag} give pair:NAME or sim:NAME"));
    }
    let mut server = client.clone();
    let both = |n| vec![format!("10.9.0.{n}/24"), format!("fd09::{n}/64")];
    (server.addresses, client.addresses) = (both(1), both(2));
    (server.duration, client.duration) = (None, None);
    (client.listen, client.pcap) = (None, None); // the server's record has all packets too
    if let Some(file) = &mut client.stats_json {
        file.push_str(".client");
    }
    let peer = SocketAddr::new([10, 9, 0, 1].into(), server.listen.unwrap_or(0) as u16);
    (server, peer)
}
