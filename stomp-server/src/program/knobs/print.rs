//! The commented file with every default, which is also the reference.

use super::{Kind, Knob, Program};

/// Where comments are broken.
const WIDTH: usize = 100;

impl Program {
    /// A TOML file in which everything is commented out: taking the `#` off a line changes
    /// nothing, changing what stands behind it does.
    pub fn commented(&self) -> String {
        let (name, prefix) = (self.name, self.prefix);
        let mut text = comment(&format!(
            "Settings of {name}, each with its default. Use: {name} --config FILE; \
             `{name} check --config FILE` says what is wrong with one. What is set here gives \
             way to the environment ({prefix}…), and that to a flag."
        ));
        text.push_str(&comment(
            "SIZE: octets, or with KiB, MiB, GiB. TIME: with ms, s, m, h or d, as in 1m 30s. \
             BOOL: true or false. N: a whole number. FILE: a path. Repeatable ones are arrays.",
        ));
        for section in self.sections {
            text.push_str(&format!("\n# ── {} ──\n", section.title));
            for knob in section.knobs {
                text.push('\n');
                text.push_str(&self.entry(knob));
            }
        }
        for table in self.tables {
            text.push_str(&format!("\n# ── [[{}]] ──\n\n", table.name));
            text.push_str(&comment(table.about));
            for line in table.example.lines() {
                text.push_str(&format!("#{line}\n"));
            }
        }
        text
    }

    fn entry(&self, knob: &Knob) -> String {
        let mut text = comment(&format!("{} {}", knob.about, knob.why));
        let repeatable = if knob.kind == Kind::Many { ", repeatable" } else { "" };
        let unset = if knob.default.is_none() { " Not set by default." } else { "" };
        text.push_str(&comment(&format!(
            "{}{repeatable}; --{}, {}.{unset}",
            knob.value,
            knob.name,
            knob.variable(self.prefix)
        )));
        text.push_str(&format!("#{} = {}\n", knob.key(), literal(knob)));
        text
    }
}

/// A knob's default as TOML; what kind of value it takes where it has none.
fn literal(knob: &Knob) -> String {
    let text = knob.default.unwrap_or(knob.value);
    match knob.kind {
        Kind::Switch => text.to_owned(),
        Kind::One if text.parse::<i64>().is_ok() => text.to_owned(),
        Kind::One => format!("{text:?}"),
        Kind::Many => {
            let words = knob.parted(vec![text.to_owned()]);
            let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
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
