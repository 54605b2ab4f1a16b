//! Where people register their devices.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stomp_server::problem::{Code, Problem};
use uuid::Uuid;

use super::{
    client::Client,
    content::{Language, trial},
    endpoint::{Endpoint, Unfit},
    gateway::{Address, Keys, Outcome, PushGateway},
    gateways::Recipient,
    ports::{Bound, Device, Devices},
};
use crate::domain::{RoomId, Timestamp, UserId};

/// Devices of one user.
const MOST: u32 = 20;
/// Shortest secret of a webhook, in characters.
const SECRET: usize = 32;
/// Longest secret, key or token.
const LONGEST: usize = 4096;

/// Registers, lists, tries and forgets devices.
pub(crate) struct Desk {
    pub(crate) devices: Arc<dyn Devices>,
    pub(crate) gateway: Arc<dyn PushGateway>,
    /// Knows where requests may go.
    pub(crate) client: Client,
    /// The public half of the VAPID key.
    pub(crate) vapid: String,
}

/// A device on its way in.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Registration {
    WebPush { endpoint: String, keys: Keys },
    Fcm { token: String },
    Webhook { url: String, secret: String },
}

/// A device as its owner sees it, without anything secret.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) id: String,
    kind: &'static str,
    /// Which push service, or whose webhook.
    host: String,
    created_at: Timestamp,
}

impl From<&Device> for Shown {
    fn from(device: &Device) -> Self {
        Self {
            id: device.id.clone(),
            kind: device.address.kind(),
            host: device.address.host().to_owned(),
            created_at: device.created_at,
        }
    }
}

impl Desk {
    /// Binds a device to the user and to the session that the request came with; whether it is
    /// a new one.
    pub(crate) async fn register(
        &self,
        user: &UserId,
        token: &str,
        language: Language,
        registration: Registration,
    ) -> Result<(Shown, bool), Problem> {
        let address = self.checked(registration).await?;
        let mut device = Device {
            id: Uuid::new_v4().to_string(),
            user: user.clone(),
            address,
            language,
            token: token.to_owned(),
            created_at: Timestamp::now(),
        };
        match self.devices.bind(&device, MOST).await? {
            Bound::Fresh => Ok((Shown::from(&device), true)),
            Bound::Again { id, created_at } => {
                (device.id, device.created_at) = (id, created_at);
                Ok((Shown::from(&device), false))
            }
            Bound::TooMany => {
                Err(Problem::new(Code::Limit, "A user has no more devices than this.")
                    .with_limit("devices", MOST.into()))
            }
        }
    }

    /// A page of the user's devices and where to go on.
    pub(crate) async fn list(
        &self,
        user: &UserId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Shown>, Option<String>), Problem> {
        let mut devices = self.devices.devices(user, cursor, limit + 1).await?;
        let more = devices.len() > limit as usize;
        devices.truncate(limit as usize);
        let cursor = devices.last().filter(|_| more).map(|device| device.id.clone());
        Ok((devices.iter().map(Shown::from).collect(), cursor))
    }

    pub(crate) async fn forget(&self, user: &UserId, id: &str) -> Result<(), Problem> {
        match self.devices.unbind(user, id).await? {
            true => Ok(()),
            false => Err(no_such_device()),
        }
    }

    /// What the session registered goes with it.
    pub(crate) async fn session_over(&self, token: &str) -> Result<(), Problem> {
        Ok(self.devices.unbind_session(token).await?)
    }

    /// All sessions of the user are over, but this one.
    pub(crate) async fn sessions_over(
        &self,
        user: &UserId,
        except: Option<&str>,
    ) -> Result<(), Problem> {
        Ok(self.devices.unbind_user(user, except).await?)
    }

    /// Sends a push to the device now, and says whether its service took it.
    pub(crate) async fn try_out(&self, user: &UserId, id: &str) -> Result<(), Problem> {
        let device = self.devices.device(user, id).await?.ok_or_else(no_such_device)?;
        // No room is called so: rooms of one's own making have the form of a UUID.
        let push = RoomId::parse("test").map(|room| trial(room, &device.id, device.language));
        let push = push.ok_or_else(no_such_device)?;
        match self.gateway.push(&device.address, &push).await {
            Outcome::Sent => Ok(()),
            Outcome::Gone => {
                self.devices.unbind(user, id).await?;
                let gone = "The push service does not know the device any more: it is removed.";
                Err(Problem::new(Code::NotFound, gone))
            }
            Outcome::Later { cause, wait, .. } => {
                let detail = format!("The push service did not take it: {cause}");
                let wait = wait.unwrap_or(Duration::from_secs(1));
                Err(Problem::new(Code::Unavailable, detail).with_retry_after(wait))
            }
            Outcome::Refused { cause } => {
                Err(invalid(format!("The push service did not take it: {cause}")))
            }
        }
    }

    async fn checked(&self, registration: Registration) -> Result<Address, Problem> {
        match registration {
            Registration::WebPush { endpoint, keys } => {
                let endpoint = self.endpoint(&endpoint).await?;
                if Recipient::parse(&keys).is_none() {
                    let keys =
                        "keys are p256dh, a point of P-256, and auth, 16 bytes, in base64url.";
                    return Err(invalid(keys));
                }
                Ok(Address::WebPush { endpoint, keys })
            }
            Registration::Fcm { token } => {
                let plain = token.bytes().all(|b| b.is_ascii_graphic());
                if token.is_empty() || token.len() > LONGEST || !plain {
                    return Err(invalid("token is a registration token of FCM."));
                }
                Ok(Address::Fcm { token })
            }
            Registration::Webhook { url, secret } => {
                let url = self.endpoint(&url).await?;
                let length = secret.chars().count();
                if length < SECRET || secret.len() > LONGEST {
                    return Err(invalid("secret has at least 32 characters."));
                }
                Ok(Address::Webhook { url, secret })
            }
        }
    }

    async fn endpoint(&self, text: &str) -> Result<Endpoint, Problem> {
        let unfit = |why: Unfit| invalid(format!("This address is not taken: {why}."));
        let endpoint = Endpoint::parse(text).map_err(unfit)?;
        self.client.check(&endpoint).await.map_err(unfit)?;
        Ok(endpoint)
    }
}

impl Device {
    /// What only one device can have at a time: two registrations of it are the same. Of a
    /// webhook the user is a part, for its address is no secret.
    pub(crate) fn place(&self) -> String {
        let (kind, user) = (self.address.kind(), self.user.as_str());
        let place = match &self.address {
            Address::WebPush { endpoint, .. } => format!("{kind} {endpoint}"),
            Address::Fcm { token } => format!("{kind} {token}"),
            Address::Webhook { url, .. } => format!("{kind} {user} {url}"),
        };
        Sha256::digest(place).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::Invalid, detail)
}

fn no_such_device() -> Problem {
    Problem::new(Code::NotFound, "There is no such device.")
}
