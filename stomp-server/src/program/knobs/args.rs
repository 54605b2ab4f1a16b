//! The table as flags of clap, and what was given there.

use std::collections::HashMap;

use clap::{Arg, ArgAction, ArgMatches, parser::ValueSource};

use super::{Kind, Knob, Program, Secret, Section};

/// The flag that names the file.
pub(super) const CONFIG: &str = "config";

impl Program {
    /// Flags for all knobs, and `--config`.
    ///
    /// clap takes their values as text: [`Settings`](super::Settings) reads them, so that all
    /// faults are told together.
    pub fn args(&self) -> Vec<Arg> {
        let knobs = self
            .sections
            .iter()
            .flat_map(|section| section.knobs.iter().map(|knob| self.arg(section, knob)));
        std::iter::once(self.config_arg()).chain(knobs).collect()
    }

    /// Flags for these knobs only, and `--config`, for a command that needs no more.
    pub fn args_of(&self, names: &[&str]) -> Vec<Arg> {
        let mut args = self.args();
        args.retain(|arg| arg.get_id() == CONFIG || names.contains(&arg.get_id().as_str()));
        args
    }

    fn config_arg(&self) -> Arg {
        let (prefix, name) = (self.prefix, self.name);
        Arg::new(CONFIG).long(CONFIG).value_name("FILE").help(format!(
            "A TOML file of settings; flags and environment go before it. `{name} config` \
             prints one with all defaults. [env: {prefix}CONFIG]"
        ))
    }

    fn arg(&self, section: &Section, knob: &Knob) -> Arg {
        let arg = Arg::new(knob.name)
            .long(knob.name)
            .help_heading(section.title)
            .help(self.help(knob))
            .long_help(format!("{} {}\n{}", knob.about, knob.why, self.places(knob)));
        match knob.kind {
            Kind::Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("BOOL")
                .hide_possible_values(true),
            Kind::One if knob.secret == Secret::ByFile => arg.value_name("@FILE"),
            Kind::One => arg.value_name(knob.value),
            Kind::Many => arg.value_name(knob.value).action(ArgAction::Append),
        }
    }

    fn help(&self, knob: &Knob) -> String {
        format!("{} {}", knob.about, self.places(knob))
    }

    fn places(&self, knob: &Knob) -> String {
        let default = knob.default.filter(|_| knob.kind != Kind::Switch);
        let default = default.map(|default| format!("[default: {default}] ")).unwrap_or_default();
        format!("{default}[env: {}]", knob.variable(self.prefix))
    }

    /// What was given by flags, by the name of the knob.
    pub(super) fn given(&self, matches: &ArgMatches) -> HashMap<String, Vec<String>> {
        let names = self.knobs().map(|knob| knob.name).chain([CONFIG]);
        let given = names.filter_map(|name| {
            // A command may have some of the flags only.
            let is_given = matches.try_contains_id(name).unwrap_or_default()
                && matches.value_source(name) == Some(ValueSource::CommandLine);
            let values = is_given.then(|| matches.get_many::<String>(name)).flatten()?;
            Some((name.to_owned(), values.cloned().collect()))
        });
        given.collect()
    }
}
