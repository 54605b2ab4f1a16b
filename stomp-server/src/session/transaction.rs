//! What stands between BEGIN and COMMIT.

use crate::broker::{Outcome, Publish};

/// An acknowledgement that waits for its COMMIT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settlement {
    pub(crate) subscription: u32,
    pub(crate) sequence: u64,
    pub(crate) outcome: Outcome,
}

/// One open transaction: sends in order, then acknowledgements in order.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) sends: Vec<Publish>,
    pub(crate) settlements: Vec<Settlement>,
}

/// The open transactions of a session; few, so a list serves best.
#[derive(Debug, Default)]
pub(crate) struct Transactions(Vec<(String, Transaction)>);

impl Transactions {
    /// Opens one; false if it is open already.
    pub(crate) fn begin(&mut self, id: &str) -> bool {
        if self.find(id).is_some() {
            return false;
        }
        self.0.push((id.to_owned(), Transaction::default()));
        true
    }

    /// The open one with this id.
    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Transaction> {
        self.0.iter_mut().find(|(name, _)| name == id).map(|(_, transaction)| transaction)
    }

    /// Ends it, for COMMIT and ABORT alike: the id is free again.
    pub(crate) fn end(&mut self, id: &str) -> Option<Transaction> {
        let at = self.0.iter().position(|(name, _)| name == id)?;
        Some(self.0.swap_remove(at).1)
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Transaction {
    /// How many actions wait in it.
    pub(crate) fn len(&self) -> usize {
        self.sends.len() + self.settlements.len()
    }
}
