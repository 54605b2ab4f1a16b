use proptest::prelude::*;
use stomp_core::SharedMessage;

use super::{Condition, InvalidSelector, Selector, parse};

const HEADERS: [(&str, &str); 7] = [
    ("kind", "order"),
    ("amount", "250"),
    ("rate", "-1.5"),
    ("urgent", "true"),
    ("content-type", "text/plain"),
    ("name", "O'Brien_x"),
    ("empty", ""),
];

fn message() -> SharedMessage {
    SharedMessage::new("/topic/a", HEADERS, "")
}

fn holds(text: &str) -> Option<bool> {
    parse::selector(text).unwrap_or_else(|error| panic!("{text}: {error}")).holds(&message())
}

#[test]
fn conditions_hold_as_jms_says() {
    for text in [
        "kind = 'order'",
        "KIND IS NULL",
        "kind <> 'Order'",
        "amount = 250 AND amount = 250.0 and amount >= 2.5e2",
        "amount > 249 AND NOT amount > 250",
        "rate < -1 AND rate BETWEEN -2 AND -1.5",
        "amount NOT BETWEEN 1 AND 249",
        "urgent",
        "urgent = TRUE AND NOT urgent = FALSE",
        "kind IN ('invoice', 'order')",
        "kind NOT IN ('invoice')",
        "content-type LIKE 'text/%' AND content-type NOT LIKE '_'",
        "name LIKE 'O''Brien\\_%' ESCAPE '\\'",
        "name = 'O''Brien_x'",
        "missing IS NULL AND kind IS NOT NULL",
        "FALSE OR (TRUE AND NOT FALSE)",
        "destination = '/topic/a'",
        "empty = ''",
        "TRUE OR missing",
        "NOT (missing AND FALSE)",
    ] {
        assert_eq!(holds(text), Some(true), "{text}");
    }
}

#[test]
fn what_is_not_there_or_of_another_kind_is_unknown() {
    for text in [
        "missing",
        "missing = 'x'",
        "NOT missing = 'x'",
        "missing = 'x' OR kind = 'x'",
        "missing = 'x' AND TRUE",
        "missing LIKE '%'",
        "missing NOT IN ('x')",
        "kind > 1",
        "kind = 1",
        "kind",
        "'1' = 1",
        "amount = TRUE",
        "empty = 0",
        "missing BETWEEN 1 AND 2",
    ] {
        assert_eq!(holds(text), None, "{text}");
    }
    assert_eq!(holds("amount BETWEEN 300 AND missing"), Some(false));
}

#[test]
fn and_binds_closer_than_or_and_not_closer_than_both() {
    assert_eq!(holds("TRUE OR TRUE AND FALSE"), Some(true));
    assert_eq!(holds("(TRUE OR TRUE) AND FALSE"), Some(false));
    assert_eq!(holds("NOT FALSE AND TRUE"), Some(true));
    assert_eq!(holds("NOT (FALSE AND TRUE)"), Some(true));
}

#[test]
fn a_fault_is_told_with_its_place() {
    for (text, at, wants) in [
        ("", 0, "a header, a value, NOT or ("),
        ("kind =", 6, "a header or a value"),
        ("kind = 'order' amount", 15, "AND, OR or its end"),
        ("kind = 'order", 7, "a header or a value"),
        ("(kind = 'order'", 15, ")"),
        ("amount BETWEEN 1 OR 2", 17, "AND"),
        ("kind IN ('a', 2)", 14, "a text"),
        ("kind IN 'a'", 8, "("),
        ("kind IS 'a'", 8, "NULL"),
        ("kind NOT 'a'", 9, "BETWEEN, IN or LIKE"),
        ("kind LIKE '\\a' ESCAPE '\\'", 14, "%, _ or itself behind an escape"),
        ("'order'", 7, "a comparison"),
        ("a = 1 AND", 9, "a header, a value, NOT or ("),
        ("a = 1; DROP TABLE log", 5, "AND, OR or its end"),
    ] {
        let fault = text.parse::<Selector>().expect_err(text);
        assert_eq!(fault, InvalidSelector { at, wants }, "{text}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(deep(32).parse::<Selector>().is_ok());
    assert!(deep(33).parse::<Selector>().unwrap_err().to_string().contains("too deep"));
    assert!("NOT ".repeat(200).parse::<Selector>().unwrap_err().to_string().contains("too deep"));
    let long = format!("a = '{}'", "x".repeat(1020));
    assert!(long.parse::<Selector>().unwrap_err().to_string().contains("1024"));
}

/// Conditions as text, whole and well-formed.
fn conditions() -> impl Strategy<Value = String> {
    let simple = prop::sample::select(vec![
        "kind = 'order'",
        "amount > 100",
        "missing = 'x'",
        "urgent",
        "name LIKE '%''%'",
        "missing IS NULL",
        "rate BETWEEN 0 AND 1",
        "kind IN ('a', 'b')",
        "kind < 3",
    ]);
    simple.prop_map(str::to_owned).prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("NOT ({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("({one}) AND ({two})")),
            (inner.clone(), inner).prop_map(|(one, two)| format!("({one}) OR ({two})")),
        ]
    })
}

fn read(text: &str) -> Condition {
    parse::selector(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

proptest! {
    #[test]
    fn the_laws_of_three_values_hold(one in conditions(), two in conditions()) {
        let both = format!("NOT (({one}) AND ({two}))");
        let either = format!("(NOT ({one})) OR (NOT ({two}))");
        prop_assert_eq!(holds(&both), holds(&either));
        prop_assert_eq!(holds(&format!("NOT (NOT ({one}))")), holds(&one));
        prop_assert_eq!(read(&one), read(&one.replace(' ', "  ")));
    }

    #[test]
    fn any_text_is_a_selector_or_tells_where_it_is_none(text in "[a-zA-Z0-9 ()'=<>%_,.+-]{0,60}|\\PC{0,40}") {
        if let Err(fault) = text.parse::<Selector>() {
            prop_assert!(fault.at <= text.len() && !fault.wants.is_empty());
            prop_assert!(text.is_char_boundary(fault.at));
        }
    }

    #[test]
    fn words_in_any_order_are_survived(words in prop::collection::vec(prop::sample::select(vec![
        "AND", "or", "NOT", "(", ")", "a", "'x'", "1", "=", "<>", "IN", "LIKE", "BETWEEN", "IS",
        "NULL", ",", "ESCAPE", "TRUE", "-", ".",
    ]), 0..40)) {
        if let Ok(selector) = words.join(" ").parse::<Selector>() {
            selector.selects(&message());
        }
    }
}
