//! A scan of header lines that works in blocks and can stop anywhere.
//!
//! Only the marks of a block are looked at: colon, backslash, line ends, NUL. Where the octets run
//! out the scan remembers its place, so a head that comes one octet at a time is read once and not
//! over and over.

use crate::{
    Command, DecodeError, Limits, Version,
    escape::Escaping,
    header::{HeaderIndex, Reading},
    marks::{self, BLOCK},
    names, parse,
};

/// Where the scan of a head stands, and what it has found. Positions count from the first octet of
/// the frame.
#[derive(Debug, Default)]
pub(crate) struct HeaderScan {
    pub(crate) index: HeaderIndex,
    /// The first content-length, if one was read.
    pub(crate) content_length: Option<usize>,
    /// Whether an octet above 127 was seen, perhaps only behind the head.
    beyond_ascii: bool,
    pub(crate) rules: Rules,
    position: usize,
    line: Line,
}

/// What the scan holds lines against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    limits: Limits,
    escaping: Escaping,
    pub(crate) version: Version,
}

impl Rules {
    pub(crate) fn new(limits: Limits, command: Command, version: Version) -> Self {
        let limits = Limits { head: limits.longest_head(), ..limits };
        Self { limits, escaping: Escaping::of(command, version), version }
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading::of(self.escaping, self.version)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::new(Limits::default(), Command::Send, Version::V1_2)
    }
}

/// The line being read.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    start: usize,
    /// 0 until there is one: no line starts at 0, the command is there.
    colon: usize,
    backslash: bool,
    /// The last position that a mark may have without a closer look at the limits.
    bound: usize,
}

impl Line {
    fn from(start: usize, limits: &Limits) -> Self {
        let bound = start.saturating_add(limits.header_line).min(limits.head.saturating_sub(1));
        Self { start, colon: 0, backslash: false, bound }
    }
}

/// What an octet means for the scan.
enum Step {
    Go,
    /// A CR came last: its LF is still to come.
    Stop,
    /// The blank line ends here.
    End(usize),
}

impl HeaderScan {
    /// A scan of the lines from `start`, which is just behind the command's line.
    pub(crate) fn new(start: usize, rules: Rules) -> Self {
        Self {
            index: HeaderIndex::default(),
            content_length: None,
            beyond_ascii: false,
            position: start,
            line: Line::from(start, &rules.limits),
            rules,
        }
    }

    /// Begins anew with the lines from `start`, which is just behind the command's line.
    pub(crate) fn begin(&mut self, start: usize, rules: Rules) {
        self.index.clear();
        self.content_length = None;
        self.beyond_ascii = false;
        self.position = start;
        self.line = Line::from(start, &rules.limits);
        self.rules = rules;
    }

    /// Reads on in `input`, which begins with the frame's first octet. Gives the length of the head
    /// once the blank line is there, and `None` while more is needed.
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Option<usize>, DecodeError> {
        while let Some(rest) = input.get(self.position..).filter(|rest| !rest.is_empty()) {
            let step = match rest.first_chunk::<BLOCK>() {
                Some(block) => self.block(input, block, BLOCK)?,
                None => self.block(input, &marks::padded(rest), rest.len())?,
            };
            match step {
                Step::Go => {}
                Step::Stop => break,
                Step::End(length) => {
                    self.check_utf8(&input[..length])?;
                    return Ok(Some(length));
                }
            }
        }
        self.check_unfinished_line()?;
        Ok(None)
    }

    /// The whole `head` at once, and only where an octet above 127 was seen.
    fn check_utf8(&self, head: &[u8]) -> Result<(), DecodeError> {
        if self.beyond_ascii && std::str::from_utf8(head).is_err() {
            return Err(DecodeError::InvalidUtf8);
        }
        Ok(())
    }

    /// Looks at the marks of a block whose first `length` octets are of the input.
    #[inline]
    fn block(
        &mut self,
        input: &[u8],
        block: &[u8; BLOCK],
        length: usize,
    ) -> Result<Step, DecodeError> {
        let base = self.position;
        self.beyond_ascii |= !block.is_ascii();
        let mut marks = marks::of(block);
        while marks != 0 {
            let at = base + marks.trailing_zeros() as usize;
            marks &= marks - 1;
            match self.mark(input, at)? {
                Step::Go => {}
                Step::Stop => {
                    self.position = at;
                    return Ok(Step::Stop);
                }
                end => return Ok(end),
            }
        }
        self.position = base + length;
        Ok(Step::Go)
    }

