//! Bytes that anybody can compute, see `examples/c/README.md`.

/// The stream from one of its positions on.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    at: u64,
}

fn byte(at: u64) -> u8 {
    let x = (at / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 32)).to_le_bytes()[(at % 8) as usize]
}

impl Pattern {
    /// From this position on.
    pub fn at(at: u64) -> Pattern {
        Pattern { at }
    }

    /// Writes what comes next.
    pub fn fill(&mut self, to: &mut [u8]) {
        let mut i = 0;
        while i < to.len() {
            if self.at % 8 == 0 && to.len() - i >= 8 {
                let x = (self.at / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                to[i..i + 8].copy_from_slice(&(x ^ (x >> 32)).to_le_bytes());
                (i, self.at) = (i + 8, self.at + 8);
            } else {
                to[i] = byte(self.at);
                (i, self.at) = (i + 1, self.at + 1);
            }
        }
    }

    /// Compares with what comes next; returns how many bytes are right, and moves on by as many.
    pub fn check(&mut self, bytes: &[u8]) -> usize {
        let mut want = [0; 1024];
        let mut done = 0;
        for part in bytes.chunks(want.len()) {
            let from = self.at;
            self.fill(&mut want[..part.len()]);
            let right = part.iter().zip(&want).take_while(|(a, b)| a == b).count();
            done += right;
            if right < part.len() {
                self.at = from + right as u64;
                break;
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_bytes() {
        let mut whole = vec![0; 5000];
        Pattern::at(0).fill(&mut whole);
        assert_eq!(whole[..8], ((0x9e37_79b9_7f4a_7c15u64) ^ 0x9e37_79b9).to_le_bytes());
        let (mut p, mut at) = (Pattern::at(0), 0);
        for n in [0usize, 1, 2, 7, 8, 9, 1023, 1024, 1025, 1901] {
            let mut part = vec![0; n];
            p.fill(&mut part);
            assert_eq!(part, whole[at..at + n]);
            at += n;
        }
        assert_eq!(Pattern::at(3).check(&whole[3..]), 4997);
        whole[4000] ^= 1;
        assert_eq!(Pattern::at(3).check(&whole[3..]), 3997);
    }
}
