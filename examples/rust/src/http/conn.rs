//! One connection, from request to answer to the next request.

use std::time::Duration;

use iip::net::TcpStream;
use iip::rt;
use sha2::{Digest, Sha256};

use super::answer::{is_sink, prepare, Answer};
use super::request::{path, read, Request, HEAD_MAX};
use super::timed::{send, Input, Limit, Stop};
use super::{Site, BYTES, OK, REFUSED, REQUESTS, TIMEOUTS};
use crate::run::Counts;

/// How long the peer's end is waited for.
const LINGER: Duration = Duration::from_secs(5);
/// Longest body of a request that has no use for one.
const DISCARD_MAX: u64 = 1 << 20;

/// What came of reading something of a request.
enum Mistake {
    /// A status that the connection ends with.
    Status(u16),
    Stop(Stop),
}

impl From<Stop> for Mistake {
    fn from(stop: Stop) -> Mistake {
        Mistake::Stop(stop)
    }
}

struct Conn<'c> {
    input: Input<'c>,
    site: &'c Site,
    counts: &'c Counts,
    /// Fewer free packet buffers than that are few.
    few: u64,
}

pub async fn serve(stream: TcpStream, site: &Site, counts: &Counts, few: u64) {
    let _ = stream.set_nodelay(true);
    let mut conn = Conn { input: Input::new(&stream), site, counts, few };
    let answered = conn.requests().await;
    match answered {
        Ok(()) => conn.finish().await,
        Err(Stop::Late) => {
            counts.add(TIMEOUTS, 1);
            let _ = stream.abort(); // it does not read what it asked for
        }
        Err(Stop::Gone) => {}
    }
    drop(stream);
}

