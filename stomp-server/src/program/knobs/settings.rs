//! What was said where, and what of it holds.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
};

use clap::ArgMatches;
use serde::de::DeserializeOwned;

use super::{Kind, Knob, Program, Secret, args::CONFIG, file};

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// An environment variable of this name.
    Environment(String),
    /// A file, and the line in it.
    File(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

/// What was said of one knob.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) texts: Vec<String>,
    pub(super) origin: Origin,
}

/// One entry of a table in the file.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) value: toml::Value,
    pub(super) line: usize,
}

/// The settings of a program, and everything that is wrong with them so far.
#[derive(Debug)]
pub struct Settings {
    pub(super) program: &'static Program,
    said: HashMap<&'static str, Said>,
    /// Defaults that follow from other settings.
    assumed: HashMap<&'static str, String>,
    pub(super) rows: BTreeMap<&'static str, Vec<Row>>,
    file: Option<PathBuf>,
    faults: Vec<String>,
}

impl Program {
    /// What holds with these flags, in the environment of this process.
    pub fn settings(&'static self, matches: &ArgMatches) -> Settings {
        self.settings_with(matches, |name| std::env::var(name).ok())
    }

    /// What holds with these flags, in an environment.
    pub fn settings_with(
        &'static self,
        matches: &ArgMatches,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Settings {
        let environment = |name: &str| environment(name).filter(|text| !text.is_empty());
        let mut given = self.given(matches);
        let mut faults = Vec::new();
        let path = given.remove(CONFIG).and_then(|mut paths| paths.pop());
        let path = path.or_else(|| environment(&format!("{}CONFIG", self.prefix)));
        let file = path.map(PathBuf::from);
        let mut read = file::Read::default();
        if let Some(path) = &file {
            read = file::read(self, path, &mut faults);
        }
        let mut said = read.said;
        for knob in self.knobs() {
            let variable = knob.variable(self.prefix);
            if let Some(texts) = given.remove(knob.name) {
                let texts = knob.parted(texts);
                said.insert(knob.name, Said { texts, origin: Origin::Flag });
            } else if let Some(text) = environment(&variable) {
                let origin = Origin::Environment(variable);
                said.insert(knob.name, Said { texts: knob.parted(vec![text]), origin });
            }
        }
        let (rows, assumed) = (read.rows, HashMap::new());
        Settings { program: self, said, assumed, rows, file, faults }
    }
}

impl Settings {
    /// The value of a knob, read by `parse`; the type's default where it has a fault (which is
    /// noted) or no value at all.
    pub fn value<T: Default>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.optional(name, parse).unwrap_or_default()
    }

