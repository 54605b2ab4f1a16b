//! The grammar: one function for each of its rules, in nom.
//!
//! ```text
//! selector   = any
//! any        = all *( "OR" all )
//! all        = not *( "AND" not )
//! not        = "NOT" not / "(" any ")" / predicate
//! predicate  = operand [ comparison operand
//!                      / ["NOT"] "BETWEEN" operand "AND" operand
//!                      / ["NOT"] "IN" "(" text *( "," text ) ")"
//!                      / ["NOT"] "LIKE" text [ "ESCAPE" text ]
//!                      / "IS" ["NOT"] "NULL" ]
//! operand    = text / number / "TRUE" / "FALSE" / header
//! header     = ( letter / "_" / "$" ) *( letter / digit / "_" / "$" / "-" / "." )
//! ```
//! Words of the language are recognised in any case and cannot be headers.

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    character::complete::{char, digit1, multispace0, one_of},
    combinator::{opt, recognize, value, verify},
    error::{ErrorKind, ParseError},
    multi::separated_list1,
    sequence::{delimited, pair, preceded},
};

use super::{Comparison, Condition, InvalidSelector, Operand, like::Pattern};

/// The longest selector, in octets. Bounds what it costs to keep one and to look at a message.
pub(super) const MAX_LENGTH: usize = 1024;
/// How deep parentheses and NOTs may be nested: as deep as the parser's own calls.
const MAX_DEPTH: usize = 32;

pub(super) const TOO_LONG: &str = "shortness";
pub(super) const TOO_DEEP: &str = "flatness";

const RESERVED: [&str; 11] =
    ["and", "or", "not", "between", "in", "like", "is", "null", "true", "false", "escape"];

type Parsed<'a, T> = IResult<&'a str, T, Fault<'a>>;

/// Where a rule did not go on, and what it would have taken.
#[derive(Clone, Debug, PartialEq)]
struct Fault<'a> {
    rest: &'a str,
    wants: &'static str,
}

impl<'a> ParseError<&'a str> for Fault<'a> {
    fn from_error_kind(rest: &'a str, _kind: ErrorKind) -> Self {
        Self { rest, wants: "" }
    }

    fn append(_rest: &'a str, _kind: ErrorKind, other: Self) -> Self {
        other
    }

    /// Of two roads, the one that went further tells more.
    fn or(self, other: Self) -> Self {
        if other.rest.len() <= self.rest.len() && !other.wants.is_empty() { other } else { self }
    }
}

pub(super) fn selector(text: &str) -> Result<Condition, InvalidSelector> {
    if text.len() > MAX_LENGTH {
        return Err(InvalidSelector { at: MAX_LENGTH, wants: TOO_LONG });
    }
    let fault = match any(text, 0) {
        Ok((rest, condition)) if rest.trim().is_empty() => return Ok(condition),
        Ok((rest, _)) => Fault { rest: rest.trim_start(), wants: "AND, OR or its end" },
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => fault,
        Err(nom::Err::Incomplete(_)) => Fault { rest: "", wants: "the rest" },
    };
    Err(InvalidSelector { at: text.len() - fault.rest.len(), wants: fault.wants })
}

fn any(input: &str, depth: usize) -> Parsed<'_, Condition> {
    let (rest, mut all) = separated_list1(word("or"), |input| all_of(input, depth)).parse(input)?;
    let condition = if all.len() == 1 { all.remove(0) } else { Condition::Any(all) };
    Ok((rest, condition))
}

fn all_of(input: &str, depth: usize) -> Parsed<'_, Condition> {
    let (rest, mut all) = separated_list1(word("and"), |input| not(input, depth)).parse(input)?;
    let condition = if all.len() == 1 { all.remove(0) } else { Condition::All(all) };
    Ok((rest, condition))
}

fn not(input: &str, depth: usize) -> Parsed<'_, Condition> {
    if depth > MAX_DEPTH {
        return failure(input.trim_start(), TOO_DEEP);
    }
    if let Ok((rest, _)) = word("not").parse(input) {
        let (rest, condition) = not(rest, depth + 1)?;
        return Ok((rest, Condition::Not(Box::new(condition))));
    }
    if let Ok((rest, _)) = symbol("(").parse(input) {
        let (rest, condition) = any(rest, depth + 1)?;
        let (rest, _) = required(symbol(")"), ")").parse(rest)?;
        return Ok((rest, condition));
    }
    predicate(input)
}

fn predicate(input: &str) -> Parsed<'_, Condition> {
    let (rest, left) = required(operand, "a header, a value, NOT or (").parse(input)?;
    if let Ok((rest, comparison)) = comparison(rest) {
        let (rest, right) = required(operand, "a header or a value").parse(rest)?;
        return Ok((rest, Condition::Compare(left, comparison, right)));
    }
    if let Ok((rest, _)) = word("is").parse(rest) {
        let (rest, negated) = opt(word("not")).parse(rest)?;
        let (rest, _) = required(word("null"), "NULL").parse(rest)?;
        return Ok((rest, negate(negated.is_some(), Condition::IsNull(left))));
    }
    let (after_not, negated) = opt(word("not")).parse(rest)?;
    if let Some((rest, condition)) = test(after_not, &left)? {
        return Ok((rest, negate(negated.is_some(), condition)));
    }
    match (negated, &left) {
        (Some(()), _) => failure(after_not.trim_start(), "BETWEEN, IN or LIKE"),
        (None, Operand::Header(_) | Operand::Truth(_)) => Ok((rest, Condition::Is(left))),
        (None, _) => failure(rest.trim_start(), "a comparison"),
    }
}

