//! `docs/conformance.md` names tests that exist, and no row is empty.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_row_of_the_list_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Ok(list) = fs::read_to_string(root.join("docs/conformance.md")) else {
        println!("skipped: the published crate has no docs/conformance.md beside it");
        return;
    };
    let mut functions = BTreeSet::new();
    for folder in ["stomp-core/src", "stomp-core/tests", "stomp-server/src", "stomp-server/tests"] {
        collect_functions(&root.join(folder), &mut functions);
    }
    let rows: Vec<&str> = list.lines().filter(|line| is_row(line)).collect();
    assert!(rows.len() > 60, "the list has only {} rows", rows.len());
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test in: {row}");
        for name in names {
            assert!(functions.contains(name), "no test {name}, named in: {row}");
        }
    }
}

/// A requirement begins with the versions that have it.
fn is_row(line: &str) -> bool {
    line.starts_with("| all |") || line.starts_with("| 1.")
}

fn collect_functions(folder: &Path, functions: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect_functions(&path, functions);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap_or_default();
            functions.extend(source.split("fn ").skip(1).filter_map(name_of).map(str::to_owned));
        }
    }
}

/// The name before the parenthesis, if a function begins there.
fn name_of(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('(')?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}
