#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::{io::Write, time::Duration};

use serde::Deserialize;

use super::{Knob, Origin, Program, Section, Settings, Table, units};

static PROGRAM: Program = Program {
    name: "pump",
    prefix: "PUMP_",
    sections: &[Section {
        title: "Water",
        knobs: &[
            Knob::one("max-flow", "SIZE", "4MiB", "The most water.", "The pipe is thin."),
            Knob::one("pause", "TIME", "10s", "Between strokes.", "It gets hot."),
            Knob::many("outlet", "NAME", Some("north,south"), "Where to.", "Both by default."),
            Knob::switch("reverse", "Pump the other way.", "For cleaning."),
            Knob::optional("key", "SECRET", "Who may pump.", "Water is dear.").by_file(),
            Knob::optional("meter", "ADDR", "Who counts.", "Somebody pays.").with_password(),
            Knob::one("strokes", "N", "64", "Strokes.", "Enough."),
        ],
    }],
    tables: &[Table {
        name: "well.shaft",
        keys: &["name", "depth"],
        about: "A shaft.",
        example: "[[well.shaft]]\nname = \"old\"\ndepth = 8",
    }],
};

#[derive(Debug, Deserialize, PartialEq)]
struct Shaft {
    name: String,
    depth: u32,
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn settings(flags: &[&str], environment: &[(&str, &str)], text: Option<&str>) -> Settings {
    let file = text.map(file);
    let mut args = vec!["pump"];
    args.extend(flags);
    if let Some(file) = &file {
        args.extend(["--config", file.path().to_str().unwrap()]);
    }
    let command = clap::Command::new("pump").args(PROGRAM.args());
    let matches = command.try_get_matches_from(args).unwrap();
    PROGRAM.settings_with(&matches, |name| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let text = Some("max_flow = \"1KiB\"\nstrokes = 7\nreverse = true\n");
    let flow = |settings: &mut Settings| settings.value("max-flow", units::size);
    let mut all = settings(&["--max-flow", "3KiB"], &[("PUMP_MAX_FLOW", "2KiB")], text);
    assert_eq!(flow(&mut all), 3 << 10);
    assert_eq!(all.origin("max-flow"), Origin::Flag);
    assert_eq!(flow(&mut settings(&[], &[("PUMP_MAX_FLOW", "2KiB")], text)), 2 << 10);
    assert_eq!(flow(&mut settings(&[], &[("PUMP_MAX_FLOW", "")], text)), 1 << 10, "empty is unset");
    assert_eq!(flow(&mut settings(&[], &[], Some(""))), 4 << 20);
    assert_eq!(all.value("strokes", units::number::<u32>), 7);
    assert!(all.is_on("reverse"));
    assert!(!settings(&["--reverse=false"], &[], text).is_on("reverse"));
    assert!(settings(&["--reverse"], &[], None).is_on("reverse"));
    assert!(settings(&[], &[("PUMP_REVERSE", "1")], None).is_on("reverse"));
    assert!(all.faults().is_empty(), "{:?}", all.faults());
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let file = file("pause = \"3s\"");
    let path = file.path().to_str().unwrap();
    let mut settings = settings(&[], &[("PUMP_CONFIG", path)], None);
    assert_eq!(settings.value("pause", units::time), Duration::from_secs(3));
}

#[test]
fn lists_are_repeated_flags_commas_or_arrays() {
    let outlets = |mut settings: Settings| settings.list("outlet", units::text);
    assert_eq!(outlets(settings(&[], &[], None)), ["north", "south"]);
    assert_eq!(
        outlets(settings(&["--outlet", "a,b", "--outlet", "c"], &[], None)),
        ["a", "b", "c"]
    );
    assert_eq!(outlets(settings(&[], &[("PUMP_OUTLET", "a, b")], None)), ["a", "b"]);
    assert_eq!(outlets(settings(&[], &[], Some("outlet = ['a', 'b']"))), ["a", "b"]);
    assert!(outlets(settings(&[], &[], Some("outlet = []"))).is_empty());
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    let text = "max_flow = \"much\"\n\nmax_flwo = 3\npause = [1]\nreverse = 'yes'\n\
                [[well.shaft]]\nname = 'old'\ndeepth = 3\n[[well.shafts]]\n[other]\nrubbish\n";
    let mut settings =
        settings(&["--strokes", "x"], &[("PUMP_KEY", ""), ("PUMP_OUTLET", "n")], Some(text));
    settings.value("max-flow", units::size);
    settings.value("strokes", units::number::<u32>);
    settings.rows::<Shaft>("well.shaft");
    let told = settings.faults().join("\n");
    for part in [
        "line 1: max_flow = much: a size is like",
        "line 3: there is no setting max_flwo; did you mean max_flow?",
        "line 4: pause: one value, not a list",
        "line 5: reverse: true or false",
        "line 8: [[well.shaft]] has no deepth; did you mean depth?",
        "line 6: [[well.shaft]]: missing field `depth`",
        "line 9: there is no setting well.shafts; did you mean well.shaft?",
        "line 10: there is no setting other",
        "line 11: ",
        "--strokes x: a whole number",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let settings = settings(&[], &[("PUMP_CONFIG", "/nowhere/pump.toml")], None);
    assert!(settings.faults()[0].starts_with("/nowhere/pump.toml cannot be read"));
}

#[test]
fn a_secret_is_neither_taken_from_a_flag_nor_shown() {
    let mut by_flag = settings(&["--key", "hunter2hunter2"], &[], None);
    assert_eq!(by_flag.optional("key", units::secret), None);
    let told = by_flag.faults().join("\n");
    assert!(told.contains("@FILE") && !told.contains("hunter2"), "{told}");
    let mut by_variable = settings(&["--pause", "1s"], &[("PUMP_KEY", "hunter2")], None);
    assert_eq!(by_variable.optional("key", units::secret).unwrap().read().unwrap(), "hunter2");
    let told = by_variable.differences().join("\n");
    assert_eq!(told, "pause = 1s  (flag)\nkey = …  (PUMP_KEY)");
}

#[test]
fn tables_become_whatever_the_program_wants() {
    let text = "[[well.shaft]]\nname = 'old'\ndepth = 8\n[[well.shaft]]\nname = 'new'\ndepth = 9\n";
    let mut settings = settings(&[], &[], Some(text));
    let shafts: Vec<Shaft> = settings.rows("well.shaft");
    assert_eq!(shafts[1], Shaft { name: "new".to_owned(), depth: 9 });
    assert!(settings.faults().is_empty());
}

/// Every default, with its `#` taken off, says what holds without it; so does the example.
#[test]
fn the_commented_file_is_what_holds_anyway() {
    let commented = PROGRAM.commented();
    let is_entry = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let entries = commented.lines().filter(is_entry).map(|line| &line[1..]);
    let text: String = entries
        .filter(|line| !line.starts_with("key") && !line.starts_with("meter"))
        .fold(String::new(), |text, line| text + line + "\n");
    let mut uncommented = settings(&[], &[], Some(&text));
    let mut plain = settings(&[], &[], None);
    for name in ["max-flow", "pause", "outlet", "reverse", "strokes"] {
        assert!(uncommented.is_set(name), "{name}: {commented}");
        assert_eq!(uncommented.list(name, units::text), plain.list(name, units::text), "{name}");
    }
    assert_eq!(uncommented.rows::<Shaft>("well.shaft")[0].depth, 8);
    assert!(uncommented.faults().is_empty(), "{:?}", uncommented.faults());
    assert!(commented.lines().all(|line| line.chars().count() <= 100));
    assert!(commented.contains("--max-flow, PUMP_MAX_FLOW"));
}

#[test]
fn the_effective_file_says_where_each_setting_comes_from_and_shows_no_secret() {
    let environment = [("PUMP_KEY", "hunter2"), ("PUMP_METER", "db://me:hun@ter2@host/m")];
    let text = Some("reverse = true\noutlet = ['east', 'west']\n");
    let mut settings = settings(&["--strokes", "7"], &environment, text);
    settings.assume("max-flow", "9KiB");
    assert_eq!(settings.value("max-flow", units::size), 9 << 10);
    let told = settings.effective();
    for line in [
        "\n#max_flow = \"9KiB\"  # default\n",
        "\n#pause = \"10s\"  # default\n",
        "\n#key = \"…\"  # PUMP_KEY\n",
        "\n#meter = \"db://…@host/m\"  # PUMP_METER\n",
        "\nstrokes = 7  # flag\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let of_file = |line: &str| told.lines().any(|told| told.starts_with(line));
    assert!(
        of_file("reverse = true  # ") && of_file("outlet = [\"east\", \"west\"]  # "),
        "{told}"
    );
    assert!(!told.contains("hun"), "{told}");
    assert!(settings.verdict().unwrap().contains("meter = db://…@host/m  (PUMP_METER)"));
}
