//! Every setting of a program in one table. Flags, environment variables, the keys of a TOML
//! file, the help and the commented default file all come from it, so none can lag behind.
//!
//! A setting is looked for in this order: flag, environment, file, default. An environment
//! variable that is empty counts as not there. Everything that is wrong is collected, with
//! where it stands, so that all of it can be told at once.
//!
//! ```
//! use stomp_server::program::knobs::{Knob, Program, Section, units};
//!
//! static PROGRAM: Program = Program {
//!     name: "greeter",
//!     prefix: "GREETER_",
//!     sections: &[Section {
//!         title: "Greeting",
//!         knobs: &[
//!             Knob::one("pause", "TIME", "10s", "Between greetings.", "More would be a bore."),
//!             Knob::switch("loud", "Greet in capitals.", "For parties."),
//!         ],
//!     }],
//!     tables: &[],
//! };
//!
//! let command = clap::Command::new(PROGRAM.name).args(PROGRAM.args());
//! let matches = command.get_matches_from(["greeter", "--pause", "2s"]);
//! let mut settings = PROGRAM.settings_with(&matches, |name| {
//!     (name == "GREETER_LOUD").then(|| "yes".to_owned())
//! });
//! let pause: std::time::Duration = settings.value("pause", units::time);
//! assert_eq!(pause.as_secs(), 2);
//! assert!(settings.is_on("loud"));
//! assert!(settings.faults().is_empty());
//! ```

mod args;
mod file;
mod print;
mod settings;
#[cfg(test)]
mod tests;
pub mod units;

pub use self::settings::{Origin, Settings};

/// A program and all of its settings.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// As it is called in a shell.
    pub name: &'static str,
    /// What its environment variables begin with: `STOMP_`.
    pub prefix: &'static str,
    /// The knobs, in the order of the help.
    pub sections: &'static [Section],
    /// Lists that only a file can have.
    pub tables: &'static [Table],
}

/// Knobs that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// What stands below it.
    pub knobs: &'static [Knob],
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Knob {
    /// The flag without its dashes: `max-body`. `max_body` in a file, `…MAX_BODY` outside.
    pub name: &'static str,
    /// What kind of value, in capitals: `SIZE`, `TIME`, `N`, `FILE`.
    pub value: &'static str,
    /// What holds where nobody says anything; several are parted by commas.
    pub default: Option<&'static str>,
    /// One sentence.
    pub about: &'static str,
    /// Why it is there, and why the default is what it is.
    pub why: &'static str,
    kind: Kind,
    secret: Secret,
}

/// How many values a knob takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Switch,
    One,
    Many,
}

/// Who may see the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    /// Everybody.
    No,
    /// It is not shown.
    Hidden,
    /// An address is shown without the user and the password in it.
    InAddress,
    /// Neither is it taken from a flag, which other processes see: a flag names a file.
    ByFile,
}

/// A list of tables in the file, such as `[[kafka.queue]]`.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name, with a dot: `kafka.queue`.
    pub name: &'static str,
    /// The keys that each entry may have.
    pub keys: &'static [&'static str],
    /// One sentence.
    pub about: &'static str,
    /// Entries as somebody would write them, for the commented file.
    pub example: &'static str,
}

impl Knob {
    /// One value, with a default.
    pub const fn one(
        name: &'static str,
        value: &'static str,
        default: &'static str,
        about: &'static str,
        why: &'static str,
    ) -> Self {
        let (kind, secret) = (Kind::One, Secret::No);
        Self { name, value, default: Some(default), about, why, kind, secret }
    }

    /// One value, or none.
    pub const fn optional(
        name: &'static str,
        value: &'static str,
        about: &'static str,
        why: &'static str,
    ) -> Self {
        Self { name, value, default: None, about, why, kind: Kind::One, secret: Secret::No }
    }

    /// Any number of values: a flag that is repeated, a list with commas, an array in a file.
    pub const fn many(
        name: &'static str,
        value: &'static str,
        default: Option<&'static str>,
        about: &'static str,
        why: &'static str,
    ) -> Self {
        Self { name, value, default, about, why, kind: Kind::Many, secret: Secret::No }
    }

    /// On or off; off by default.
    pub const fn switch(name: &'static str, about: &'static str, why: &'static str) -> Self {
        let (kind, secret) = (Kind::Switch, Secret::No);
        Self { name, value: "BOOL", default: Some("false"), about, why, kind, secret }
    }

    /// The same, but its value is never shown.
    pub const fn hidden(mut self) -> Self {
        self.secret = Secret::Hidden;
        self
    }

    /// The same, but its value is never shown, and a flag takes `@FILE` only.
    pub const fn by_file(mut self) -> Self {
        self.secret = Secret::ByFile;
        self
    }

    /// The same, but an address is shown without what stands before its `@`.
    pub const fn with_password(mut self) -> Self {
        self.secret = Secret::InAddress;
        self
    }

    /// Its key in a file.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Its environment variable.
    pub fn variable(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.key().to_uppercase())
    }

    fn is_shown(&self) -> bool {
        self.secret == Secret::No
    }

    /// A good value, as far as others may see it.
    fn shown(&self, text: &str) -> String {
        match (self.secret, text.split_once("://")) {
            (Secret::No, _) | (Secret::InAddress, None) => text.to_owned(),
            (Secret::InAddress, Some((scheme, rest))) => match rest.rsplit_once('@') {
                Some((_, place)) => format!("{scheme}://…@{place}"),
                None => text.to_owned(),
            },
            (Secret::Hidden | Secret::ByFile, _) => "…".to_owned(),
        }
    }
}

impl Program {
    /// All knobs.
    pub fn knobs(&self) -> impl Iterator<Item = &'static Knob> {
        self.sections.iter().flat_map(|section| section.knobs)
    }

    fn knob(&self, name: &str) -> Option<&'static Knob> {
        self.knobs().find(|knob| knob.name == name)
    }
}

/// The one of these that was probably meant, if any is near.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.6;
    let word = word.replace('-', "_");
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(&word, name), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}
