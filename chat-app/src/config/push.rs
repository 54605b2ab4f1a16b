//! Pushes: where they may go, and in whose name.

use std::path::PathBuf;

use clap::ValueEnum;
use stomp_server::program::knobs::{Settings, units};

use super::DatabaseChoice;

/// How pushes leave.
#[derive(Clone, Debug, Default)]
pub struct PushConfig {
    /// Requests may go to loopback, private addresses and http.
    pub allow_private: bool,
    /// Nothing leaves: every push is a line in the program's log.
    pub only_log: bool,
    /// The file with the VAPID key.
    pub vapid_key: PathBuf,
    /// Whom a push service's operators can write to: `mailto:` or `https:`.
    pub contact: Option<String>,
    /// The file with Firebase's service account.
    pub fcm_credentials: Option<PathBuf>,
    /// Where FCM is.
    pub fcm_url: String,
    /// A file with certificates of authorities that are trusted beside the public ones.
    pub authorities: Option<PathBuf>,
}

impl PushConfig {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let ways = [("live", false), ("log", true)];
        Self {
            allow_private: settings.is_on("allow-private-push"),
            only_log: settings.value("push", units::one_of(&ways)),
            vapid_key: settings.value("vapid-key", units::path),
            contact: settings.optional("push-contact", contact),
            fcm_credentials: settings.optional("fcm-credentials", units::path),
            fcm_url: settings.value("fcm-url", units::text),
            authorities: settings.optional("push-ca", units::path),
        }
    }
}

fn contact(text: &str) -> Result<String, String> {
    let is_contact = text.starts_with("mailto:") || text.starts_with("https:");
    is_contact
        .then(|| text.to_owned())
        .ok_or_else(|| "a contact is like mailto:ops@example.org or https://example.org".to_owned())
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
