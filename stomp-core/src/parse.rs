//! The grammar: a nom function for each rule of it (STOMP 1.2, *Augmented BNF*).
//!
//! ```text
//! frame   = command EOL *( header EOL ) EOL *OCTET NULL *( EOL )
//! EOL     = [CR] LF
//! ```
//! Header lines are one combinator of our own, [`HeaderScan`]; escapes, heart-beats and version
//! lists have their rules beside their types.

use nom::{
    Err, IResult, Needed, Parser,
    bytes::streaming::tag,
    character::complete::digit1,
    combinator::{all_consuming, map_opt},
    error::{ErrorKind, ParseError},
};

use crate::{Command, DecodeError, Limits, Role, Version, header::trimmed, scan::HeaderScan};

type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// The error of the rules: ours, or nom's while alternatives are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(Option<DecodeError>);

impl<I> ParseError<I> for Fault {
    fn from_error_kind(_: I, _: ErrorKind) -> Self {
        Self(None)
    }

    fn append(_: I, _: ErrorKind, other: Self) -> Self {
        other
    }
}

fn fail<T>(error: DecodeError) -> Result<T, Err<Fault>> {
    Err(Err::Failure(Fault(Some(error))))
}

fn incomplete<T>() -> Result<T, Err<Fault>> {
    Err(Err::Incomplete(Needed::Unknown))
}

/// What a rule found: `None` while more octets are needed.
#[inline]
pub(crate) fn settle<T>(parsed: Parsed<'_, T>) -> Result<Option<T>, DecodeError> {
    match parsed {
        Ok((_, found)) => Ok(Some(found)),
        Err(Err::Incomplete(_)) => Ok(None),
        Err(Err::Error(Fault(error)) | Err::Failure(Fault(error))) => {
            Err(error.unwrap_or(DecodeError::UnknownCommand))
        }
    }
}

/// `*( EOL )`: how many octets of heart-beats `input` begins with. A CR whose LF is still to come
/// is not among them.
#[inline]
pub(crate) fn end_of_lines(input: &[u8]) -> Result<usize, DecodeError> {
    let mut rest = input;
    while let Ok((behind, _)) = end_of_line(rest) {
        rest = behind;
    }
    match rest {
        [b'\r', other, ..] if *other != b'\n' => Err(DecodeError::LoneCarriageReturn),
        _ => Ok(input.len() - rest.len()),
    }
}

/// `EOL = [CR] LF`
#[inline]
fn end_of_line(input: &[u8]) -> Parsed<'_, ()> {
    match input {
        [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => Ok((rest, ())),
        [] | [b'\r'] => incomplete(),
        [b'\r', ..] => fail(DecodeError::LoneCarriageReturn),
        _ => Err(Err::Error(Fault(None))),
    }
}

/// `command EOL`, and how many octets they are.
#[inline]
pub(crate) fn command_line<'a>(
    input: &'a [u8],
    sender: Role,
    limits: &Limits,
) -> Parsed<'a, (Command, usize)> {
    let limit = limits.longest_command();
    let window = &input[..input.len().min(limit + 1)];
    let Some(end) = window.iter().position(|octet| matches!(octet, b'\n' | b'\r' | 0)) else {
        let is_over = input.len() > limit;
        return if is_over { fail(DecodeError::CommandTooLong { limit }) } else { incomplete() };
    };
    let (word, rest) = input.split_at(end);
    if rest[0] == 0 {
        return fail(DecodeError::NulInHead);
    }
    let (rest, ()) = end_of_line(rest)?;
    let length = input.len() - rest.len();
    match Command::from_octets(word) {
        Some(command) if command.sender() == sender => Ok((rest, (command, length))),
        Some(command) => fail(DecodeError::UnexpectedCommand(command)),
        None => fail(DecodeError::UnknownCommand),
    }
}

/// `*( header EOL ) EOL`, going on where `scan` stopped: the length of the whole head.
#[inline]
pub(crate) fn header_lines<'a>(input: &'a [u8], scan: &mut HeaderScan) -> Parsed<'a, usize> {
    match scan.advance(input) {
        Ok(Some(length)) => Ok((&input[length..], length)),
        Ok(None) => incomplete(),
        Err(error) => fail(error),
    }
}

/// `content-length-value = 1*DIGIT`. In STOMP 1.0 spaces round it do not count.
pub(crate) fn content_length(value: &[u8], version: Version) -> Result<usize, DecodeError> {
    let value = if version == Version::V1_0 { trimmed(value) } else { value };
    match all_consuming(map_opt(digit1::<&[u8], ()>, number)).parse(value) {
        Ok((_, length)) => Ok(length),
        Err(_) => Err(DecodeError::InvalidContentLength),
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, digit| {
        number.checked_mul(10)?.checked_add(usize::from(digit - b'0'))
    })
}

/// `NULL` behind a body.
pub(crate) fn null(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, _) = tag(&b"\0"[..]).parse(input)?;
    Ok((rest, ()))
}