    #[inline]
    fn mark(&mut self, input: &[u8], at: usize) -> Result<Step, DecodeError> {
        if at > self.line.bound {
            self.check_bound(input, at)?;
        }
        match input[at] {
            b':' if self.line.colon == 0 => self.line.colon = at,
            b'\n' => return self.end_of_line(input, at),
            b'\\' => self.line.backslash = true,
            b'\r' => match input.get(at + 1) {
                Some(b'\n') => {}
                Some(_) => return Err(DecodeError::LoneCarriageReturn),
                None => return Ok(Step::Stop),
            },
            0 => return Err(DecodeError::NulInHead),
            _ => {}
        }
        Ok(Step::Go)
    }

    #[inline]
    fn end_of_line(&mut self, input: &[u8], at: usize) -> Result<Step, DecodeError> {
        let end = at - usize::from(input[at - 1] == b'\r');
        if end <= self.line.start {
            return Ok(Step::End(at + 1));
        }
        self.header(input, end)?;
        self.line = Line::from(at + 1, &self.rules.limits);
        Ok(Step::Go)
    }

    /// `header = header-name ":" header-value`
    #[inline]
    fn header(&mut self, input: &[u8], end: usize) -> Result<(), DecodeError> {
        let Line { start, colon, backslash, .. } = self.line;
        match colon {
            0 => return Err(DecodeError::MissingColon),
            _ if colon == start => return Err(DecodeError::EmptyHeaderName),
            _ => {}
        }
        if self.index.len() >= self.rules.limits.headers {
            return Err(DecodeError::TooManyHeaders { limit: self.rules.limits.headers });
        }
        let escaped = backslash && self.rules.escaping != Escaping::Literal;
        if escaped {
            self.check_escapes(&input[start..end])?;
        }
        if colon - start == names::CONTENT_LENGTH.len() && self.content_length.is_none() {
            self.content_length(&input[start..colon], &input[colon + 1..end])?;
        }
        self.index.push(start, colon, end, escaped);
        Ok(())
    }

    #[cold]
    fn check_escapes(&self, line: &[u8]) -> Result<(), DecodeError> {
        if self.rules.escaping.allows(line) { Ok(()) } else { Err(DecodeError::UndefinedEscape) }
    }

    /// Not inlined, as is no other rare case: the loop over marks keeps its registers.
    #[inline(never)]
    fn content_length(&mut self, name: &[u8], value: &[u8]) -> Result<(), DecodeError> {
        if name == names::CONTENT_LENGTH.as_bytes() {
            let length = parse::content_length(value, self.rules.version)?;
            if length > self.rules.limits.body {
                return Err(DecodeError::BodyTooLong { limit: self.rules.limits.body });
            }
            self.content_length = Some(length);
        }
        Ok(())
    }

    /// A mark is behind the bound. It is a fault, unless it is the LF of a CR LF that ends a line of
    /// just the longest length.
    #[cold]
    fn check_bound(&self, input: &[u8], at: usize) -> Result<(), DecodeError> {
        let longest = self.longest();
        let ends_line = input[at] == b'\n' && input[at - 1] == b'\r' && at - 1 == longest;
        if ends_line && at < self.rules.limits.head { Ok(()) } else { Err(self.too_long()) }
    }

    fn check_unfinished_line(&self) -> Result<(), DecodeError> {
        match self.position.checked_sub(1) {
            Some(last) if self.position > self.line.start && self.is_over(last) => {
                Err(self.too_long())
            }
            _ => Ok(()),
        }
    }

    /// Whether the octet at `last`, which does not end the line, is one too many.
    fn is_over(&self, last: usize) -> bool {
        last >= self.longest() || last >= self.rules.limits.head
    }

    /// Where the longest line that is allowed ends.
    fn longest(&self) -> usize {
        self.line.start.saturating_add(self.rules.limits.header_line)
    }

    /// The limit that came first.
    fn too_long(&self) -> DecodeError {
        let Limits { header_line, head, .. } = self.rules.limits;
        if self.rules.limits.head <= self.longest() {
            DecodeError::HeadTooLong { limit: head }
        } else {
            DecodeError::HeaderLineTooLong { limit: header_line }
        }
    }
}
