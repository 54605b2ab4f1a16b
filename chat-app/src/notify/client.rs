//! The one way in which requests leave for addresses that users named. No redirect is
//! followed, no answer is read beyond its cap, nothing takes longer than its time.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::Client as Pool,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::RootCertStore;

use super::{
    connector::{Connector, stands_for},
    endpoint::{Endpoint, Reach, Unfit},
    gateway::Outcome,
};

/// A request and the part of its answer that is read.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is read of an answer; FCM's tokens and all errors are shorter.
const ANSWER: usize = 16 * 1024;
/// Connections kept for the next request to the same host, and for how long.
const IDLE_PER_HOST: usize = 16;
const IDLE: Duration = Duration::from_secs(30);
/// Nobody is taken at his word for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Sends requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool<Connector, Full<Bytes>>,
    reach: Reach,
    patience: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// Its beginning, up to [`ANSWER`].
    pub(crate) body: Bytes,
}

/// Nothing came back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error("no answer within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// The address leads where it must not.
    #[error("{0}")]
    Forbidden(Unfit),
    #[error("{0}")]
    Broken(String),
}

impl Client {
    /// `authorities`: trusted beside the public ones.
    pub(crate) fn new(reach: Reach, authorities: RootCertStore) -> Result<Self, rustls::Error> {
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(4 * ANSWER)
            .build(Connector::new(reach, authorities)?);
        Ok(Self { pool, reach, patience: PATIENCE })
    }

    #[cfg(test)]
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether a device may be registered under this address. Of a name that cannot be looked
    /// up now nothing is known; the connector looks again.
    pub(crate) async fn check(&self, endpoint: &Endpoint) -> Result<(), Unfit> {
        self.reach.allows(endpoint.uri())?;
        if self.reach == Reach::Public {
            for ip in stands_for(endpoint.uri()).await {
                self.reach.allows_ip(ip)?;
            }
        }
        Ok(())
    }

    pub(super) async fn post(
        &self,
        to: &Uri,
        headers: &[(HeaderName, HeaderValue)],
        body: Vec<u8>,
    ) -> Result<Answer, Silence> {
        // Set one by one: a request that cannot be built has no header to blame.
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = to.clone();
        request.headers_mut().extend(headers.iter().cloned());
        self.answer(request, ANSWER).await
    }

    /// Asks for what is there, and reads `most` of it.
    pub(crate) async fn get(&self, from: &Uri, most: usize) -> Result<Answer, Silence> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = from.clone();
        self.answer(request, most).await
    }

    async fn answer(&self, request: Request<Full<Bytes>>, most: usize) -> Result<Answer, Silence> {
        let answered = tokio::time::timeout(self.patience, async {
            let response = self.pool.request(request).await.map_err(silence)?;
            let (parts, body) = response.into_parts();
            Ok((parts, beginning(body, most).await))
        });
        let (parts, body) = answered.await.map_err(|_| Silence::Late(self.patience))??;
        Ok(Answer { status: parts.status, retry_after: retry_after(&parts.headers), body })
    }
}

/// Reads up to the cap; what is broken off there is as good as its beginning.
async fn beginning(mut body: hyper::body::Incoming, most: usize) -> Bytes {
    let mut read = BytesMut::new();
    while read.len() < most {
        let Some(Ok(frame)) = body.frame().await else { break };
        if let Ok(data) = frame.into_data() {
            let rest = most - read.len();
            read.extend_from_slice(&data[..data.len().min(rest)]);
        }
    }
    read.freeze()
}

fn silence(error: hyper_util::client::legacy::Error) -> Silence {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        if let Some(unfit) = unfit(cause) {
            return Silence::Forbidden(unfit);
        }
    }
    Silence::Broken(format!("the connection failed: {cause}"))
}

fn unfit(cause: &(dyn std::error::Error + 'static)) -> Option<Unfit> {
    let inner = cause.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
    inner.and_then(|inner| inner.downcast_ref()).or_else(|| cause.downcast_ref()).cloned()
}

/// Seconds, or a date: both are in use.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => seconds_until(text)?,
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

fn seconds_until(date: &str) -> Option<u64> {
    use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let at = PrimitiveDateTime::parse(date, form).ok()?.assume_utc();
    u64::try_from((at - OffsetDateTime::now_utc()).whole_seconds()).ok().or(Some(0))
}

/// What an answer of a push service means, whichever service it is.
pub(super) fn outcome(answered: Result<Answer, Silence>) -> Outcome {
    let answer = match answered {
        Ok(answer) => answer,
        Err(Silence::Forbidden(unfit)) => {
            return Outcome::Refused { cause: format!("the address is not allowed: {unfit}") };
        }
        Err(silence) => {
            return Outcome::Later { wait: None, cause: silence.to_string(), service: true };
        }
    };
    let status = answer.status;
    match status.as_u16() {
        200..=299 => Outcome::Sent,
        404 | 410 => Outcome::Gone,
        // Keys and clocks can be put right while the push waits; overload passes.
        401 | 403 | 408 | 425 | 429 | 500..=599 => {
            let service = matches!(status.as_u16(), 408 | 429 | 500..);
            Outcome::Later { wait: answer.retry_after, cause: answer.cause(), service }
        }
        _ => Outcome::Refused { cause: answer.cause() },
    }
}

impl Answer {
    /// For the operator: the status, and the first words of what was said.
    pub(super) fn cause(&self) -> String {
        let said = String::from_utf8_lossy(&self.body);
        let plain = said.chars().map(|c| if c.is_control() { ' ' } else { c });
        let words: String = plain.take(160).collect();
        format!("answered {} {}", self.status.as_u16(), words.trim()).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(text: &'static str) -> Option<Duration> {
        retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]))
    }

    #[test]
    fn services_ask_for_patience_in_seconds_or_with_a_date_and_get_an_hour_at_most() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("86400"), Some(LONGEST_WAIT));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("Sat, 06 Nov 2094 08:49:37 GMT"), Some(LONGEST_WAIT));
        assert_eq!(wait("soon"), None);
    }
}
