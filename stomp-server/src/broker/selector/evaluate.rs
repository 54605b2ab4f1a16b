//! Conditions over the headers of a message, in logic of three values: `None` is unknown.

use std::{borrow::Cow, cmp::Ordering};

use stomp_core::SharedMessage;

use super::{Comparison, Condition, Operand};

/// What an operand is for one message.
enum Value<'a> {
    Header(Cow<'a, str>),
    Text(&'a str),
    Number(f64),
    Truth(bool),
}

impl Condition {
    pub(super) fn holds(&self, message: &SharedMessage) -> Option<bool> {
        match self {
            Self::Any(all) => one_that_is(true, all, message),
            Self::All(all) => one_that_is(false, all, message),
            Self::Not(condition) => condition.holds(message).map(|holds| !holds),
            Self::Is(operand) => operand.value(message)?.truth(),
            Self::Compare(left, comparison, right) => {
                comparison.holds(&left.value(message)?, &right.value(message)?)
            }
            Self::Between(operand, low, high) => {
                let value = operand.value(message)?.number()?;
                let number =
                    |bound: &Operand| bound.value(message).and_then(|value| value.number());
                let (low, high) = (number(low), number(high));
                both(low.map(|low| low <= value), high.map(|high| value <= high))
            }
            Self::In(operand, list) => {
                let value = operand.value(message)?;
                let text = value.text()?;
                Some(list.iter().any(|one| one == text))
            }
            Self::Like(operand, pattern) => Some(pattern.matches(operand.value(message)?.text()?)),
            Self::IsNull(operand) => Some(operand.value(message).is_none()),
        }
    }
}

/// `decisive` as soon as one condition is so; unknown if one might be.
fn one_that_is(decisive: bool, all: &[Condition], message: &SharedMessage) -> Option<bool> {
    let mut is_unknown = false;
    for condition in all {
        match condition.holds(message) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => is_unknown = true,
        }
    }
    (!is_unknown).then_some(!decisive)
}

fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (one, other) => Some(one? && other?),
    }
}

impl Operand {
    fn value<'a>(&'a self, message: &'a SharedMessage) -> Option<Value<'a>> {
        Some(match self {
            Self::Header(name) if name == "destination" => {
                Value::Header(message.destination().into())
            }
            Self::Header(name) => Value::Header(message.header(name)?),
            Self::Text(text) => Value::Text(text),
            Self::Number(number) => Value::Number(*number),
            Self::Truth(truth) => Value::Truth(*truth),
        })
    }
}

impl Value<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Header(text) => Some(text),
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Truth(_) => None,
        }
    }

    /// A header is a number if it looks like one that a selector could say.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Header(text) => {
                let looks_so = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
                text.parse().ok().filter(|number: &f64| looks_so && number.is_finite())
            }
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Truth(_) => None,
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Header(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Header(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Self::Truth(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl Comparison {
    /// As numbers where one side is a number or the question is about an order, as truths where
    /// one side is one, else as text.
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
        let is_number = |value: &Value<'_>| matches!(value, Value::Number(_));
        let is_truth = |value: &Value<'_>| matches!(value, Value::Truth(_));
        let order = match self {
            Self::Equal | Self::NotEqual if !is_number(left) && !is_number(right) => {
                let same = if is_truth(left) || is_truth(right) {
                    left.truth()? == right.truth()?
                } else {
                    left.text()? == right.text()?
                };
                return Some(same == (self == Self::Equal));
            }
            _ => left.number()?.partial_cmp(&right.number()?)?,
        };
        Some(match self {
            Self::Equal => order == Ordering::Equal,
            Self::NotEqual => order != Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::More => order == Ordering::Greater,
            Self::MoreOrEqual => order != Ordering::Less,
        })
    }
}
