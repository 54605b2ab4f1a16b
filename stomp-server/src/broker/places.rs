//! Durable subscriptions: places that are kept while their subscribers are away.

use std::{collections::HashMap, time::Duration};

use compact_str::CompactString;
use parking_lot::Mutex;

use super::{
    BrokerError, DurableKey, Position, StartFrom, SubscribeRequest, SubscriptionKey,
    journal::PlaceEntry,
};
use crate::problem::Code;

/// The places of a broker, by whose they are.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<DurableKey, Place>>);

#[derive(Debug)]
struct Place {
    route: CompactString,
    /// Up to here it has read; nothing is known before its first subscription is made.
    offset: Option<u64>,
    used_at_ms: u64,
    active: Option<SubscriptionKey>,
}

impl Places {
    /// Brings back a place that a journal has.
    pub(super) fn restore(&self, entry: PlaceEntry) {
        let place = Place {
            route: entry.route,
            offset: Some(entry.offset),
            used_at_ms: entry.at_ms,
            active: None,
        };
        self.0.lock().insert(entry.key, place);
    }

    /// Takes a place for a subscription, and lets it start from there if there is one.
    ///
    /// A place of another destination is not its: the name is used anew.
    pub(super) fn claim(
        &self,
        request: &mut SubscribeRequest,
        at: impl Fn(u64) -> Position,
        now_ms: u64,
    ) -> Result<(), BrokerError> {
        let Some(key) = &request.durable else { return Ok(()) };
        let mut places = self.0.lock();
        let place = places.entry(key.clone()).or_insert_with(|| Place {
            route: request.route.clone(),
            offset: None,
            used_at_ms: now_ms,
            active: None,
        });
        if place.active.is_some() {
            return Err(BrokerError::refused(
                Code::InUse,
                "This durable subscription is in use by another connection.",
            ));
        }
        place.active = Some(request.key);
        if place.route != request.route {
            place.route = request.route.clone();
            place.offset = None;
        }
        if let Some(offset) = place.offset {
            request.from = Some(StartFrom::After(at(offset)));
        }
        Ok(())
    }

    /// Notes how far a subscription has come; the entry is what a journal has to keep.
    pub(super) fn advance(
        &self,
        request: &SubscribeRequest,
        offset: u64,
        now_ms: u64,
    ) -> Option<PlaceEntry> {
        let key = request.durable.as_ref()?;
        let mut places = self.0.lock();
        let place = places.get_mut(key).filter(|place| place.active == Some(request.key))?;
        place.used_at_ms = now_ms;
        if place.offset == Some(offset) {
            return None;
        }
        place.offset = Some(offset);
        Some(place.entry(key, offset))
    }

    /// Lets go of a place, which stays for its subscriber's return where it was, or where it is
    /// now. Nothing if there is no place yet.
    pub(super) fn leave(
        &self,
        request: &SubscribeRequest,
        offset: Option<u64>,
        now_ms: u64,
    ) -> Option<PlaceEntry> {
        let key = request.durable.as_ref()?;
        let mut places = self.0.lock();
        let place = places.get_mut(key).filter(|place| place.active == Some(request.key))?;
        let offset = offset.or(place.offset)?;
        place.active = None;
        place.used_at_ms = now_ms;
        place.offset = Some(offset);
        Some(place.entry(key, offset))
    }

    /// Forgets a place for good; says whether it was this subscription's.
    pub(super) fn forget(&self, request: &SubscribeRequest) -> Option<DurableKey> {
        let key = request.durable.as_ref()?;
        let mut places = self.0.lock();
        places.get(key).filter(|place| place.active == Some(request.key))?;
        places.remove(key);
        Some(key.clone())
    }

    /// Forgets places that have not been used for so long.
    pub(super) fn forget_unused(&self, age: Duration, now_ms: u64) -> Vec<DurableKey> {
        let before_ms = now_ms.saturating_sub(age.as_millis() as u64);
        let mut gone = Vec::new();
        self.0.lock().retain(|key, place| {
            let stays = place.active.is_some() || place.used_at_ms >= before_ms;
            if !stays {
                gone.push(key.clone());
            }
            stays
        });
        gone
    }

    /// Forgets a place here that no subscription holds.
    #[cfg(feature = "kafka")]
    pub(super) fn drop_unused(&self, key: &DurableKey) {
        let mut places = self.0.lock();
        if places.get(key).is_some_and(|place| place.active.is_none()) {
            places.remove(key);
        }
    }

    /// The subscription that holds a place.
    #[cfg(feature = "kafka")]
    pub(super) fn holder(&self, key: &DurableKey) -> Option<SubscriptionKey> {
        self.0.lock().get(key)?.active
    }

    /// The subscriptions that hold places now.
    pub(super) fn active(&self) -> Vec<SubscriptionKey> {
        self.0.lock().values().filter_map(|place| place.active).collect()
    }
}

impl Place {
    fn entry(&self, key: &DurableKey, offset: u64) -> PlaceEntry {
        PlaceEntry { key: key.clone(), route: self.route.clone(), offset, at_ms: self.used_at_ms }
    }
}
