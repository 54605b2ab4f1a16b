//! Receipts for messages that were thrown away.

use std::collections::HashMap;

use stomp_core::{Command, Frame};

use super::frames::EVERY;

/// What one connection's forger remembers.
#[derive(Debug, Default)]
pub(super) struct Forger {
    /// The receipt that was asked for last, if it has not come.
    open: Option<String>,
    /// Behind which true receipt a forged one goes.
    forged: HashMap<String, String>,
}

impl Forger {
    /// Whether this SEND is thrown away: its receipt will follow the one before it.
    pub(super) fn swallows(&mut self, frame: &Frame, sends: usize) -> bool {
        if frame.command() != Command::Send {
            return false;
        }
        let Some(receipt) = frame.header("receipt") else { return false };
        let receipt = receipt.into_owned();
        if sends.is_multiple_of(EVERY)
            && let Some(open) = self.open.clone()
            && !self.forged.contains_key(&open)
        {
            self.forged.insert(open, receipt);
            return true;
        }
        self.open = Some(receipt);
        false
    }

    /// A frame of the server, and the forged receipt that goes behind it.
    pub(super) fn with_forged(&mut self, frame: Frame) -> Vec<Frame> {
        if frame.command() != Command::Receipt {
            return vec![frame];
        }
        let receipt = frame.header("receipt-id").unwrap_or_default().into_owned();
        if self.open.as_deref() == Some(&receipt) {
            self.open = None;
        }
        let Some(forged) = self.forged.remove(&receipt) else { return vec![frame] };
        let position = frame.header("position").unwrap_or_default().into_owned();
        let forged = Frame::builder(Command::Receipt)
            .header("receipt-id", &forged)
            .header("position", &position)
            .build();
        vec![frame, forged]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_receipt_follows_the_true_one_before_it() {
        let send = |receipt: &str| {
            Frame::builder(Command::Send)
                .header("destination", "/topic/a")
                .header("receipt", receipt)
                .build()
        };
        let receipt = |id: &str| {
            Frame::builder(Command::Receipt)
                .header("receipt-id", id)
                .header("position", "0000000a-0000000000000001")
                .build()
        };
        let mut forger = Forger::default();
        assert!(!forger.swallows(&send("a"), 1));
        assert!(forger.swallows(&send("b"), EVERY));
        let told = forger.with_forged(receipt("a"));
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].header("receipt-id").as_deref(), Some("b"));
        assert!(!forger.swallows(&send("c"), EVERY), "there is nothing open to follow");
    }
}
