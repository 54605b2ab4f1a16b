//! A bar for people, nothing for pipes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many octets or rows; with a terminal on stderr it is seen.
pub(super) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let unit = if what == "bytes" { "{bytes}/{total_bytes}" } else { "{human_pos}/{human_len}" };
    let template = format!("{{msg}} {{wide_bar}} {unit} {{elapsed}} (left {{eta}})");
    // A wrong template costs the looks, not the import.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
