//! Takes an export in: what is broken off goes on where it was, and nobody sees half a room.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{
    Failure,
    progress::bar,
    record::{MessageRecord, Record, RoomRecord, VERSION},
};
use crate::{
    app::occupy,
    config::DatabaseChoice,
    domain::{Kind, MessageId, RoomId},
    store::sql::{ImportBatch, ImportRoom, Place, Sql},
};

/// Lines of one transaction.
const LINES: usize = 2_000;
/// Octets of one transaction; whichever comes first.
const OCTETS: u64 = 4 << 20;
/// The longest line: the longest message that any server here takes, and what is around it.
const LONGEST: u64 = 32 << 20;
/// Rooms whose heads are in memory between two transactions; the others are asked for again.
const ROOMS: usize = 10_000;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that were taken, now and before.
    pub lines: u64,
    /// Messages that were taken by this run.
    pub messages: u64,
    /// Rooms that were opened by this run.
    pub rooms: u64,
    /// Rooms that were there already, and were left as they are.
    pub passed_over: u64,
}

/// `chat-app import`: reads an export into a database. The server of the data folder must not run.
///
/// # Errors
/// With the line and what is wrong there, or what the disk or the database says. What is whole
/// before stays; the same command goes on behind it.
pub async fn import(
    data: &Path,
    database: &DatabaseChoice,
    path: &Path,
) -> Result<Imported, Failure> {
    let _lock = occupy(data)?;
    let sql = Sql::open(database).await?;
    let done = import_into(&sql, path).await;
    sql.close().await;
    done
}

pub(super) async fn import_into(sql: &Sql, path: &Path) -> Result<Imported, Failure> {
    let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let length = file.metadata()?.len();
    let source = source(&mut file, length)?;
    let mut importer = Importer::new(sql, source).await?;
    if importer.place.finished {
        return Ok(Imported { lines: importer.place.line, ..Imported::default() });
    }
    file.seek(SeekFrom::Start(importer.place.byte))?;
    let progress = bar(length, "bytes").with_message("import");
    progress.set_position(importer.place.byte);
    let mut lines = BufReader::with_capacity(1 << 20, file);
    let mut line = String::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LONGEST).read_line(&mut line)?;
        if read == 0 {
            break;
        }
        let number = importer.place.line + importer.pending + 1;
        if read as u64 == LONGEST {
            return Err(format!("line {number} is longer than {LONGEST} bytes").into());
        }
        importer
            .line(line.trim(), read as u64)
            .await
            .map_err(|fault| format!("line {number}: {fault}"))?;
        progress.set_position(importer.place.byte);
    }
    let imported = importer.finish().await?;
    progress.finish_and_clear();
    Ok(imported)
}

/// Tells one file from another, also where both begin alike.
fn source(file: &mut File, length: u64) -> Result<String, Failure> {
    let mut beginning = Vec::new();
    file.take(64 << 10).read_to_end(&mut beginning)?;
    let mut hash = Sha256::new();
    hash.update(&beginning);
    hash.update(length.to_be_bytes());
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Checks records and takes them in batches.
pub(super) struct Importer<'a> {
    sql: &'a Sql,
    source: String,
    place: Place,
    batch: ImportBatch,
    rooms: HashMap<RoomId, ImportRoom>,
    /// Lines and octets of the batch.
    pending: u64,
    octets: u64,
    done: Imported,
}

impl<'a> Importer<'a> {
    pub(super) async fn new(sql: &'a Sql, source: String) -> Result<Self, Failure> {
        let place = sql.import_place(&source).await?;
        Ok(Self {
            sql,
            source,
            place,
            batch: ImportBatch::default(),
            rooms: HashMap::new(),
            pending: 0,
            octets: 0,
            done: Imported::default(),
        })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.place.finished
    }

    async fn line(&mut self, line: &str, octets: u64) -> Result<(), Failure> {
        if line.is_empty() {
            self.count(octets);
            return Ok(());
        }
        self.take(Record::parse(line)?, octets).await
    }

