//! One connection: messages and bulk.

use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Cx, Poll};
use std::time::Instant;

use iip::net::TcpStream;
use iip::rt::{self, Sleep};

use super::{Bad, Load, Mode};
use crate::pattern::Pattern;

const CHUNK: u64 = 1 << 16;

/// One connection: what is sent and what came.
struct Talk {
    load: Rc<Load>,
    stream: TcpStream,
    out: Pattern,
    check: Pattern,
    chunk: Vec<u8>,
    sent: u64,
    allowed: u64,
    received: u64,
    started: u64,
    finished: u64,
    stamps: std::collections::VecDeque<Instant>,
    verdict: Vec<u8>,
    shut: bool,
    end: Option<Pin<Box<Sleep>>>,
}

impl Talk {
    fn mode(&self) -> Mode {
        self.load.options.mode
    }

    fn start_message(&mut self) {
        if self.load.may_start() {
            self.stamps.push_back(Instant::now());
            self.started += 1;
            self.allowed += self.load.options.size;
        }
    }

    fn start(&mut self) {
        match self.mode() {
            Mode::Send => self.allowed = self.load.options.bytes.unwrap_or(u64::MAX),
            Mode::Pp => (0..self.load.options.depth).for_each(|_| self.start_message()),
            _ => {}
        }
    }

    /// Nothing more to send, ever.
    fn is_done(&self) -> bool {
        let over = self.load.over.get();
        match self.mode() {
            Mode::Send => over || self.sent == self.allowed,
            Mode::Recv => false,
            _ => self.finished == self.started && (over || self.load.quota.get() == 0),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>) -> Result<bool, Bad> {
        if self.shut {
            return Ok(false);
        }
        if self.is_done() {
            self.shut = true;
            let _ = self.stream.shutdown();
            return Ok(true);
        }
        let n = (self.allowed - self.sent).min(CHUNK);
        if n == 0 {
            return Ok(false);
        }
        self.chunk.resize(n as usize, 0);
        self.out.fill(&mut self.chunk);
        let taken = match self.stream.poll_write_from(cx, &self.chunk) {
            Poll::Ready(Ok(taken)) => taken as u64,
            Poll::Ready(Err(e)) => return Err(Bad::Error(e.to_string())),
            Poll::Pending => 0,
        };
        self.sent += taken;
        if taken < n {
            self.out = Pattern::at(self.sent);
        }
        if self.mode() == Mode::Send {
            self.load.payload(taken);
        }
        Ok(taken > 0)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        if self.mode() == Mode::Send {
            self.verdict.extend_from_slice(bytes);
            return Ok(());
        }
        let right = self.check.check(bytes) as u64;
        self.received += right;
        if right < bytes.len() as u64 {
            return Err(Bad::Mismatch(format!("a wrong byte at byte {} of a connection", self.received)));
        }
        self.load.payload(right);
        if self.mode() == Mode::Pp {
            if self.received > self.sent {
                return Err(Bad::Mismatch("more than was sent".to_owned()));
            }
            while self.finished < self.started && self.received >= (self.finished + 1) * self.load.options.size {
                self.finish_message();
            }
        }
        Ok(())
    }

    fn finish_message(&mut self) {
        self.finished += 1;
        if let Some(stamp) = self.stamps.pop_front() {
            self.load.answered(stamp);
        }
        self.start_message();
    }

    fn fin(&mut self) -> Result<(), Bad> {
        let want = format!("{} bytes right\n", self.sent);
        match self.mode() {
            Mode::Send if !self.shut || (!self.verdict.is_empty() && self.verdict != want.as_bytes()) => {
                return Err(Bad::Mismatch("the receiver did not get what was sent".to_owned()));
            }
            Mode::Recv if self.load.options.bytes.is_some_and(|n| n != self.received) => {
                return Err(Bad::Mismatch("an end too early".to_owned()));
            }
            Mode::Pp if !self.shut => return Err(Bad::Error("the server ended it".to_owned())),
            Mode::Send | Mode::Recv => self.load.totals.borrow_mut().requests += 1,
            _ => {}
        }
        if !self.shut {
            let _ = self.stream.shutdown();
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Bad>> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            self.end = None;
            self.load.over.set(true);
        }
        if self.load.over.get() && self.mode() == Mode::Recv {
            let _ = self.stream.abort(); // the other side would go on for ever
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut moved = self.write(cx)?;
            match self.stream.poll_recv(cx) {
                Poll::Ready(Ok(Some(bytes))) => {
                    self.data(&bytes)?;
                    moved = true;
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(self.fin()),
                Poll::Ready(Err(e)) => return Poll::Ready(Err(Bad::Error(e.to_string()))),
                Poll::Pending => {}
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }
}

pub(super) async fn talk(load: Rc<Load>, stream: TcpStream) -> Result<(), Bad> {
    if load.options.mode == Mode::Http {
        return super::http::talk(&load, &stream).await;
    }
    let mut talk = Talk {
        end: load.options.common.duration.map(|d| Box::pin(rt::sleep(d))),
        load,
        stream,
        out: Pattern::default(),
        check: Pattern::default(),
        chunk: Vec::new(),
        sent: 0,
        allowed: 0,
        received: 0,
        started: 0,
        finished: 0,
        stamps: std::collections::VecDeque::new(),
        verdict: Vec::new(),
        shut: false,
    };
    talk.start();
    let done = poll_fn(|cx| talk.poll(cx)).await;
    if done.is_err() {
        let _ = talk.stream.abort();
    }
    let _ = talk.stream.closed().await; // on purpose or not, it is over
    done
}
