//! ACK, NACK and transactions.

use stomp_core::{Ack, AckMode, Nack, Version};

use super::{
    ack::AckId,
    action::Action,
    machine::{Actions, Machine, protocol},
    receipts::{Expect, Finish},
    transaction::{Settlement, Transaction},
};
use crate::{
    broker::{Outcome, SubscriptionKey, Token},
    problem::{Code, Problem},
};

impl Machine {
    pub(super) fn ack(
        &mut self,
        frame: &Ack,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let id = self.delivery(
            frame.id().as_deref(),
            frame.subscription().as_deref(),
            frame.message_id().as_deref(),
        )?;
        self.settle(id, Outcome::Ack, frame.transaction().as_deref(), receipt, out)
    }

    pub(super) fn nack(
        &mut self,
        frame: &Nack,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let id = self.delivery(
            frame.id().as_deref(),
            frame.subscription().as_deref(),
            frame.message_id().as_deref(),
        )?;
        self.settle(id, Outcome::Nack, frame.transaction().as_deref(), receipt, out)
    }

    /// The open delivery that the client means.
    fn delivery(
        &mut self,
        id: Option<&str>,
        subscription: Option<&str>,
        message_id: Option<&str>,
    ) -> Result<AckId, Problem> {
        let meant = match (self.version, message_id) {
            (Version::V1_2, _) => id.and_then(|id| id.parse().ok()),
            (_, Some(message_id)) => self.subscriptions.by_message_id(subscription, message_id),
            (_, None) => None,
        };
        meant.filter(|id: &AckId| self.is_open(*id)).ok_or_else(not_open)
    }

    fn is_open(&mut self, id: AckId) -> bool {
        let subscription = self.subscriptions.by_number(id.subscription);
        subscription.is_some_and(|subscription| subscription.unsettled.contains(id.sequence))
    }

    fn settle(
        &mut self,
        id: AckId,
        outcome: Outcome,
        transaction: Option<&str>,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let settlement =
            Settlement { subscription: id.subscription, sequence: id.sequence, outcome };
        if let Some(name) = transaction {
            self.transaction(name)?.settlements.push(settlement);
            self.receipts.ready(receipt, Finish::Done(Vec::new()));
            return Ok(());
        }
        let (key, tokens) = self.settled(settlement).ok_or_else(not_open)?;
        let ticket = self.receipts.wait(receipt, Expect::Plain);
        out.push(Action::Settle(ticket, key, tokens, outcome));
        Ok(())
    }

    /// Takes the deliveries of a settlement out of the open ones.
    fn settled(&mut self, settlement: Settlement) -> Option<(SubscriptionKey, Vec<Token>)> {
        let key = self.key(settlement.subscription);
        let subscription = self.subscriptions.by_number(settlement.subscription)?;
        let cumulative = subscription.mode == AckMode::Client;
        let tokens = subscription.unsettled.settle(settlement.sequence, cumulative)?;
        Some((key, tokens))
    }

    pub(super) fn begin(&mut self, id: &str, receipt: Option<String>) -> Result<(), Problem> {
        let limit = self.around.limits.transactions;
        if self.transactions.find(id).is_some() {
            return Err(protocol("A transaction with this id is open already."));
        }
        if self.transactions.len() >= limit {
            return Err(Problem::new(Code::Limit, "Too many open transactions.")
                .with_limit("max-transactions", limit as u64));
        }
        self.transactions.begin(id);
        self.receipts.ready(receipt, Finish::Done(Vec::new()));
        Ok(())
    }

    pub(super) fn abort(&mut self, id: &str, receipt: Option<String>) -> Result<(), Problem> {
        self.transactions.end(id).ok_or_else(|| protocol("No such transaction."))?;
        self.receipts.ready(receipt, Finish::Done(Vec::new()));
        Ok(())
    }

    /// Publishes in order; settles only when all of that has been accepted, so that a failure
    /// in between returns messages instead of losing them.
    pub(super) fn commit(
        &mut self,
        id: &str,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let Transaction { sends, settlements } =
            self.transactions.end(id).ok_or_else(|| protocol("No such transaction."))?;
        for settlement in &settlements {
            let id = AckId { subscription: settlement.subscription, sequence: settlement.sequence };
            if !self.is_open(id) {
                return Err(not_open());
            }
        }
        for publish in sends {
            let ticket = self.receipts.wait(None, Expect::Publish);
            out.push(Action::Publish(ticket, Box::new(publish)));
        }
        for settlement in settlements {
            // One that an earlier cumulative one of this transaction covers is settled already.
            if let Some((key, tokens)) = self.settled(settlement) {
                self.receipts.hold(Expect::Plain, |ticket| {
                    Action::Settle(ticket, key, tokens, settlement.outcome)
                });
            }
        }
        self.receipts.ready(receipt, Finish::Done(Vec::new()));
        Ok(())
    }
}

fn not_open() -> Problem {
    protocol("Nothing with this id waits to be acknowledged by this session.")
}
