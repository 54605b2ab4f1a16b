//! The words that databases spell differently. Statements are written once, around these.

/// What a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    /// MySQL 8 and MariaDB 10.11: nothing that only one of them knows.
    MySql,
}

/// A column of a [`Dialect::list`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Text(&'static str),
    Number(&'static str),
}

impl Dialect {
    /// Begins a transaction that writes. SQLite takes the write lock at once: a transaction
    /// that reads first and writes later could find that its snapshot is too old to write.
    pub(super) const fn begin_write(self) -> &'static str {
        self.choose("BEGIN IMMEDIATE", "START TRANSACTION")
    }

    /// Begins a transaction in which everything that is read is of one moment.
    pub(super) const fn begin_read(self) -> &'static str {
        self.choose("BEGIN", "START TRANSACTION READ ONLY")
    }

    /// Begins an INSERT that leaves rows alone which are there already.
    pub(super) const fn insert_new(self) -> &'static str {
        self.choose("INSERT OR IGNORE INTO", "INSERT IGNORE INTO")
    }

    /// Ends a SELECT whose rows nobody else may change before the end of the transaction.
    /// SQLite's writers are alone anyway.
    pub(super) const fn for_update(self) -> &'static str {
        self.choose("", "FOR UPDATE")
    }

    /// The same, passing over rows that somebody else is at.
    pub(super) const fn skip_locked(self) -> &'static str {
        self.choose("", "FOR UPDATE SKIP LOCKED")
    }

    /// The database's clock, in milliseconds since 1970: the one clock of all processes.
    pub(super) const fn now_ms(self) -> &'static str {
        self.choose(
            "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
            "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
        )
    }

    /// Goes between the VALUES of an INSERT and what is to be set where a row with this key
    /// is there already.
    pub(super) fn on_conflict(self, key: &str) -> String {
        match self {
            Self::Sqlite => format!("ON CONFLICT ({key}) DO UPDATE SET"),
            Self::MySql => "ON DUPLICATE KEY UPDATE".into(),
        }
    }

    /// Behind [`on_conflict`](Self::on_conflict): what the INSERT would have put into the column.
    pub(super) fn incoming(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("excluded.{column}"),
            Self::MySql => format!("VALUES({column})"),
        }
    }

    /// The function that gives the greatest of its arguments, none of them NULL.
    pub(super) const fn greatest(self) -> &'static str {
        self.choose("max", "GREATEST")
    }

    /// The function that gives the least of its arguments, none of them NULL.
    pub(super) const fn least(self) -> &'static str {
        self.choose("min", "LEAST")
    }

    /// A table made of one parameter, a [`List`](super::list::List) with these columns. The
    /// statement's text stays the same however many rows there are, so it is prepared once.
    pub(super) fn list(self, name: &str, columns: &[Column]) -> String {
        let columns = columns.iter().enumerate();
        match self {
            Self::Sqlite => {
                let column = |(at, column): (usize, &Column)| {
                    format!("json_extract(value, '$[{at}]') AS {}", column.name())
                };
                let columns = columns.map(column).collect::<Vec<_>>().join(", ");
                format!("(SELECT {columns} FROM json_each(?)) AS {name}")
            }
            Self::MySql => {
                let column = |(at, column): (usize, &Column)| {
                    let (name, kind) = (column.name(), column.kind());
                    format!("{name} {kind} PATH '$[{at}]'")
                };
                let columns = columns.map(column).collect::<Vec<_>>().join(", ");
                format!("JSON_TABLE(?, '$[*]' COLUMNS ({columns})) AS {name}")
            }
        }
    }

    /// An UPDATE whose new values come from the rows of another table.
    pub(super) fn update(
        self,
        table: &str,
        set: &[(&str, String)],
        from: &str,
        on: &str,
    ) -> String {
        let set = |of: &str| {
            let set = set.iter().map(|(column, value)| format!("{of}{column} = {value}"));
            set.collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Sqlite => format!("UPDATE {table} SET {} FROM {from} WHERE {on}", set("")),
            // The rows to be looked up by come first, whatever the optimiser thinks.
            Self::MySql => {
                let set = set(&format!("{table}."));
                format!("UPDATE {from} STRAIGHT_JOIN {table} ON {on} SET {set}")
            }
        }
    }

    const fn choose(self, sqlite: &'static str, mysql: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::MySql => mysql,
        }
    }
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) => name,
        }
    }

    /// As MySQL calls it; the collation is that of the tables, so that their indexes serve.
    const fn kind(self) -> &'static str {
        match self {
            Self::Text(_) => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            Self::Number(_) => "BIGINT",
        }
    }
}

/// `LIKE` with the pattern's own signs taken literally; to be used with `ESCAPE '!'`, because a
/// backslash is spelled differently everywhere.
pub(super) fn like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
