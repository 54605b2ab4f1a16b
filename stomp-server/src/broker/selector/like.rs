//! Patterns of LIKE: `_` stands for one character, `%` for any number of them.

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Exactly(char),
    One,
    Any,
}

impl Pattern {
    /// None where the escape stands before nothing that it could escape.
    pub(super) fn new(text: &str, escape: Option<char>) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                escaped if Some(escaped) == escape => match characters.next()? {
                    next if matches!(next, '%' | '_') || Some(next) == escape => {
                        Piece::Exactly(next)
                    }
                    _ => return None,
                },
                '%' => Piece::Any,
                '_' => Piece::One,
                other => Piece::Exactly(other),
            });
        }
        pieces.dedup_by(|one, other| *one == Piece::Any && *other == Piece::Any);
        Some(Self(pieces))
    }

    /// Goes back to the last `%` only, so the cost is bounded by the product of the lengths.
    pub(super) fn matches(&self, text: &str) -> bool {
        let pieces = &self.0;
        let (mut piece, mut rest) = (0, text.chars());
        let mut last_any: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            match (pieces.get(piece), rest.next()) {
                (Some(Piece::Any), _) => {
                    piece += 1;
                    rest = before.clone();
                    last_any = Some((piece, before));
                }
                (None, None) => return true,
                (Some(Piece::One), Some(_)) => piece += 1,
                (Some(Piece::Exactly(wanted)), Some(found)) if *wanted == found => piece += 1,
                _ => {
                    // What `%` has taken was too little: one more character.
                    let Some((behind, from)) = &mut last_any else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (piece, rest) = (*behind, from.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_characters() {
        for (pattern, yes, no) in [
            ("12%3", &["123", "12993", "1233"][..], &["1234", "12"][..]),
            ("l_se", &["lose", "löse"], &["loose", "lse"]),
            ("%", &["", "a"], &[]),
            ("%a%b%", &["ab", "xaxbx", "aab"], &["ba", "a", ""]),
            ("", &[""], &["a"]),
        ] {
            let like = Pattern::new(pattern, None).unwrap();
            yes.iter().for_each(|text| assert!(like.matches(text), "{text} like {pattern}"));
            no.iter().for_each(|text| assert!(!like.matches(text), "{text} not like {pattern}"));
        }
    }

    #[test]
    fn an_escape_takes_the_meaning_from_a_wildcard_and_from_nothing_else() {
        let like = Pattern::new("\\_%", Some('\\')).unwrap();
        assert!(like.matches("_foo") && !like.matches("bar"));
        assert_eq!(Pattern::new("a\\", Some('\\')), None);
        assert_eq!(Pattern::new("\\a", Some('\\')), None);
    }
}
