//! Subscriptions that Kafka has to be asked about before they can be made.

use std::collections::{HashMap, hash_map::Entry};

use parking_lot::Mutex;

use crate::{
    broker::{BrokerError, SubscriptionKey},
    problem::Code,
};

/// What was asked for and is not made yet; so that one which is ended meanwhile never is.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<HashMap<SubscriptionKey, Wish>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Made,
    Withdrawn,
}

impl Pending {
    /// Notes that a subscription is being made.
    pub(super) fn begin(&self, key: SubscriptionKey) -> Result<(), BrokerError> {
        match self.0.lock().entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Wish::Made);
                Ok(())
            }
            Entry::Occupied(_) => {
                Err(BrokerError::refused(Code::Conflict, "This subscription exists already."))
            }
        }
    }

    /// Withdraws one. Says whether it was being made.
    pub(super) fn withdraw(&self, key: SubscriptionKey) -> bool {
        let mut wishes = self.0.lock();
        let Some(wish) = wishes.get_mut(&key) else { return false };
        *wish = Wish::Withdrawn;
        true
    }

    /// Makes it, unless it was withdrawn; nobody can withdraw it while `make` runs.
    pub(super) fn finish<T>(&self, key: SubscriptionKey, make: impl FnOnce() -> T) -> Option<T> {
        let mut wishes = self.0.lock();
        let made = (wishes.get(&key) == Some(&Wish::Made)).then(make);
        wishes.remove(&key);
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ConnectionId;

    #[test]
    fn what_was_withdrawn_is_not_made() {
        let pending = Pending::default();
        let key = SubscriptionKey { connection: ConnectionId(1), number: 0 };
        assert!(!pending.withdraw(key));
        pending.begin(key).expect("it is new");
        assert!(pending.begin(key).is_err());
        assert!(pending.withdraw(key));
        assert_eq!(pending.finish(key, || 1), None);
        pending.begin(key).expect("it is new again");
        assert_eq!(pending.finish(key, || 2), Some(2));
        assert!(!pending.withdraw(key));
    }
}
