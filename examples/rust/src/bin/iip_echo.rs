//! iip_echo: a TCP echo server.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use iip::net::{TcpListener, TcpStream};
use iip::rt;
use iip_examples::{options, serve, Common, Context, Counts};

const NAMES: &[&str] = &["accepted", "closed", "bytes"];
const ACCEPTED: usize = 0;
const CLOSED: usize = 1;
const BYTES: usize = 2;

/// a TCP echo server
#[derive(Parser)]
#[command(name = "iip_echo")]
struct Options {
    #[command(flatten)]
    common: Common,
}

/// Counted when it is over, in whatever way.
struct Closed(Arc<Counts>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.add(CLOSED, 1);
    }
}

/// While the peer does not read, its bytes stay unreleased and its window closes: no queue of ours grows.
async fn echo(stream: TcpStream, counts: Arc<Counts>) -> io::Result<()> {
    counts.add(ACCEPTED, 1);
    let _closed = Closed(counts.clone());
    stream.set_nodelay(true)?;
    while let Some(bytes) = stream.recv().await? {
        stream.write_all(&bytes).await?;
        counts.add(BYTES, bytes.len() as u64);
    }
    stream.shutdown()?;
    stream.closed().await
}

async fn worker(context: Context) {
    let listener = match TcpListener::bind(context.any()) {
        Ok(listener) => listener,
        Err(e) => return context.fail("--listen", &e),
    };
    context.ready();
    while let Ok(stream) = listener.accept().await {
        drop(rt::spawn_local(echo(stream, context.counts.clone()))); // a connection that fails is over, others live
    }
}

fn main() -> ExitCode {
    let mut options: Options = options("iip_echo");
    options.common.listen.get_or_insert(7);
    serve("iip_echo", &options.common, NAMES, worker)
}
