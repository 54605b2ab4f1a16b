//! The log: on standard error, one line an event, as text or as JSON.
//!
//! What is said of a session stands in a span `connection`, with `number`, `transport`,
//! `peer` and, after the login, `user`. No passcode, token or body is ever logged.

use std::io::IsTerminal;

use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Which events are logged.
#[derive(Debug)]
pub struct Filter(Kind);

#[derive(Debug)]
enum Kind {
    /// By module and level.
    Plain(Targets),
    /// By fields of spans too, which costs more.
    Spans(Box<EnvFilter>),
}

impl Default for Filter {
    fn default() -> Self {
        Self(Kind::Plain(Targets::new().with_default(tracing::Level::INFO)))
    }
}

/// Reads a filter: `info`, `warn,stomp_server=debug`, `info,[connection{user=ann}]=trace`.
///
/// # Errors
/// With what it looks like.
pub fn filter(text: &str) -> Result<Filter, String> {
    let fault = || "a filter is like info, or warn,stomp_server=debug".to_owned();
    // A bare word that is no level would be taken for the name of a module and silence all else.
    let is_level = |word: &str| word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let mut words = text.split(',').map(str::trim);
    if words.any(|word| word.is_empty() || (!word.contains('=') && !is_level(word))) {
        return Err(fault());
    }
    if text.contains('[') {
        let filter = EnvFilter::builder().parse(text).map_err(|_| fault())?;
        return Ok(Filter(Kind::Spans(Box::new(filter))));
    }
    text.parse().map(|targets| Filter(Kind::Plain(targets))).map_err(|_| fault())
}

/// Starts the log of this process.
///
/// # Errors
/// Where the process has one already.
pub fn start(filter: Filter, format: Format) -> Result<(), String> {
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
    };
    let registry = tracing_subscriber::registry();
    let started = match filter.0 {
        Kind::Plain(targets) => registry.with(lines.with_filter(targets)).try_init(),
        Kind::Spans(filter) => registry.with(lines.with_filter(*filter)).try_init(),
    };
    started.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_modules_or_spans() {
        for good in ["info", "warn,stomp_server=debug", "off", "info,[connection{user=ann}]=trace"]
        {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["inof", "", "info,loud", "stomp_server=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
