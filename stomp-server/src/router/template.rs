//! Destinations with places for words: `/app/rooms.{id}.send`.

use std::sync::Arc;

use compact_str::CompactString;
use smallvec::SmallVec;

/// A destination of which some whole words are open. Words end at `/` and at the separator.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
    names: Arc<[CompactString]>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Word,
}

/// The words that stood in the open places.
#[derive(Clone, Debug, Default)]
pub(super) struct Params {
    names: Arc<[CompactString]>,
    values: SmallVec<[CompactString; 4]>,
}

impl Params {
    pub(super) fn pairs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.names.iter().zip(&self.values).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn values(&self) -> &[CompactString] {
        &self.values
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A sentence, where a brace is left open or a place is not a whole word.
    pub(super) fn parse(text: &str, separator: char) -> Result<Self, String> {
        let ends_word = |c: char| c == '/' || c == separator;
        let mut parts = Vec::new();
        let mut names = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, behind) = rest.split_at(open);
            let close = behind.find('}').ok_or_else(|| format!("{text}: a brace is left open"))?;
            let (name, after) = (&behind[1..close], &behind[close + 1..]);
            if name.is_empty() {
                return Err(format!("{text}: a place needs a name"));
            }
            if !before.ends_with(ends_word) || !(after.is_empty() || after.starts_with(ends_word)) {
                return Err(format!("{text}: {{{name}}} is not a whole word"));
            }
            parts.push(Part::Literal(before.to_owned()));
            parts.push(Part::Word);
            names.push(CompactString::from(name));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts, names: names.into() })
    }

    /// The words in the open places, if the destination is one of these.
    pub(super) fn matches(&self, destination: &str, separator: char) -> Option<Params> {
        let mut values = SmallVec::new();
        let mut rest = destination;
        for part in &self.parts {
            match part {
                Part::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
                Part::Word => {
                    let end = rest.find(['/', separator]).unwrap_or(rest.len());
                    let (word, behind) = rest.split_at(end);
                    if word.is_empty() {
                        return None;
                    }
                    values.push(word.into());
                    rest = behind;
                }
            }
        }
        rest.is_empty().then(|| Params { names: self.names.clone(), values })
    }

    /// Whether every destination of one is one of the other.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.parts == other.parts
    }

    /// Templates with fewer open places are tried first.
    pub(super) fn openness(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(template: &str, destination: &str) -> Option<Vec<(String, String)>> {
        let params = Template::parse(template, '.').unwrap().matches(destination, '.')?;
        Some(params.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn open_places_take_whole_words() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let cases = [
            ("/app/hello", "/app/hello", Some(vec![])),
            ("/app/hello", "/app/hello.x", None),
            ("/app/rooms.{id}", "/app/rooms.7", Some(vec![pair("id", "7")])),
            ("/app/rooms.{id}", "/app/rooms.7.send", None),
            ("/app/rooms.{id}", "/app/rooms/7", None),
            ("/app/rooms.{id}", "/app/rooms.", None),
            ("/app/rooms.{id}.send", "/app/rooms.7.send", Some(vec![pair("id", "7")])),
            ("/app/{a}/{b}", "/app/x/y", Some(vec![pair("a", "x"), pair("b", "y")])),
            ("/app/{a}/{b}", "/app/x.z/y", None),
        ];
        for (template, destination, expected) in cases {
            assert_eq!(words(template, destination), expected, "{template} {destination}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused() {
        for text in ["/app/{id", "/app/{}", "/app/x{id}", "/app/{id}x"] {
            assert!(Template::parse(text, '.').is_err(), "{text}");
        }
    }
}
