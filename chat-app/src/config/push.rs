//! Pushes: where they may go, and in whose name.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DatabaseChoice, Fault, Faults, PlaceArgs, UNREAD};

/// How pushes leave.
#[derive(Clone, Debug, Default)]
pub struct PushConfig {
    /// Requests may go to loopback, private addresses and http.
    pub allow_private: bool,
    /// Nothing leaves: every push is a line in the program's log.
    pub only_log: bool,
    /// The file with the VAPID key, if it is not the data folder's.
    pub vapid_key: Option<PathBuf>,
    /// Whom a push service's operators can write to: `mailto:` or `https:`.
    pub contact: Option<String>,
    /// The file with Firebase's service account.
    pub fcm_credentials: Option<PathBuf>,
    /// Where FCM is.
    pub fcm_url: String,
    /// A file with certificates of authorities that are trusted beside the public ones.
    pub authorities: Option<PathBuf>,
}

/// Where pushes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    /// To the devices
    Live,
    /// Into this program's log, for demos
    Log,
}

#[derive(Args)]
pub(super) struct PushArgs {
    /// Where pushes go
    #[arg(long, env = "CHAT_PUSH", default_value = "live")]
    push: Way,
    /// Let pushes go to loopback and private addresses and to http endpoints (tests, intranets)
    #[arg(long, env = "CHAT_ALLOW_PRIVATE_PUSH")]
    allow_private_push: bool,
    /// File with the VAPID key; processes that share a database share it [default: DATA/vapid.key]
    #[arg(long, env = "CHAT_VAPID_KEY")]
    vapid_key: Option<PathBuf>,
    /// mailto: or https: address for operators of push services; some insist on it
    #[arg(long, env = "CHAT_PUSH_CONTACT")]
    push_contact: Option<String>,
    /// File with Firebase's service account, for phones
    #[arg(long, env = "CHAT_FCM_CREDENTIALS")]
    fcm_credentials: Option<PathBuf>,
    /// Address of FCM
    #[arg(long, env = "CHAT_FCM_URL", default_value = "https://fcm.googleapis.com", hide = true)]
    fcm_url: String,
    /// File with certificates of more authorities that push endpoints may rest on
    #[arg(long, env = "CHAT_PUSH_CA")]
    push_ca: Option<PathBuf>,
}

impl PushArgs {
    pub(super) fn checked(self, faults: &mut Faults) -> PushConfig {
        let is_contact = |text: &String| text.starts_with("mailto:") || text.starts_with("https:");
        faults.check(self.push_contact.as_ref().is_none_or(is_contact), || {
            "--push-contact: a contact is like mailto:ops@example.org or https://example.org."
                .into()
        });
        PushConfig {
            allow_private: self.allow_private_push,
            only_log: self.push == Way::Log,
            vapid_key: self.vapid_key,
            contact: self.push_contact,
            fcm_credentials: self.fcm_credentials,
            fcm_url: self.fcm_url,
            authorities: self.push_ca,
        }
    }
}

/// What an operator wants with pushes that wait or were given up.
#[derive(Clone, Debug)]
pub struct NotificationsRequest {
    /// Where they are.
    pub database: DatabaseChoice,
    /// What to do.
    pub action: NotificationsAction,
    /// With which of them; with none named, with all that were given up.
    pub ids: Vec<i64>,
}

/// What can be done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NotificationsAction {
    /// Show pushes that wait or were given up
    List,
    /// Try those again that were given up: all, or the named ones
    Retry,
    /// Forget those that were given up, or the named ones
    Drop,
}

#[derive(Args)]
pub(super) struct NotificationsArgs {
    action: NotificationsAction,
    /// Which of them, by the numbers that list shows
    ids: Vec<i64>,
    #[command(flatten)]
    place: PlaceArgs,
}

impl NotificationsArgs {
    pub(super) fn checked(self) -> Result<NotificationsRequest, Fault> {
        let mut faults = Faults::default();
        let database = faults.take(self.place.database());
        faults.none()?;
        let database = database.unwrap_or(UNREAD);
        Ok(NotificationsRequest { database, action: self.action, ids: self.ids })
    }
}
