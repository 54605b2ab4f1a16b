//! The commented file with every default, which is also the reference.

use super::{Kind, Knob, Origin, Program, Settings, units};

/// Where comments are broken.
const WIDTH: usize = 100;

impl Program {
    /// A TOML file in which everything is commented out: taking the `#` off a line changes
    /// nothing, changing what stands behind it does.
    pub fn commented(&self) -> String {
        let (name, prefix) = (self.name, self.prefix);
        let head = format!(
            "Settings of {name}, each with its default. Use: {name} --config FILE; \
             `{name} check --config FILE` says what is wrong with one. What is set here gives \
             way to the environment ({prefix}…), and that to a flag."
        );
        let mut text = self.listed(&head, |knob| {
            let default = knob.parted(vec![knob.default.unwrap_or(knob.value).to_owned()]);
            format!("#{} = {}", knob.key(), literal(knob, &default))
        });
        for table in self.tables {
            text.push_str(&format!("\n# ── [[{}]] ──\n\n", table.name));
            text.push_str(&comment(table.about));
            for line in table.example.lines() {
                text.push_str(&format!("#{line}\n"));
            }
        }
        text
    }

    /// All knobs with their reasons; `line` says what stands below those.
    fn listed(&self, head: &str, line: impl Fn(&Knob) -> String) -> String {
        let mut text = comment(head);
        text.push_str(&comment(
            "SIZE: octets, or with KiB, MiB, GiB. TIME: with ms, s, m, h or d, as in 1m 30s. \
             BOOL: true or false. N: a whole number. FILE: a path. Repeatable ones are arrays.",
        ));
        for section in self.sections {
            text.push_str(&format!("\n# ── {} ──\n", section.title));
            for knob in section.knobs {
                text.push('\n');
                text.push_str(&self.reasons(knob));
                text.push_str(&line(knob));
                text.push('\n');
            }
        }
        text
    }

    fn reasons(&self, knob: &Knob) -> String {
        let mut text = comment(&format!("{} {}", knob.about, knob.why));
        let repeatable = if knob.kind == Kind::Many { ", repeatable" } else { "" };
        let unset = if knob.default.is_none() { " Not set by default." } else { "" };
        text.push_str(&comment(&format!(
            "{}{repeatable}; --{}, {}.{unset}",
            knob.value,
            knob.name,
            knob.variable(self.prefix)
        )));
        text
    }
}

impl Settings {
    /// The commented file with what holds now, and where it comes from: what somebody has set
    /// stands without a `#`. Secrets are not shown.
    pub fn effective(&self) -> String {
        let head = format!(
            "The settings of {} as they hold here; behind each is where it comes from.",
            self.program.name
        );
        let mut text = self.program.listed(&head, |knob| self.line(knob));
        for (name, rows) in &self.rows {
            text.push_str(&format!("\n# [[{name}]]: {} in the file\n", rows.len()));
        }
        text
    }

    fn line(&self, knob: &Knob) -> String {
        let said = self.said(knob);
        let key = knob.key();
        if said.texts.is_empty() && said.origin == Origin::Default {
            return format!("#{key} = {}  # not set", literal(knob, &[knob.value.to_owned()]));
        }
        let texts: Vec<String> = said.texts.iter().map(|text| knob.shown(text)).collect();
        // What is not shown in full cannot be taken over into a file either.
        let is_whole = said.origin != Origin::Default && texts == said.texts;
        let sign = if is_whole { "" } else { "#" };
        format!("{sign}{key} = {}  # {}", literal(knob, &texts), said.origin)
    }
}

/// Values as TOML.
fn literal(knob: &Knob, texts: &[String]) -> String {
    let text = texts.first().map(String::as_str).unwrap_or_default();
    match knob.kind {
        Kind::Switch => units::switch(text).map_or(text.to_owned(), |on| on.to_string()),
        Kind::One if text.parse::<i64>().is_ok() => text.to_owned(),
        Kind::One => format!("{text:?}"),
        Kind::Many => {
            let words: Vec<String> = texts.iter().map(|word| format!("{word:?}")).collect();
            format!("[{}]", words.join(", "))
        }
    }
}

/// Text as comment lines.
fn comment(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from("#"));
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}
