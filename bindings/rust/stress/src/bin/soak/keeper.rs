//! Threads that keep received bytes for a while, and look at them again before they let them go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use iip::RxBuf;
use iip_stress::{Chance, Content};

use crate::Tally;

/// Received bytes, in one of the forms in which a program has them.
pub enum Held {
    Buf(RxBuf),
    Bytes(Bytes),
}

/// Some bytes of a stream, and where they belong.
pub struct Piece {
    pub held: Held,
    pub content: Content,
    pub at: u64,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Buf(buf) => buf,
            Held::Bytes(bytes) => bytes,
        }
    }

    fn is_right(&self) -> bool {
        self.content.is(self.at, self.bytes())
    }

    /// A share of a part of it.
    fn part(&self, chance: &mut Chance) -> Piece {
        let len = self.bytes().len() as u64;
        let from = chance.below(len + 1);
        let to = from + chance.below(len - from + 1);
        let range = from as usize..to as usize;
        let held = match &self.held {
            Held::Buf(buf) => Held::Buf(buf.slice(range)),
            Held::Bytes(bytes) => Held::Bytes(bytes.slice(range)),
        };
        Piece { held, content: self.content, at: self.at + from }
    }
}

/// How many pieces are kept by all, and how many may be.
pub struct Kept {
    now: AtomicU64,
    most: AtomicU64,
    limit: u64,
}

impl Kept {
    pub fn new(limit: u64) -> Kept {
        Kept { now: AtomicU64::new(0), most: AtomicU64::new(0), limit }
    }

    /// The most that were kept at a time.
    pub fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// One more, before it is handed over. `false`: there are too many.
    pub fn add(&self) -> bool {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        if now > self.limit {
            self.now.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.most.fetch_max(now, Ordering::Relaxed);
        true
    }

    fn let_go(&self, piece: Piece, tally: &Tally) {
        if !piece.is_right() {
            tally.stale(&piece.content, piece.at);
        }
        drop(piece);
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps what comes, and drops what is kept, in an order of its own, until nothing comes any more.
pub fn keep(pieces: &Receiver<Piece>, kept: &Arc<Kept>, tally: &Arc<Tally>, mut chance: Chance) {
    let mut mine: Vec<Piece> = Vec::new();
    let mut target = 0;
    loop {
        let mut idle = false;
        match pieces.recv_timeout(Duration::from_millis(5)) {
            Ok(piece) => {
                if chance.below(4) == 0 && kept.add() {
                    mine.push(piece.part(&mut chance));
                }
                mine.push(piece);
            }
            Err(RecvTimeoutError::Timeout) => idle = true, // it may be that all windows are closed
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if chance.below(1000) == 0 {
            target = chance.below(kept.limit) as usize; // sometimes few, sometimes many
        }
        let drops = match mine.len() {
            n if idle => n as u64 / 4 + 1,
            n if n > target => chance.below(4),
            _ => 0,
        };
        for _ in 0..drops.min(mine.len() as u64) {
            let piece = mine.swap_remove(chance.below(mine.len() as u64) as usize);
            kept.let_go(piece, tally);
        }
    }
    mine.into_iter().for_each(|piece| kept.let_go(piece, tally));
}