    /// Takes one record.
    pub(super) async fn take(&mut self, record: Record, octets: u64) -> Result<(), Failure> {
        let is_first = self.place.line + self.pending == 0;
        match record {
            Record::Header { version, .. } if is_first && version <= VERSION => {}
            Record::Header { version, .. } if is_first => {
                return Err(format!(
                    "version {version} is newer than this program: use a newer one"
                )
                .into());
            }
            Record::Header { .. } => return Err("only the first line says what this is".into()),
            _ if is_first => {
                return Err("the first line is {\"type\":\"header\",\"version\":1}".into());
            }
            Record::User(user) => self.batch.users.push(user),
            Record::Room(room) => self.room(room).await?,
            Record::Member(member) => {
                if !self.begun(&member.room).await?.passed_over {
                    self.batch.members.push(member);
                }
            }
            Record::Message(message) => self.message(message).await?,
            Record::Marker(marker) => {
                if !self.begun(&marker.room).await?.passed_over {
                    self.batch.markers.push(marker);
                }
            }
        }
        self.count(octets);
        if self.pending >= LINES as u64 || self.octets >= OCTETS {
            self.flush().await?;
        }
        Ok(())
    }

    /// Takes what is left and opens the rooms.
    pub(super) async fn finish(mut self) -> Result<Imported, Failure> {
        self.flush().await?;
        let closed = self.sql.closed_rooms(&self.source).await?;
        let progress = bar(closed, "rows").with_message("open rooms");
        while let Some(opened) = self.sql.open_imported(&self.source).await? {
            progress.inc(1);
            self.done.rooms += u64::from(opened);
            self.done.passed_over += u64::from(!opened);
        }
        progress.finish_and_clear();
        self.sql.finish_import(&self.source, self.place).await?;
        self.done.lines = self.place.line;
        Ok(self.done)
    }

    fn count(&mut self, octets: u64) {
        self.pending += 1;
        self.octets += octets;
    }

    async fn room(&mut self, room: RoomRecord) -> Result<(), Failure> {
        if (room.kind == Kind::Direct) != room.pair.is_some() {
            return Err("a direct room has its pair, a group has none".into());
        }
        if room.name.as_ref().is_some_and(|name| name.chars().count() > 128) {
            return Err("the name of a room has at most 128 characters".into());
        }
        let meets = |(other, _): &(RoomRecord, ImportRoom)| {
            other.id == room.id || (room.pair.is_some() && sorted(other) == sorted(&room))
        };
        if self.batch.rooms.iter().any(meets) || self.rooms.contains_key(&room.id) {
            return Err(format!("room {}, or the room of its pair, came before", room.id).into());
        }
        let passed_over = self.sql.is_room_taken(&room).await?;
        let state =
            ImportRoom { passed_over, last_ordinal: 0, active_at: room.created_at.millis() };
        self.rooms.insert(room.id.clone(), state);
        self.batch.rooms.push((room, state));
        Ok(())
    }

    async fn message(&mut self, message: MessageRecord) -> Result<(), Failure> {
        let mut room = self.begun(&message.room).await?;
        if room.passed_over {
            return Ok(());
        }
        let next = room.last_ordinal + 1;
        let ordinal = message.ordinal.unwrap_or(next);
        if ordinal != next {
            return Err(format!("the next ordinal of this room is {next}, not {ordinal}").into());
        }
        let says = &message.content;
        let ways = usize::from(says.text.is_some()) + usize::from(says.content.is_some());
        if ways != 1 && message.gone_at().is_none() {
            return Err("a message has either text or content".into());
        }
        let id = message.id.clone();
        let id = id.unwrap_or_else(|| MessageId::imported(&message.room, ordinal));
        room.last_ordinal = ordinal;
        room.active_at = room.active_at.max(message.created_at.millis());
        self.rooms.insert(message.room.clone(), room);
        self.batch.heads.insert(message.room.clone(), room);
        self.batch.messages.push((message, ordinal, id));
        self.done.messages += 1;
        Ok(())
    }

    /// A room of this file whose line has come.
    async fn begun(&mut self, room: &RoomId) -> Result<ImportRoom, Failure> {
        if let Some(known) = self.rooms.get(room) {
            return Ok(*known);
        }
        let begun = self.sql.import_room(&self.source, room).await?;
        let begun = begun.ok_or_else(|| format!("room {room} has no line before this one"))?;
        self.rooms.insert(room.clone(), begun);
        Ok(begun)
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let place = Place {
            byte: self.place.byte + self.octets,
            line: self.place.line + self.pending,
            finished: false,
        };
        self.sql.import(&self.source, &self.batch, place).await.map_err(|error| {
            format!("up to line {}, from line {}: {error}", place.line, self.place.line + 1)
        })?;
        self.place = place;
        (self.pending, self.octets) = (0, 0);
        self.batch = ImportBatch::default();
        if self.rooms.len() > ROOMS {
            self.rooms.clear();
        }
        Ok(())
    }
}

fn sorted(room: &RoomRecord) -> Option<[crate::domain::UserId; 2]> {
    room.pair.clone().map(|mut pair| {
        pair.sort();
        pair
    })
}
