//! The search for the end of a body, which can stop anywhere.

use memchr::memchr;

use crate::{Command, DecodeError, parse};

/// Where the search for the end of a body stands. Positions count from the frame's first octet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyScan {
    start: usize,
    /// What has been looked at.
    position: usize,
    end: End,
}

/// How the end is known.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By content-length.
    After(usize),
    /// By the first NUL, at most this many octets on.
    AtNul(usize),
    /// The frame may have no body: only ends of line, which old clients send, up to a NUL or to a
    /// content-length.
    Empty { command: Command, length: Option<usize>, limit: usize },
}

impl Default for BodyScan {
    fn default() -> Self {
        Self { start: 0, position: 0, end: End::After(0) }
    }
}

impl BodyScan {
    /// A search from `start`, just behind the head, for a body of at most `limit` octets.
    pub(crate) fn new(
        command: Command,
        start: usize,
        content_length: Option<usize>,
        limit: usize,
    ) -> Self {
        let end = match content_length {
            length if !command.may_have_body() => End::Empty { command, length, limit },
            Some(length) => End::After(length),
            None => End::AtNul(limit),
        };
        Self { start, position: start, end }
    }

    /// The length of the head.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// Reads on in `input`, which begins with the frame's first octet. Gives the body's length once
    /// the NUL behind it is there.
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Option<usize>, DecodeError> {
        match self.end {
            End::After(length) => self.after(input, length),
            End::AtNul(limit) => self.at_nul(input, limit),
            End::Empty { command, length, limit } => self.empty(input, command, length, limit),
        }
    }

    fn after(&self, input: &[u8], length: usize) -> Result<Option<usize>, DecodeError> {
        let Some(behind) = input.get(self.start.saturating_add(length)..) else { return Ok(None) };
        match parse::settle(parse::null(behind)) {
            Ok(found) => Ok(found.map(|()| length)),
            Err(_) => Err(DecodeError::MissingNul),
        }
    }

    fn at_nul(&mut self, input: &[u8], limit: usize) -> Result<Option<usize>, DecodeError> {
        let found = memchr(0, &input[self.position..]).map(|at| self.position + at);
        self.position = found.unwrap_or(input.len());
        let length = self.position - self.start;
        if length > limit {
            return Err(DecodeError::BodyTooLong { limit });
        }
        Ok(found.map(|_| length))
    }

    fn empty(
        &mut self,
        input: &[u8],
        command: Command,
        length: Option<usize>,
        limit: usize,
    ) -> Result<Option<usize>, DecodeError> {
        let stop =
            length.map_or(input.len(), |length| input.len().min(self.start.saturating_add(length)));
        let rest = &input[self.position..stop];
        let other = rest.iter().position(|octet| !matches!(octet, b'\r' | b'\n'));
        self.position += other.unwrap_or(rest.len());
        let seen = self.position - self.start;
        match (other.map(|at| rest[at]), length) {
            (Some(0), None) if seen <= limit => Ok(Some(seen)),
            (Some(_), Some(_)) => Err(DecodeError::BodyNotAllowed(command)),
            _ if seen > limit => Err(DecodeError::BodyTooLong { limit }),
            (Some(_), None) => Err(DecodeError::BodyNotAllowed(command)),
            (None, Some(length)) => self.after(input, length),
            (None, None) => Ok(None),
        }
    }
}
