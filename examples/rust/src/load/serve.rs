//! The other side of each mode.

use iip::net::{TcpListener, TcpStream};
use iip::rt;

use super::{Mode, Options};
use crate::pattern::Pattern;
use crate::run::Context;

const CHUNK: u64 = 1 << 16;

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
            let wrong = if right == received { "right" } else { "right, then a wrong one" };
            stream.write_all(format!("{right} bytes {wrong}\n").as_bytes()).await?;
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

/// Serves on one loop.
pub async fn server(context: Context, options: Options) {
    let listener = match TcpListener::bind(context.any()) {
        Ok(listener) => listener,
        Err(e) => return context.fail("--listen", &e),
    };
    if !options.both {
        context.ready();
    }
    while let Ok(stream) = listener.accept().await {
        drop(rt::spawn_local(serve_one(context.clone(), options.clone(), stream)));
    }
}
