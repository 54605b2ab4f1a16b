//! A naive parser of client frames, to hold the real one against. It knows nothing of blocks,
//! pieces, limits or memory: it looks for the blank line, cuts the lines, and copies everything.

use stomp_core::Version;

/// A frame as plain as can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) command: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Between frames.
    Whole,
    /// Within a frame.
    Unfinished,
    /// Where no more can be read.
    Fault,
}

pub(crate) fn parse(mut stream: &[u8], version: Version) -> (Vec<Plain>, End) {
    let mut frames = vec![];
    loop {
        stream = skip_ends_of_line(stream);
        match one(stream, version) {
            Ok(Some((frame, rest))) => {
                frames.push(frame);
                stream = rest;
            }
            Ok(None) if stream.is_empty() => return (frames, End::Whole),
            Ok(None) => return (frames, End::Unfinished),
            Err(()) => return (frames, End::Fault),
        }
    }
}

fn skip_ends_of_line(mut stream: &[u8]) -> &[u8] {
    while let Some(rest) = stream.strip_prefix(b"\r\n").or_else(|| stream.strip_prefix(b"\n")) {
        stream = rest;
    }
    stream
}

/// What was found and what is behind it; nothing while it is not whole.
type Found<'a, T> = Result<Option<(T, &'a [u8])>, ()>;

fn one(stream: &[u8], version: Version) -> Found<'_, Plain> {
    let Some((lines, rest)) = head(stream)? else { return Ok(None) };
    let Some((command, lines)) = lines.split_first() else { return Err(()) };
    if !COMMANDS.contains(&&command[..]) {
        return Err(());
    }
    let how = if ["CONNECT", "STOMP"].contains(&&command[..]) { None } else { Some(version) };
    let mut headers = vec![];
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(())?;
        if name.is_empty() {
            return Err(());
        }
        let value = if version == Version::V1_0 { value.trim_matches([' ', '\t']) } else { value };
        headers.push((unescape(name, how)?, unescape(value, how)?, line.as_str()));
    }
    let length = content_length(&headers, version)?;
    let headers = headers.into_iter().map(|(name, value, _)| (name, value)).collect();
    let Some((body, rest)) = body(rest, length)? else { return Ok(None) };
    if command != "SEND" && body.iter().any(|octet| ![b'\r', b'\n'].contains(octet)) {
        return Err(());
    }
    Ok(Some((Plain { command: command.clone(), headers, body: body.to_vec() }, rest)))
}

const COMMANDS: [&str; 11] = [
    "CONNECT",
    "STOMP",
    "SEND",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ACK",
    "NACK",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "DISCONNECT",
];

/// The lines before the blank one, and what is behind it.
fn head(stream: &[u8]) -> Found<'_, Vec<String>> {
    let mut lines = vec![];
    let mut rest = stream;
    loop {
        let Some(end) = rest.iter().position(|&octet| octet == b'\n') else { return Ok(None) };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        if line.contains(&b'\r') || line.contains(&0) {
            return Err(());
        }
        if line.is_empty() {
            let lines: Result<_, _> = lines.into_iter().map(String::from_utf8).collect();
            return Ok(Some((lines.map_err(drop)?, rest)));
        }
        lines.push(line.to_vec());
    }
}

fn unescape(text: &str, version: Option<Version>) -> Result<String, ()> {
    if matches!(version, None | Some(Version::V1_0)) {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('c') => ':',
                Some('\\') => '\\',
                Some('r') if version == Some(Version::V1_2) => '\r',
                _ => return Err(()),
            },
            other => other,
        });
    }
    Ok(out)
}

/// By the name as it is written: an escaped one is another header.
fn content_length(
    headers: &[(String, String, &str)],
    version: Version,
) -> Result<Option<usize>, ()> {
    let Some((_, _, line)) = headers.iter().find(|(.., line)| line.starts_with("content-length:"))
    else {
        return Ok(None);
    };
    let value = &line["content-length:".len()..];
    let value = if version == Version::V1_0 { value.trim_matches([' ', '\t']) } else { value };
    if value.is_empty() || !value.chars().all(|character| character.is_ascii_digit()) {
        return Err(());
    }
    let length = value.parse::<usize>().map_err(drop)?;
    if length > 4 * 1024 * 1024 { Err(()) } else { Ok(Some(length)) }
}

fn body(rest: &[u8], length: Option<usize>) -> Found<'_, &[u8]> {
    let end = match length {
        Some(length) => length,
        None => match rest.iter().position(|&octet| octet == 0) {
            Some(end) => end,
            None => return Ok(None),
        },
    };
    match rest.get(end) {
        None => Ok(None),
        Some(0) => Ok(Some((&rest[..end], &rest[end + 1..]))),
        Some(_) => Err(()),
    }
}
