//! Those who bring pushes: one for each kind of device.

mod fcm;
mod log;
mod sealed;
mod vapid;
mod webhook;
mod webpush;

use std::sync::Arc;

use async_trait::async_trait;

pub(crate) use self::{
    fcm::{Fcm, ServiceAccount},
    log::LogGateway,
    sealed::PAYLOAD_MAX,
    sealed::Recipient,
    vapid::Vapid,
    webhook::Webhook,
    webpush::{Payload, WebPush},
};
use super::gateway::{Address, Outcome, Push, PushGateway};

/// Sends each push along its device's kind.
pub(crate) struct Gateways {
    pub(crate) webpush: Arc<dyn PushGateway>,
    /// Where no service account was given, phones wait.
    pub(crate) fcm: Option<Arc<dyn PushGateway>>,
    pub(crate) webhook: Arc<dyn PushGateway>,
}

#[async_trait]
impl PushGateway for Gateways {
    async fn push(&self, to: &Address, push: &Push) -> Outcome {
        match (to, &self.fcm) {
            (Address::WebPush { .. }, _) => self.webpush.push(to, push).await,
            (Address::Webhook { .. }, _) => self.webhook.push(to, push).await,
            (Address::Fcm { .. }, Some(fcm)) => fcm.push(to, push).await,
            (Address::Fcm { .. }, None) => Outcome::Later {
                wait: None,
                cause: "no service account: see --fcm-credentials".to_owned(),
                service: true,
            },
        }
    }
}

/// A device of another kind than the gateway's: a mistake of this program.
fn wrong_kind(to: &Address) -> Outcome {
    Outcome::Refused { cause: format!("a {} device came to another's gateway", to.kind()) }
}
