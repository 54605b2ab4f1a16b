//! The connection that commits, and its replacement after a failure.

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{cause, write};
use crate::broker::journal::{Change, JournalError};

/// The one writer. After a failed commit its connection is not used again: SQLite has ended the
/// transaction by itself (a full disk) or not (a full page cache), and whoever guesses wrong
/// finds every later transaction refused. A closed connection has none open.
#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    is_closed: bool,
}

impl Writer {
    pub(super) fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, connection: Some(connection), is_closed: false }
    }

    /// One transaction, on a connection of which nothing is left over.
    pub(super) async fn commit(&mut self, batch: &[Change]) -> Result<(), JournalError> {
        if self.is_closed {
            return Err(JournalError::NotCommitted("the journal is closed".into()));
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => SqliteConnection::connect_with(&self.options)
                .await
                .map_err(|error| JournalError::NotCommitted(cause(&error)))?,
        };
        let outcome = write::commit(&mut connection, batch).await;
        if outcome.is_ok() {
            self.connection = Some(connection);
        } else {
            // What may fail is a checkpoint, which the next connection does instead.
            let _ = connection.close().await;
        }
        outcome
    }

    pub(super) async fn close(&mut self) {
        self.is_closed = true;
        if let Some(connection) = self.connection.take() {
            // Nothing is open in it; what may fail is the last checkpoint, which the next
            // start does instead.
            let _ = connection.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use stomp_core::SharedMessage;

    use super::*;
    use crate::broker::{
        Epoch, JournalSync, Logged, MessageId, Position,
        journal::sqlite::SqliteJournal,
        journal::{Entry, Journal, Span},
    };

    fn append(offset: u64, octets: usize) -> Change {
        let position = Position { epoch: Epoch(1), offset };
        let headers: [(&str, &str); 0] = [];
        let message = SharedMessage::new("/topic/a", headers, Bytes::from(vec![7; octets]));
        Change::Append(Entry {
            offset,
            at_ms: 0,
            logged: Arc::new(Logged {
                route: "/topic/a".into(),
                id: MessageId::Position(position),
                position: Some(position),
                message,
                dedupe: None,
                wire: Default::default(),
            }),
        })
    }

    #[tokio::test]
    async fn a_full_disk_ends_when_there_is_room_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = SqliteJournal::open(folder.path().join("log"), JournalSync::Normal);
        let journal = journal.await.expect("a new journal");
        journal.commit(&[append(1, 10)]).await.expect("there is room");
        if let Some(connection) = &mut journal.writer.lock().await.connection {
            // As full as a disk can be: SQLite answers just as it does there.
            let full = sqlx::query("PRAGMA max_page_count = 1").execute(connection).await;
            full.expect("a setting");
        }
        let refused = journal.commit(&[append(2, 1 << 20)]).await;
        assert!(matches!(refused, Err(JournalError::NotCommitted(_))), "{refused:?}");
        journal.commit(&[append(2, 1 << 20)]).await.expect("there is room again");
        let all = Span { after: 0, upto: u64::MAX };
        let offsets: Vec<_> =
            journal.read(all, 10).await.expect("it reads").iter().map(|it| it.offset).collect();
        assert_eq!(offsets, [1, 2]);
        journal.close().await;
        let closed = journal.commit(&[append(3, 10)]).await;
        assert!(matches!(closed, Err(JournalError::NotCommitted(_))));
    }
}
