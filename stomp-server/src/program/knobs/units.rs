//! How values are written: sizes, times, addresses, numbers.

use std::{
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// Octets: `65536`, `64KiB`, `4MiB`, `1GiB`; at least one.
///
/// # Errors
/// With what it looks like; so for all of these.
pub fn size(text: &str) -> Result<usize, String> {
    let size = text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    size.ok_or_else(|| "a size is like 65536, 64KiB or 4MiB".to_owned())
}

/// A time: `500ms`, `10s`, `1m 30s`, `12h`, `7d`.
pub fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "a time is like 500ms, 10s, 5m, 12h or 7d".to_owned())
}

/// A whole number.
pub fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "a whole number, not so large and not below 0".to_owned())
}

/// A whole number from 1 on.
pub fn count<N: FromStr + Default + PartialEq>(text: &str) -> Result<N, String> {
    let number = text.parse().ok().filter(|number| *number != N::default());
    number.ok_or_else(|| "a whole number from 1 on".to_owned())
}

/// A number from 1 on, or `off`.
pub fn maximum(text: &str) -> Result<Option<NonZeroU32>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| "a number from 1 on, or off".to_owned())
}

/// `true` or `false`, and what people write for them.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// An address with a port, or `none` (also `off`).
pub fn listener(text: &str) -> Result<Option<SocketAddr>, String> {
    if matches!(text, "none" | "off") {
        return Ok(None);
    }
    let address = text.parse().map(Some);
    address.map_err(|_| "an address is like 127.0.0.1:61613 (or none)".to_owned())
}

/// A path.
pub fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a path".to_owned()) } else { Ok(text.into()) }
}

/// Any text.
pub fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// One of several words, each standing for something.
pub fn one_of<T: Copy>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        known.ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!("one of {}", words.join(", "))
        })
    }
}

/// Something that is never shown. `@FILE` stands for what is in the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, without the line end of a file.
    ///
    /// # Errors
    /// Where the file cannot be read, or holds no text.
    pub fn read(&self) -> Result<String, String> {
        String::from_utf8(self.octets()?).map_err(|_| "the secret is no text".to_owned())
    }

    /// The same for a secret that need not be text.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn octets(&self) -> Result<Vec<u8>, String> {
        let Some(path) = self.file() else { return Ok(self.0.clone().into_bytes()) };
        let mut octets = std::fs::read(path)
            .map_err(|error| format!("the secret in {} cannot be read: {error}", path.display()))?;
        while octets.last().is_some_and(|last| matches!(last, b'\r' | b'\n')) {
            octets.pop();
        }
        Ok(octets)
    }

    /// The file that it is in, if it is in one.
    pub fn file(&self) -> Option<&Path> {
        self.0.strip_prefix('@').map(Path::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A secret, or `@FILE`.
pub fn secret(text: &str) -> Result<Secret, String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(Secret(text.to_owned())) }
}