/// What may stand behind a NOT.
fn test<'a>(
    input: &'a str,
    left: &Operand,
) -> Result<Option<(&'a str, Condition)>, nom::Err<Fault<'a>>> {
    if let Ok((rest, _)) = word("between").parse(input) {
        let (rest, low) = required(operand, "a value").parse(rest)?;
        let (rest, _) = required(word("and"), "AND").parse(rest)?;
        let (rest, high) = required(operand, "a value").parse(rest)?;
        return Ok(Some((rest, Condition::Between(left.clone(), low, high))));
    }
    if let Ok((rest, _)) = word("in").parse(input) {
        let (rest, _) = required(symbol("("), "(").parse(rest)?;
        let (rest, list) = separated_list1(symbol(","), required(text, "a text")).parse(rest)?;
        let (rest, _) = required(symbol(")"), ", or )").parse(rest)?;
        return Ok(Some((rest, Condition::In(left.clone(), list))));
    }
    let Ok((rest, _)) = word("like").parse(input) else { return Ok(None) };
    let (after, pattern) = required(text, "a pattern").parse(rest)?;
    let (rest, escape) =
        opt(preceded(word("escape"), required(one_letter, "one letter"))).parse(after)?;
    match Pattern::new(&pattern, escape) {
        Some(pattern) => Ok(Some((rest, Condition::Like(left.clone(), pattern)))),
        None => failure(after, "%, _ or itself behind an escape"),
    }
}

fn negate(is_negated: bool, condition: Condition) -> Condition {
    if is_negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn comparison(input: &str) -> Parsed<'_, Comparison> {
    alt((
        value(Comparison::NotEqual, symbol("<>")),
        value(Comparison::LessOrEqual, symbol("<=")),
        value(Comparison::MoreOrEqual, symbol(">=")),
        value(Comparison::Equal, symbol("=")),
        value(Comparison::Less, symbol("<")),
        value(Comparison::More, symbol(">")),
    ))
    .parse(input)
}

fn operand(input: &str) -> Parsed<'_, Operand> {
    alt((
        text.map(Operand::Text),
        number.map(Operand::Number),
        value(Operand::Truth(true), word("true")),
        value(Operand::Truth(false), word("false")),
        header.map(Operand::Header),
    ))
    .parse(input)
}

/// `'…'`; a quote in it is written twice.
fn text(input: &str) -> Parsed<'_, String> {
    let part = delimited(char('\''), take_while(|c| c != '\''), char('\''));
    let (mut rest, first) = preceded(multispace0, part).parse(input)?;
    let mut text = first.to_owned();
    while let Some(again) = rest.strip_prefix('\'') {
        let Some((part, behind)) = again.split_once('\'') else {
            return failure("", "a quote that ends the text");
        };
        text.push('\'');
        text.push_str(part);
        rest = behind;
    }
    Ok((rest, text))
}

fn one_letter(input: &str) -> Parsed<'_, char> {
    let (rest, text) = text(input)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(letter), None) => Ok((rest, letter)),
        _ => Err(nom::Err::Error(Fault { rest: input, wants: "" })),
    }
}

/// `-12`, `1.5`, `2e3`.
fn number(input: &str) -> Parsed<'_, f64> {
    let digits = alt((
        recognize((digit1, opt(pair(char('.'), opt(digit1))))),
        recognize(pair(char('.'), digit1)),
    ));
    let exponent = opt((one_of("eE"), opt(one_of("+-")), digit1));
    let number = recognize((opt(one_of("+-")), digits, exponent));
    let (rest, digits) = preceded(multispace0, number).parse(input)?;
    match digits.parse() {
        Ok(number) if f64::is_finite(number) => Ok((rest, number)),
        _ => failure(input.trim_start(), "a number of moderate size"),
    }
}

fn header(input: &str) -> Parsed<'_, String> {
    let name = verify(letters, |name: &str| {
        !name.starts_with(['-', '.']) && !name.starts_with(|c: char| c.is_ascii_digit())
    });
    let not_a_word = verify(name, |name: &str| {
        !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
    });
    preceded(multispace0, not_a_word).map(str::to_owned).parse(input)
}

fn letters(input: &str) -> Parsed<'_, &str> {
    take_while1(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.')).parse(input)
}

/// A word of the language, in any case, and nothing that merely begins like it.
fn word<'a>(wanted: &'static str) -> impl Parser<&'a str, Output = (), Error = Fault<'a>> {
    let letters = verify(letters, move |found: &str| found.eq_ignore_ascii_case(wanted));
    value((), preceded(multispace0, letters))
}

fn symbol<'a>(wanted: &'static str) -> impl Parser<&'a str, Output = (), Error = Fault<'a>> {
    value((), preceded(multispace0, tag(wanted)))
}

/// Behind what came before there is no other road: its fault is the selector's.
fn required<'a, T>(
    mut parser: impl Parser<&'a str, Output = T, Error = Fault<'a>>,
    wants: &'static str,
) -> impl Parser<&'a str, Output = T, Error = Fault<'a>> {
    move |input: &'a str| match parser.parse(input) {
        Err(nom::Err::Error(_)) => failure(input.trim_start(), wants),
        other => other,
    }
}

fn failure<'a, T>(rest: &'a str, wants: &'static str) -> Result<T, nom::Err<Fault<'a>>> {
    Err(nom::Err::Failure(Fault { rest, wants }))
}
