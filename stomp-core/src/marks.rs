//! Marks: the octets that may mean more than themselves in a head.
//!
//! Nearly all octets of a head mean only themselves. So a block is classified as a whole, by plain
//! comparisons that become vector instructions, and the few marks in it are looked at one by one.

/// Octets classified at once: as many as a word has bits.
pub(crate) const BLOCK: usize = 64;

/// How many octets of `text` may mean more than themselves.
pub(crate) fn count(text: &[u8]) -> usize {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let marks = |block: &[u8; BLOCK]| of(block).count_ones() as usize;
    let last = if rest.is_empty() { 0 } else { marks(&padded(rest)) };
    blocks.iter().map(marks).sum::<usize>() + last
}

/// A bit for each octet that may mean more than itself, the first octet's lowest. Control characters
/// below CR are among them and are passed over later: one comparison instead of four.
#[inline]
pub(crate) fn of(block: &[u8; BLOCK]) -> u64 {
    let flags = block
        .map(|octet| u8::from(octet <= b'\r') | u8::from(octet == b':') | u8::from(octet == b'\\'));
    let (words, _) = flags.as_chunks::<8>();
    words.iter().rev().fold(0, |marks, word| (marks << 8) | gathered(*word))
}

/// The lowest bits of eight octets side by side: the multiplication moves bit 8i to bit 56 + i.
#[inline]
fn gathered(flags: [u8; 8]) -> u64 {
    u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The last octets of the input, filled up with some that mean nothing.
pub(crate) fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b'.'; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_at_every_place_of_a_block() {
        for mark in [0, b'\n', b'\r', b':', b'\\'] {
            for place in 0..BLOCK {
                let mut block = [b'a'; BLOCK];
                block[place] = mark;
                assert_eq!(of(&block), 1 << place);
            }
        }
    }

    #[test]
    fn other_octets_are_no_marks() {
        for octet in 0..=255_u8 {
            let is_mark = octet <= b'\r' || octet == b':' || octet == b'\\';
            assert_eq!(of(&[octet; BLOCK]) != 0, is_mark, "{octet}");
        }
        assert_eq!(of(&[b':'; BLOCK]), u64::MAX);
    }

    #[test]
    fn all_marks_of_a_text_are_counted() {
        for length in [0, 1, 63, 64, 65, 127, 128, 200] {
            assert_eq!(count(&vec![b':'; length]), length);
            assert_eq!(count(&vec![b'a'; length]), 0);
        }
    }
}
