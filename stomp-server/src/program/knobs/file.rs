//! The TOML file: keys that are known, with the lines on which they stand.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::Path,
};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    Kind, Knob, Program, Table, nearest,
    settings::{Origin, Row, Said},
};

/// What a file says.
#[derive(Default)]
pub(super) struct Read {
    pub(super) said: HashMap<&'static str, Said>,
    pub(super) rows: BTreeMap<&'static str, Vec<Row>>,
}

/// Reads a file; what is wrong with it goes to `faults`.
pub(super) fn read(program: &'static Program, path: &Path, faults: &mut Vec<String>) -> Read {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(format!("{} cannot be read: {error}", path.display()));
            return Read::default();
        }
    };
    let mut reader =
        Reader { program, path, text: &text, faults: Vec::new(), read: Read::default() };
    let (root, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let line = reader.line(error.span().unwrap_or(0..0));
        reader.fault(line, error.message());
    }
    for (key, value) in root.get_ref() {
        reader.entry(key, value);
    }
    reader.faults.sort_by_key(|(line, _)| *line); // as somebody goes through the file
    faults.extend(reader.faults.into_iter().map(|(_, fault)| fault));
    reader.read
}

struct Reader<'a> {
    program: &'static Program,
    path: &'a Path,
    text: &'a str,
    faults: Vec<(usize, String)>,
    read: Read,
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn entry(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let (line, name) = (self.line(key.span()), key.get_ref().as_ref());
        if let Some(knob) = self.program.knobs().find(|knob| knob.key() == name) {
            match texts(knob, value.get_ref()) {
                Ok(texts) => {
                    let origin = Origin::File(self.path.to_owned(), line);
                    self.read.said.insert(knob.name, Said { texts, origin });
                }
                Err(why) => self.fault(line, &format!("{name}: {why}")),
            }
            return;
        }
        let prefix = format!("{name}.");
        let program = self.program;
        if let (true, DeValue::Table(inner)) =
            (program.tables.iter().any(|table| table.name.starts_with(&prefix)), value.get_ref())
        {
            for (key, value) in inner {
                self.table(&prefix, key, value);
            }
            return;
        }
        self.unknown(line, name, "");
    }

    /// A list of tables, `[[prefix.name]]`.
    fn table(&mut self, prefix: &str, key: &Key<'_>, value: &Value<'_>) {
        let line = self.line(key.span());
        let full = format!("{prefix}{}", key.get_ref());
        let program = self.program;
        let Some(table) = program.tables.iter().find(|table| table.name == full) else {
            return self.unknown(line, &full, prefix);
        };
        let DeValue::Array(rows) = value.get_ref() else {
            return self.fault(line, &format!("{full} is a list: begin each with [[{full}]]"));
        };
        for row in rows {
            self.row(table, row);
        }
    }

    fn row(&mut self, table: &'static Table, row: &Value<'_>) {
        let line = self.line(row.span());
        let DeValue::Table(inner) = row.get_ref() else {
            return self.fault(line, &format!("an entry of {0} begins with [[{0}]]", table.name));
        };
        for key in inner.keys().filter(|key| !table.keys.contains(&key.get_ref().as_ref())) {
            let line = self.line(key.span());
            let near = nearest(key.get_ref(), table.keys.iter().copied());
            let meant = near.map_or_else(
                || format!("it has {}", table.keys.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            self.fault(line, &format!("[[{}]] has no {}; {meant}", table.name, key.get_ref()));
        }
        // Without lines, for the entry outlives the text.
        match toml::Value::deserialize(ValueDeserializer::from(row.clone())) {
            Ok(value) => self.read.rows.entry(table.name).or_default().push(Row { value, line }),
            Err(error) => self.fault(line, error.message()),
        }
    }

    fn unknown(&mut self, line: usize, name: &str, prefix: &str) {
        let keys: Vec<String> = self.program.knobs().map(Knob::key).collect();
        let tables = self.program.tables.iter().map(|table| table.name);
        let names = keys.iter().map(String::as_str).chain(tables);
        let near = nearest(name, names.filter(|near| near.starts_with(prefix)));
        let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.fault(line, &format!("there is no setting {name}{meant}"));
    }

    fn fault(&mut self, line: usize, why: &str) {
        self.faults.push((line, format!("{} line {line}: {why}", self.path.display())));
    }

    /// The line of a place, from 1 on.
    fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }
}

/// The texts that a value stands for, as a flag would have them.
fn texts(knob: &Knob, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match (knob.kind, value) {
        (Kind::Switch, DeValue::Boolean(on)) => Ok(vec![on.to_string()]),
        (Kind::Switch, _) => Err("true or false".to_owned()),
        (Kind::Many, DeValue::Array(values)) => {
            values.iter().map(|value| text(value.get_ref())).collect()
        }
        (Kind::Many, value) => Ok(knob.parted(vec![text(value)?])),
        (Kind::One, DeValue::Array(_)) => Err("one value, not a list".to_owned()),
        (Kind::One, value) => Ok(vec![text(value)?]),
    }
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| "a number beyond all bounds".to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(on) => Ok(on.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err("a text or a number".to_owned())
        }
    }
}
