//! Refusals as the server writes them: ERROR frames, and problem documents in messages.

use std::time::Duration;

use serde::Deserialize;
use stomp_core::Frame;

use crate::problem::{Code, Problem};

/// What an ERROR frame says. Servers of other makes give no code; that counts as `protocol`.
pub(super) fn of_error(frame: &Frame) -> Problem {
    let header = |name| frame.header(name).map(std::borrow::Cow::into_owned);
    let detail = header("message").unwrap_or_else(|| "The server gave no reason.".to_owned());
    let code = header("code").as_deref().and_then(Code::from_word).unwrap_or(Code::Protocol);
    let mut problem = Problem::new(code, detail);
    problem.limit = header("limit").map(Into::into);
    problem.retry_after =
        header("retry-after-ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    problem
}

/// What a message of `/user/queue/errors` says.
pub(super) fn of_document(body: &[u8]) -> Problem {
    #[derive(Deserialize)]
    struct Document {
        code: String,
        detail: String,
        limit: Option<String>,
        retry_after_ms: Option<u64>,
    }
    let Ok(document) = serde_json::from_slice::<Document>(body) else {
        return Problem::new(Code::Invalid, "The server gave no reason that can be read.");
    };
    let code = Code::from_word(&document.code).unwrap_or(Code::Invalid);
    let mut problem = Problem::new(code, document.detail);
    problem.limit = document.limit.map(Into::into);
    problem.retry_after = document.retry_after_ms.map(Duration::from_millis);
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_frame_and_a_document_say_the_same() {
        let problem = Problem::new(Code::RateLimited, "Too many.")
            .with_limit("rate-send", 5)
            .with_retry_after(Duration::from_millis(250));
        let frame = Frame::builder(stomp_core::Command::Error)
            .header("message", "Too many.")
            .header("code", "rate-limited")
            .header("limit", "rate-send 5")
            .header("retry-after-ms", "250")
            .build();
        assert_eq!(of_error(&frame), problem);
        assert_eq!(of_document(problem.to_json("1").as_bytes()), problem);
    }
}
