//! A stream whose steps have time limits. Bodies may take as long as they take, while they advance.

use std::time::{Duration, Instant};

use iip::net::TcpStream;
use iip::{rt, RxBuf, TxBuf};

/// So much must have passed for a limit to begin anew.
const PROGRESS: u64 = 16384;

/// Why a connection ends.
pub enum Stop {
    /// The time is over.
    Late,
    /// The peer's end, or a failure.
    Gone,
}

/// A limit, and what has passed since it began.
pub struct Limit {
    time: Duration,
    until: Instant,
    passed: u64,
}

impl Limit {
    pub fn new(time: Duration) -> Limit {
        Limit { time, until: Instant::now() + time, passed: 0 }
    }

    /// So many bytes of a body have passed.
    pub fn advance(&mut self, n: u64) {
        self.passed += n;
        if self.passed >= PROGRESS {
            *self = Limit::new(self.time);
        }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Input that is looked at before it is used up.
pub struct Input<'s> {
    pub stream: &'s TcpStream,
    part: Option<RxBuf>,
}

impl<'s> Input<'s> {
    pub fn new(stream: &'s TcpStream) -> Input<'s> {
        Input { stream, part: None }
    }

    /// The first bytes that are there; none: the peer has sent all.
    pub async fn peek(&mut self, limit: &Limit) -> Result<Option<&RxBuf>, Stop> {
        if self.part.is_none() {
            let part = rt::timeout(limit.left(), self.stream.recv()).await.ok_or(Stop::Late)?;
            self.part = part.map_err(|_| Stop::Gone)?;
        }
        Ok(self.part.as_ref())
    }

    /// So many of them are used up.
    pub fn used(&mut self, n: usize) {
        if let Some(part) = &mut self.part {
            part.advance(n);
            if part.is_empty() {
                self.part = None;
            }
        }
    }
}

/// Sends what `fill` puts into an empty buffer.
pub async fn send(
    stream: &TcpStream,
    limit: &Limit,
    fill: impl FnOnce(&mut TxBuf) -> Result<(), Stop>,
) -> Result<u64, Stop> {
    let buf = rt::timeout(limit.left(), stream.tx_buf()).await.ok_or(Stop::Late)?;
    let mut buf = buf.map_err(|_| Stop::Gone)?;
    fill(&mut buf)?;
    let n = buf.len() as u64;
    rt::timeout(limit.left(), stream.send(buf)).await.ok_or(Stop::Late)?.map_err(|_| Stop::Gone)?;
    Ok(n)
}
