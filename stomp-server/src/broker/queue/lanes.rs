//! Messages that wait: higher priorities first, and within each in log order.

use std::collections::VecDeque;

use super::{Item, consumer::Choice};

/// Priorities are 0 to 9.
pub(super) const LANES: usize = 10;

/// One line for each priority.
#[derive(Debug, Default)]
pub(super) struct Lanes([VecDeque<Item>; LANES]);

impl Lanes {
    /// A new message goes to the end; one that came back, to where it was.
    pub(super) fn insert(&mut self, item: Item) {
        let lane = self.lane(item.priority);
        if lane.back().is_none_or(|last| last.offset < item.offset) {
            return lane.push_back(item);
        }
        let at = lane.partition_point(|other| other.offset < item.offset);
        lane.insert(at, item);
    }

    /// Takes the first one.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let lane = self.0.iter_mut().rev().find(|lane| !lane.is_empty())?;
        let item = lane.pop_front();
        if lane.is_empty() {
            *lane = VecDeque::new(); // an idle queue keeps no buffer
        }
        item
    }

    /// Takes the first one that a choice wants, looking at no more than `budget` of them.
    pub(super) fn pop_chosen(&mut self, choice: &mut Choice, budget: &mut usize) -> Option<Item> {
        for (number, lane) in self.0.iter_mut().enumerate().rev() {
            let looked = *choice.looked(number);
            let mut at = lane.partition_point(|item| item.offset <= looked);
            while let Some(item) = lane.get(at) {
                if *budget == 0 {
                    return None;
                }
                *budget -= 1;
                if choice.wants(item) {
                    return lane.remove(at);
                }
                *choice.looked(number) = item.offset;
                at += 1;
            }
        }
        None
    }

    /// The lane of a priority.
    pub(super) fn number(priority: u8) -> usize {
        usize::from(priority).min(LANES - 1)
    }

    /// Takes a certain one out.
    pub(super) fn remove(&mut self, priority: u8, offset: u64) -> Option<Item> {
        let lane = self.lane(priority);
        let at = lane.binary_search_by_key(&offset, |item| item.offset).ok()?;
        lane.remove(at)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(VecDeque::len).sum()
    }

    /// Takes certain ones out.
    pub(super) fn withdraw(&mut self, is_gone: &dyn Fn(u64) -> bool) -> Vec<Item> {
        let mut gone = Vec::new();
        for lane in &mut self.0 {
            let (leave, stay): (VecDeque<_>, _) =
                std::mem::take(lane).into_iter().partition(|item| is_gone(item.offset));
            *lane = stay;
            gone.extend(leave);
        }
        gone
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.0.iter().flatten()
    }

    fn lane(&mut self, priority: u8) -> &mut VecDeque<Item> {
        &mut self.0[Self::number(priority)]
    }
}
