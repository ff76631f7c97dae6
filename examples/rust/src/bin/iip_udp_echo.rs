//! iip_udp_echo: a UDP echo server. An answer leaves from the address that the datagram was sent to.

use std::process::ExitCode;

use clap::Parser;
use iip::net::UdpSocket;
use iip_examples::{options, serve, Common, Context};

const NAMES: &[&str] = &["datagrams", "bytes", "refused"];

/// a UDP echo server
#[derive(Parser)]
#[command(name = "iip_udp_echo")]
struct Options {
    #[command(flatten)]
    common: Common,
}

async fn worker(context: Context) {
    let socket = match UdpSocket::bind(context.any()) {
        Ok(socket) => socket,
        Err(e) => return context.fail("--listen", &e),
    };
    context.ready();
    let mut bytes = Vec::new();
    while let Ok(datagram) = socket.recv().await {
        bytes.clear();
        datagram.parts().for_each(|part| bytes.extend_from_slice(part));
        context.counts.add(0, 1);
        context.counts.add(1, bytes.len() as u64);
        if socket.send_from(&bytes, datagram.ends).is_err() {
            context.counts.add(2, 1); // as any network would: UDP promises nothing
        }
    }
}

fn main() -> ExitCode {
    let mut options: Options = options("iip_udp_echo");
    options.common.listen.get_or_insert(7);
    serve("iip_udp_echo", &options.common, NAMES, worker)
}
