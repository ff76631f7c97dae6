//! An HTTP/1.1 server on the streams of the runtime: what is served, and what it may cost.

mod answer;
mod body;
mod conn;
mod files;
mod request;
mod timed;

use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use iip::net::TcpListener;
use iip::rt;

use crate::run::{Context, Counts};

/// What it counts.
pub const NAMES: &[&str] = &["accepted", "closed", "requests", "answers_ok", "answers_refused", "timeouts", "bytes"];
const ACCEPTED: usize = 0;
const CLOSED: usize = 1;
const REQUESTS: usize = 2;
const OK: usize = 3;
const REFUSED: usize = 4;
const TIMEOUTS: usize = 5;
const BYTES: usize = 6;

/// What is served, and how long it may take.
#[derive(Debug)]
pub struct Site {
    /// The directory; none: what is built in.
    pub root: Option<File>,
    /// Bytes of a body to `/sink`.
    pub body_max: u64,
    /// For the head of a request.
    pub head: Duration,
    /// For 16 KiB of a body, either way.
    pub body: Duration,
    /// Between requests.
    pub idle: Duration,
}

/// Counted when it is over, in whatever way.
struct Closed(Arc<Counts>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.add(CLOSED, 1);
    }
}

/// Serves on one loop.
pub async fn worker(context: Context, site: Site) {
    let listener = match TcpListener::bind(context.any()) {
        Ok(listener) => listener,
        Err(e) => return context.fail("--listen", &e),
    };
    context.ready();
    let few = timed::free_frames() / 4;
    let site = Rc::new(site);
    while let Ok(stream) = listener.accept().await {
        let (site, counts) = (site.clone(), context.counts.clone());
        rt::spawn_local(async move {
            counts.add(ACCEPTED, 1);
            let _closed = Closed(counts.clone());
            conn::serve(stream, &site, &counts, few).await;
        });
    }
}
