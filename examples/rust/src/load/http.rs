//! GETs of one connection, several on their way.

use std::collections::VecDeque;
use std::time::Instant;

use iip::net::TcpStream;
use iip::RxBuf;

use super::{Bad, Load};
use crate::pattern::Pattern;

const HEAD_MAX: usize = 8192;

struct Answers<'s> {
    stream: &'s TcpStream,
    part: Option<RxBuf>,
}

fn failed(e: std::io::Error) -> Bad {
    Bad::Error(e.to_string())
}

impl Answers<'_> {
    /// The bytes that came next.
    async fn next(&mut self) -> Result<RxBuf, Bad> {
        match self.part.take() {
            Some(part) => Ok(part),
            None => self.stream.recv().await.map_err(failed)?.ok_or_else(|| Bad::Error("the server ended it".into())),
        }
    }

    fn put_back(&mut self, mut part: RxBuf, used: usize) {
        part.advance(used);
        self.part = Some(part).filter(|part| !part.is_empty());
    }

    /// Status and length of the next answer.
    async fn head(&mut self) -> Result<(u16, u64), Bad> {
        let mut head = Vec::new();
        loop {
            let part = self.next().await?;
            let had = head.len();
            head.extend_from_slice(&part);
            if let Some(end) = find(&head, b"\r\n\r\n") {
                self.put_back(part, end + 4 - had);
                return read_head(&head[..end]).ok_or_else(|| Bad::Mismatch("what came is no answer".into()));
            }
            if head.len() > HEAD_MAX {
                return Err(Bad::Mismatch("the head of an answer has no end".into()));
            }
        }
    }

    /// Compares a body; `right` without a pattern is its length alone.
    async fn body(&mut self, mut left: u64, mut pattern: Option<Pattern>) -> Result<bool, Bad> {
        while left > 0 {
            let part = self.next().await?;
            let n = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if pattern.as_mut().is_some_and(|pattern| pattern.check(&part[..n]) != n) {
                return Ok(false);
            }
            left -= n as u64;
            self.put_back(part, n);
        }
        Ok(true)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

fn read_head(head: &[u8]) -> Option<(u16, u64)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    Some((status, length.trim().parse().ok()?))
}

pub(super) async fn talk(load: &Load, stream: &TcpStream) -> Result<(), Bad> {
    let path = &load.options.path;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", load.peer);
    let expect: Option<u64> = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok());
    let mut answers = Answers { stream, part: None };
    let mut asked = VecDeque::new();
    loop {
        while (asked.len() as u64) < load.options.depth && load.may_start() {
            stream.write_all(request.as_bytes()).await.map_err(failed)?;
            asked.push_back(Instant::now());
        }
        let Some(began) = asked.pop_front() else { break };
        let (status, length) = answers.head().await?;
        let right = answers.body(length, expect.map(|_| Pattern::at(0))).await?;
        if status != 200 || !right || expect.is_some_and(|n| n != length) {
            return Err(Bad::Mismatch("an answer that is not 200 with the right bytes".to_owned()));
        }
        load.answered(began);
        load.payload(length);
    }
    stream.shutdown().map_err(failed)?;
    let _ = stream.closed().await;
    Ok(())
}
