//! A stream whose steps have time limits. Bodies may take as long as they take, while they advance.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use iip::net::TcpStream;
use iip::{rt, RxBuf, TxBuf};

/// So much must have passed for a limit to begin anew.
const PROGRESS: u64 = 16384;

/// When buffers are few, those who do not read what they asked for hold what others wait for: their limit is this.
const SCARCE: Duration = Duration::from_secs(1);

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
    since: Instant,
    passed: u64,
}

impl Limit {
    pub fn new(time: Duration) -> Limit {
        Limit { time, since: Instant::now(), passed: 0 }
    }

    /// So many bytes of a body have passed.
    pub fn advance(&mut self, n: u64) {
        self.passed += n;
        if self.passed >= PROGRESS {
            *self = Limit::new(self.time);
        }
    }

    fn left(&self) -> Duration {
        self.time.saturating_sub(self.since.elapsed())
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

/// Packet buffers of this loop that are free.
pub fn free_frames() -> u64 {
    rt::with_loop(|l| l.stats()).map_or(0, |stats| stats.frames_free)
}

/// Its peer took all that there was: it waits for a buffer of ours.
fn waits_for_us(stream: &TcpStream) -> bool {
    rt::with_loop(|l| l.conn_info(stream.conn())).is_ok_and(|info| info.unacked + info.unsent == 0)
}

/// What sends in time; with fewer than `few` free buffers the time is short.
async fn in_time<F: Future>(stream: &TcpStream, limit: &mut Limit, few: u64, sends: F) -> Result<F::Output, Stop> {
    let mut sends = pin!(sends);
    loop {
        if let Some(out) = rt::timeout(limit.left().min(SCARCE), sends.as_mut()).await {
            return Ok(out);
        }
        let late = limit.left().is_zero() || (limit.since.elapsed() >= SCARCE && free_frames() < few);
        if late && waits_for_us(stream) {
            *limit = Limit::new(limit.time);
        } else if late {
            return Err(Stop::Late);
        }
    }
}

/// Sends what `fill` puts into an empty buffer.
pub async fn send(
    stream: &TcpStream,
    limit: &mut Limit,
    few: u64,
    fill: impl FnOnce(&mut TxBuf) -> Result<(), Stop>,
) -> Result<u64, Stop> {
    let mut buf = in_time(stream, limit, few, stream.tx_buf()).await?.map_err(|_| Stop::Gone)?;
    fill(&mut buf)?;
    let n = buf.len() as u64;
    in_time(stream, limit, few, stream.send(buf)).await?.map_err(|_| Stop::Gone)?;
    Ok(n)
}
