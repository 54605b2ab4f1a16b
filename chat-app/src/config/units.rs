//! Addresses, times and sizes, as people write them.

use std::{net::SocketAddr, time::Duration};

pub(super) fn address(flag: &str, text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{flag} {text}: an address is like 127.0.0.1:8080."))
}

/// `90s`, `500ms`, `10m`, `12h`, `30d`.
pub(super) fn duration(flag: &str, text: &str) -> Result<Duration, String> {
    let fault = || format!("{flag} {text}: a time is a number with ms, s, m, h or d.");
    let (number, unit) = split_unit(text).ok_or_else(fault)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(fault()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(fault)
}

/// `64KiB`, `1MiB`, `65536`.
pub(super) fn size(flag: &str, text: &str) -> Result<usize, String> {
    let fault = || format!("{flag} {text}: a size is a number, perhaps with KiB or MiB.");
    let (number, unit) = split_unit(text).ok_or_else(fault)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(fault()),
    };
    let whole = number.checked_mul(bytes).and_then(|bytes| usize::try_from(bytes).ok());
    whole.filter(|bytes| *bytes > 0).ok_or_else(fault)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}
