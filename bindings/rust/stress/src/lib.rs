//! What the stress programs share: bytes that anybody can compute, and chance that a seed repeats.
#![forbid(unsafe_code)]

#[cfg(feature = "servers")]
pub mod pages;
#[cfg(feature = "servers")]
pub mod servers;

/// The guide's programs are documentation tests.
#[cfg(all(doctest, feature = "servers"))]
#[doc = include_str!("../../../../docs/guide/rust.md")]
pub struct Guide;

/// A stream of bytes: a function of its key and of the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content(pub u64);

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

impl Content {
    fn word(self, at: u64) -> [u8; 8] {
        mix(self.0.wrapping_add(mix(at / 8))).to_le_bytes()
    }

    /// Writes the bytes from offset `at` on.
    pub fn fill(self, mut at: u64, to: &mut [u8]) {
        let mut done = 0;
        while done < to.len() {
            let word = self.word(at);
            let part = &word[(at % 8) as usize..];
            let n = part.len().min(to.len() - done);
            to[done..done + n].copy_from_slice(&part[..n]);
            done += n;
            at += n as u64;
        }
    }

    /// Whether these are the bytes from offset `at` on.
    pub fn is(self, mut at: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let word = self.word(at);
            let part = &word[(at % 8) as usize..];
            let n = part.len().min(bytes.len());
            if bytes[..n] != part[..n] {
                return false;
            }
            bytes = &bytes[n..];
            at += n as u64;
        }
        true
    }
}

/// Numbers that look random; the same seed gives the same ones.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From this seed on.
    pub fn new(seed: u64) -> Chance {
        Chance(mix(seed ^ 0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0) % n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_right_in_any_division_and_nowhere_else() {
        let (content, mut chance) = (Content(7), Chance::new(1));
        let mut bytes = vec![0; 1000];
        content.fill(3, &mut bytes);
        let mut at = 0;
        while at < bytes.len() {
            let n = (chance.below(40) as usize).min(bytes.len() - at);
            let mut again = vec![0; n];
            content.fill(3 + at as u64, &mut again);
            assert_eq!(again, bytes[at..at + n]);
            assert!(content.is(3 + at as u64, &again));
            assert!(n < 4 || !content.is(4 + at as u64, &again) && !Content(8).is(3 + at as u64, &again));
            at += n;
        }
        bytes[999] ^= 1;
        assert!(!content.is(3, &bytes) && content.is(3, &bytes[..999]));
    }
}
