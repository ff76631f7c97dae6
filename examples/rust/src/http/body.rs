//! Bodies of answers: memory stays flat whatever their size, for only what fits a packet buffer is made, in its place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::pattern::Pattern;

enum Source {
    Memory(Vec<u8>),
    File(File),
    Pattern,
}

/// A body, read from its front.
pub struct Body {
    pub kind: &'static str,
    source: Source,
    at: u64,
    end: u64,
}

impl Body {
    pub fn memory(kind: &'static str, bytes: Vec<u8>) -> Body {
        Body { kind, end: bytes.len() as u64, source: Source::Memory(bytes), at: 0 }
    }

    pub fn file(kind: &'static str, file: File, len: u64) -> Body {
        Body { kind, source: Source::File(file), at: 0, end: len }
    }

    pub fn pattern(len: u64) -> Body {
        Body { kind: "application/octet-stream", source: Source::Pattern, at: 0, end: len }
    }

    /// Bytes that are left.
    pub fn left(&self) -> u64 {
        self.end - self.at
    }

    /// Fills `to`, which is not longer than what is left. An error: the file became shorter, or cannot be read.
    pub fn read(&mut self, to: &mut [u8]) -> io::Result<()> {
        match &self.source {
            Source::Memory(bytes) => to.copy_from_slice(&bytes[self.at as usize..][..to.len()]),
            Source::File(file) => file.read_exact_at(to, self.at)?,
            Source::Pattern => Pattern::at(self.at).fill(to),
        }
        self.at += to.len() as u64;
        Ok(())
    }
}
