//! Sending from outside a session.

use std::{fmt, sync::Arc};

use super::Emit;
use crate::broker::{Accepted, Broker, BrokerError};

/// Sends messages of the program: from a timer, an HTTP handler, another system. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use stomp_server::{Server, router::Emit};
///
/// let server = Server::builder().build();
/// let accepted = server.handle().send(Emit::to("/topic/news").text("we are open")).await?;
/// assert!(accepted.position.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Handle {
    broker: Arc<dyn Broker>,
}

impl Handle {
    pub(crate) fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker }
    }

    /// Sends it, and waits until the log has it. Nobody is asked for permission. Messages take
    /// their place in the order of these calls' first polls.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] if it was not sent for certain, [`BrokerError::Unknown`] if nobody
    /// knows; the same with [`Emit::deduplicated`] may be tried again then.
    pub async fn send(&self, emit: Emit) -> Result<Accepted, BrokerError> {
        self.broker.publish(emit.into_publish(None)?).await
    }

    pub(super) async fn publish(
        &self,
        publish: crate::broker::Publish,
    ) -> Result<Accepted, BrokerError> {
        self.broker.publish(publish).await
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