impl Conn<'_> {
    /// All of them; an error: the connection is not worth an end in order.
    async fn requests(&mut self) -> Result<(), Stop> {
        loop {
            let keep = match self.request().await {
                Ok(keep) => keep,
                Err(Mistake::Status(status)) => {
                    self.answer(Answer::short(status), false, false).await?;
                    false
                }
                Err(Mistake::Stop(stop)) => return Err(stop),
            };
            if !keep {
                return Ok(());
            }
        }
    }

    /// One request and its answer; `false`: none follows.
    async fn request(&mut self) -> Result<bool, Mistake> {
        if !self.begins().await? {
            return Ok(false);
        }
        let head = self.head().await?;
        self.counts.add(REQUESTS, 1);
        let request = read(&head).map_err(Mistake::Status)?;
        let path = path(&request.target);
        let sink = is_sink(&request, path.as_deref());
        let head_only = request.method == "HEAD";
        let has_body = request.chunked || request.length.is_some_and(|n| n > 0);
        let max = if sink { self.site.body_max } else { DISCARD_MAX };
        if request.length.is_some_and(|n| n > max) {
            return Err(Mistake::Status(413));
        }
        let mut keep = request.keep_alive;
        let mut answer = if sink { None } else { Some(prepare(self.site, &request, path.as_deref())) };
        if has_body && request.expects {
            match answer.take() {
                Some(answer) => {
                    self.answer(answer, false, head_only).await?; // whether the body comes is the client's choice
                    return Ok(false);
                }
                None => self.go_on().await?,
            }
        }
        let (n, digest) = self.body(&request, max).await?;
        let answer = answer.unwrap_or_else(|| Answer::sink(n, &digest));
        keep &= self.answer(answer, keep, head_only).await?;
        Ok(keep)
    }

    /// Whether another request begins. Empty lines before it are forgiven. [RFC 9112 2.2]
    async fn begins(&mut self) -> Result<bool, Mistake> {
        let limit = Limit::new(self.site.idle);
        loop {
            let first = match self.input.peek(&limit).await {
                Ok(Some(part)) => part[0],
                Ok(None) => return Ok(false),
                Err(Stop::Late) => {
                    self.counts.add(TIMEOUTS, 1);
                    return Ok(false); // nothing was asked, nothing is answered
                }
                Err(stop) => return Err(stop.into()),
            };
            match first {
                b'\r' | b'\n' => self.input.used(1),
                b'A'..=b'z' => return Ok(true),
                _ => return Err(Mistake::Status(400)), // TLS, or noise: no need to wait for the rest
            }
        }
    }

    fn late(&self, stop: Stop) -> Mistake {
        match stop {
            Stop::Late => {
                self.counts.add(TIMEOUTS, 1);
                Mistake::Status(408)
            }
            stop => Mistake::Stop(stop),
        }
    }

    /// A head, whole, in time.
    async fn head(&mut self) -> Result<Vec<u8>, Mistake> {
        let limit = Limit::new(self.site.head);
        let mut head = Vec::new();
        loop {
            let peeked = self.input.peek(&limit).await.map(|part| part.cloned());
            let part = peeked.map_err(|stop| self.late(stop))?.ok_or(Mistake::Status(400))?;
            let had = head.len();
            let n = part.len().min(HEAD_MAX - had);
            head.extend_from_slice(&part[..n]);
            if let Some(end) = end_of_head(&head, had) {
                self.input.used(end - had);
                head.truncate(end);
                return Ok(head);
            }
            drop(part);
            self.input.used(n);
            if head.len() == HEAD_MAX {
                return Err(Mistake::Status(if head.contains(&b'\n') { 431 } else { 414 }));
            }
        }
    }

    async fn go_on(&mut self) -> Result<(), Stop> {
        let fill = |buf: &mut iip::TxBuf| {
            buf.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            Ok(())
        };
        send(self.input.stream, &mut Limit::new(self.site.body), self.few, fill).await.map(drop)
    }

    /// Its length, and its digest.
    async fn body(&mut self, request: &Request, max: u64) -> Result<(u64, String), Mistake> {
        let (mut hash, mut n) = (Sha256::new(), 0);
        let mut limit = Limit::new(self.site.body);
        if !request.chunked {
            let length = request.length.unwrap_or(0);
            self.piece(&mut limit, length, &mut hash).await?;
            return Ok((length, format!("{:x}", hash.finalize())));
        }
        loop {
            let size = self.line(&mut limit).await?;
            let digits = size.split([';', ' ', '\t']).next().unwrap_or_default();
            let size = u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
            let size = size.ok_or(Mistake::Status(400))?;
            if size == 0 {
                break;
            }
            n += size;
            if n > max {
                return Err(Mistake::Status(413));
            }
            self.piece(&mut limit, size, &mut hash).await?;
            self.end_of_chunk(&mut limit).await?;
        }
        while !self.line(&mut limit).await?.is_empty() {} // trailers
        Ok((n, format!("{:x}", hash.finalize())))
    }

    async fn piece(&mut self, limit: &mut Limit, mut left: u64, hash: &mut Sha256) -> Result<(), Mistake> {
        while left > 0 {
            let peeked = self.input.peek(limit).await.map(|part| part.cloned());
            let part = peeked.map_err(|stop| self.late(stop))?.ok_or(Mistake::Status(400))?;
            let n = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            hash.update(&part[..n]);
            drop(part);
            self.input.used(n);
            limit.advance(n as u64);
            left -= n as u64;
        }
        Ok(())
    }

    async fn byte(&mut self, limit: &Limit) -> Result<u8, Mistake> {
        let peeked = self.input.peek(limit).await.map(|part| part.map(|part| part[0]));
        let byte = peeked.map_err(|stop| self.late(stop))?.ok_or(Mistake::Status(400))?;
        self.input.used(1);
        Ok(byte)
    }

    /// Told at once where it is not one: more may never come.
    async fn end_of_chunk(&mut self, limit: &mut Limit) -> Result<(), Mistake> {
        for want in *b"\r\n" {
            if self.byte(limit).await? != want {
                return Err(Mistake::Status(400));
            }
        }
        Ok(())
    }

    /// A line between chunks.
    async fn line(&mut self, limit: &mut Limit) -> Result<String, Mistake> {
        let mut line = Vec::new();
        loop {
            let byte = self.byte(limit).await?;
            match byte {
                b'\n' if line.last() == Some(&b'\r') => {
                    line.pop();
                    return String::from_utf8(line).map_err(|_| Mistake::Status(400));
                }
                b'\n' => return Err(Mistake::Status(400)),
                _ if line.last() == Some(&b'\r') || line.len() >= HEAD_MAX => return Err(Mistake::Status(400)),
                _ if line.is_empty() && !(byte.is_ascii_graphic() || byte == b'\r') => {
                    return Err(Mistake::Status(400))
                }
                _ => line.push(byte),
            }
        }
    }

    /// Head and body, in as few buffers as they need; returns `keep`.
    async fn answer(&mut self, mut answer: Answer, keep: bool, head_only: bool) -> Result<bool, Stop> {
        self.counts.add(if answer.status == 200 { OK } else { REFUSED }, 1);
        let mut limit = Limit::new(self.site.body);
        let head = answer.head(keep);
        let mut head = head.as_bytes();
        let stream = self.input.stream;
        let mut left = if head_only { 0 } else { answer.body.left() };
        while !head.is_empty() || left > 0 {
            let sent = send(stream, &mut limit, self.few, |buf| {
                let n = buf.extend_from_slice(head);
                head = &head[n..];
                let n = buf.spare().min(usize::try_from(left).unwrap_or(usize::MAX));
                let at = buf.len();
                buf.resize(at + n);
                left -= n as u64;
                answer.body.read(&mut buf[at..]).map_err(|_| {
                    let _ = stream.abort(); // the length that was promised cannot be kept: let the client see that
                    Stop::Gone
                })
            });
            let sent = sent.await?;
            self.counts.add(BYTES, sent);
            limit.advance(sent);
        }
        Ok(keep)
    }

    /// No more to say. Then the peer's end is waited for, reading and forgetting: a close with unread input would be a RST,
    /// which may overtake the answer. [RFC 9112 9.6]
    async fn finish(&mut self) {
        let _ = self.input.stream.shutdown();
        let forget = async {
            let limit = Limit::new(LINGER);
            while let Ok(Some(part)) = self.input.peek(&limit).await {
                let n = part.len();
                self.input.used(n);
            }
        };
        let _ = rt::timeout(LINGER, forget).await;
    }
}

/// Behind the empty line, looked for from a little before `from` on.
fn end_of_head(head: &[u8], from: usize) -> Option<usize> {
    let from = from.saturating_sub(3);
    let lines = head[from..].windows(2).position(|w| w == b"\n\n").map(|at| from + at + 2);
    let marks = head[from..].windows(4).position(|w| w == b"\r\n\r\n").map(|at| from + at + 4);
    lines.into_iter().chain(marks).min()
}
