//! Who has a session in this process.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use crate::domain::UserId;

/// Counts the sessions of each user. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Online(Arc<RwLock<HashMap<UserId, usize>>>);

impl Online {
    pub(crate) fn came(&self, user: UserId) {
        *self.0.write().entry(user).or_default() += 1;
    }

    pub(crate) fn went(&self, user: &UserId) {
        let mut sessions = self.0.write();
        if let Some(count) = sessions.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                sessions.remove(user);
            }
        }
    }

    pub(crate) fn is_here(&self, user: &UserId) -> bool {
        self.0.read().contains_key(user)
    }

    /// Those of `users` who are here.
    pub(crate) fn among<'a>(&self, users: impl Iterator<Item = &'a UserId>) -> Vec<&'a UserId> {
        let sessions = self.0.read();
        users.filter(|user| sessions.contains_key(*user)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_here_until_the_last_session_ends() {
        let online = Online::default();
        let ann = UserId::parse("ann").unwrap();
        online.came(ann.clone());
        online.came(ann.clone());
        online.went(&ann);
        assert!(online.is_here(&ann));
        online.went(&ann);
        assert!(!online.is_here(&ann));
    }
}
