//! What we refuse to buffer, and why.

/// The most that a [`Decoder`](crate::Decoder) accepts of each part of a frame, in octets except
/// where said otherwise. Everything is counted while octets arrive, so what an unfinished frame
/// holds in memory never exceeds these limits by more than one read.
///
/// The specifications allow servers to place such limits (STOMP 1.2, *Size Limits*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The command line without its end of line. Default 32: twice the longest command. A peer that
    /// speaks another protocol is found out at once.
    pub command: usize,
    /// One header line, name and colon and value without the end of line. Default 10 KiB: room for
    /// an 8 KiB token.
    pub header_line: usize,
    /// Header lines in a frame, repeated ones included. Default 64. Each costs an index entry.
    pub headers: usize,
    /// Everything before the body: command, headers, and the blank line. Default 64 KiB. Never more
    /// than 2 GiB, whatever is asked.
    pub head: usize,
    /// The body. Default 4 MiB. A content-length above it is refused before the body is read.
    pub body: usize,
}

impl Limits {
    /// Positions in a head are kept in 31 bits.
    const LARGEST_HEAD: usize = i32::MAX as usize;

    pub(crate) fn longest_head(&self) -> usize {
        self.head.min(Self::LARGEST_HEAD)
    }

    pub(crate) fn longest_command(&self) -> usize {
        self.command.min(self.longest_head())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command: 32,
            header_line: 10 * 1024,
            headers: 64,
            head: 64 * 1024,
            body: 4 * 1024 * 1024,
        }
    }
}