    /// The value of a knob that may have none.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.list(name, parse).pop()
    }

    /// All values of a knob.
    pub fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(knob) = self.known(name) else { return Vec::new() };
        let said = self.said(knob);
        let mut values = Vec::new();
        for text in &said.texts {
            match self.check_flag(knob, &said.origin, text).and_then(|()| parse(text)) {
                Ok(value) => values.push(value),
                Err(why) => {
                    let place = self.place(knob, &said.origin, text);
                    self.fault(format!("{place}: {why}"));
                }
            }
        }
        values
    }

    /// Whether a switch is on.
    pub fn is_on(&mut self, name: &str) -> bool {
        self.value(name, super::units::switch)
    }

    /// The entries of a table in the file.
    pub fn rows<T: DeserializeOwned>(&mut self, name: &str) -> Vec<T> {
        let rows = self.rows.get(name).cloned().unwrap_or_default();
        let mut values = Vec::new();
        for row in rows {
            match T::deserialize(row.value) {
                Ok(value) => values.push(value),
                Err(error) => {
                    let file = self.file.as_deref().unwrap_or(Path::new(""));
                    let why = error.message();
                    self.faults.push(format!(
                        "{} line {}: [[{name}]]: {why}",
                        file.display(),
                        row.line
                    ));
                }
            }
        }
        values
    }

    /// Gives a knob a default that follows from other settings.
    pub fn assume(&mut self, name: &str, text: impl Into<String>) {
        if let Some(knob) = self.known(name) {
            self.assumed.insert(knob.name, text.into());
        }
    }

    /// Whether somebody has said something about a knob.
    pub fn is_set(&self, name: &str) -> bool {
        self.said.contains_key(name)
    }

    /// Where a knob's value comes from.
    pub fn origin(&self, name: &str) -> Origin {
        self.said.get(name).map_or(Origin::Default, |said| said.origin.clone())
    }

    /// Notes something that is wrong, once.
    pub fn fault(&mut self, fault: impl Into<String>) {
        let fault = fault.into();
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Everything that is wrong so far.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Everything that is wrong.
    pub fn into_faults(self) -> Vec<String> {
        self.faults
    }

    /// What differs from the defaults and where it comes from, a line each; secrets are not
    /// shown.
    pub fn differences(&self) -> Vec<String> {
        let knobs = self.program.knobs();
        let said = knobs.filter_map(|knob| Some((knob, self.said.get(knob.name)?)));
        let lines = said.map(|(knob, said)| {
            let texts: Vec<_> = said.texts.iter().map(|text| knob.shown(text)).collect();
            format!("{} = {}  ({})", knob.key(), texts.join(","), said.origin)
        });
        let rows = self.rows.iter().map(|(name, rows)| format!("[[{name}]] {} times", rows.len()));
        lines.chain(rows).collect()
    }

    /// The outcome of a check of these settings.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn verdict(self) -> Result<String, Vec<String>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let differences = self.differences();
        if differences.is_empty() {
            return Ok("All settings are the defaults, and good.\n".to_owned());
        }
        Ok(format!(
            "The settings are good. These differ from the defaults:\n  {}\n",
            differences.join("\n  ")
        ))
    }

    fn known(&mut self, name: &str) -> Option<&'static Knob> {
        let knob = self.program.knob(name);
        if knob.is_none() {
            self.faults.push(format!("the program asks for {name}, which is not in its table"));
        }
        knob
    }

    pub(super) fn said(&self, knob: &Knob) -> Said {
        self.said.get(knob.name).cloned().unwrap_or_else(|| {
            let default = self.assumed.get(knob.name).map(String::as_str).or(knob.default);
            let texts = default.map(|text| knob.parted(vec![text.to_owned()]));
            Said { texts: texts.unwrap_or_default(), origin: Origin::Default }
        })
    }

    /// Other processes see the flags of this one, so a secret is not among them.
    fn check_flag(&self, knob: &Knob, origin: &Origin, text: &str) -> Result<(), String> {
        if knob.secret == Secret::ByFile && *origin == Origin::Flag && !text.starts_with('@') {
            return Err(format!(
                "other users of this machine see flags: write @FILE here, or the value into {}",
                knob.variable(self.program.prefix)
            ));
        }
        Ok(())
    }

    /// The place of a value, with the value itself where that may be shown.
    fn place(&self, knob: &Knob, origin: &Origin, text: &str) -> String {
        let shown = if knob.is_shown() { text } else { "…" };
        match origin {
            Origin::Flag if knob.kind == Kind::Switch => format!("--{}={shown}", knob.name),
            Origin::Flag => format!("--{} {shown}", knob.name),
            Origin::Environment(variable) => format!("{variable}={shown}"),
            Origin::File(path, line) => {
                format!("{} line {line}: {} = {shown}", path.display(), knob.key())
            }
            Origin::Default => format!("the default of --{}, {shown}", knob.name),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(variable) => f.write_str(variable),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Knob {
    /// A list is parted at its commas, anything else is one text.
    pub(super) fn parted(&self, texts: Vec<String>) -> Vec<String> {
        if self.kind != Kind::Many {
            return texts;
        }
        let words = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}
