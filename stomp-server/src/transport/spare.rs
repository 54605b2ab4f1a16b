//! Buffers that busy connections of a thread hand on to each other.
//!
//! A connection that waits holds none, so a busy one would ask the allocator for tens of
//! kilobytes with every read and write, and an allocator gives such pieces back to the kernel,
//! which has to clear them anew each time.

use std::cell::RefCell;

use bytes::BytesMut;

/// What a spare buffer holds.
pub(crate) const SIZE: usize = 32 * 1024;
/// Pieces smaller than this are what allocators are good at.
const WORTH_IT: usize = 4 * 1024;
/// One for reading, one for writing, and as many again.
const KEPT: usize = 4;

thread_local! {
    static SPARES: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for so many octets, or for [`SIZE`] if that is more.
pub(crate) fn buffer(octets: usize) -> BytesMut {
    if octets < WORTH_IT {
        return BytesMut::with_capacity(octets);
    }
    let mut spare = SPARES.with_borrow_mut(Vec::pop).unwrap_or_default();
    spare.reserve(octets.max(SIZE));
    spare
}

/// Takes a buffer that is not needed now. One that somebody still reads from is let go.
pub(crate) fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    if buffer.try_reclaim(SIZE) && buffer.capacity() <= 4 * SIZE {
        SPARES.with_borrow_mut(|spares| {
            if spares.len() < KEPT {
                spares.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_unless_somebody_reads_from_it() {
        let mut first = buffer(SIZE);
        first.extend_from_slice(b"frame");
        let place = first.as_ptr();
        let frame = first.split_to(5).freeze();
        drop(frame);
        give_back(first);
        let again = buffer(WORTH_IT);
        assert_eq!(again.as_ptr(), place);
        assert!(again.is_empty() && again.capacity() >= SIZE);
        let mut shared = again;
        shared.extend_from_slice(b"frame");
        let frame = shared.split_to(5).freeze();
        give_back(shared);
        assert_ne!(buffer(SIZE).as_ptr(), place);
        assert_eq!(&frame[..], b"frame");
    }

    #[test]
    fn small_ones_and_too_many_are_not_kept() {
        give_back(BytesMut::with_capacity(100));
        SPARES.with_borrow(|spares| assert!(spares.is_empty()));
        (0..KEPT + 2).for_each(|_| give_back(BytesMut::with_capacity(SIZE)));
        SPARES.with_borrow(|spares| assert_eq!(spares.len(), KEPT));
    }
}
