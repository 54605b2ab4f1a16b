//! A chat that has been lived in for a year: to look at, to try clients with, to measure.

use std::{path::Path, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::{
    Failure, Imported,
    import::Importer,
    record::{MemberRecord, MessageRecord, Record, RoomRecord, UserRecord, VERSION},
};
use crate::{
    app::occupy,
    config::DatabaseChoice,
    domain::{Content, Kind, MessageId, Password, Role, RoomId, Timestamp, UserId},
    service::Passwords,
    store::sql::Sql,
};

/// Everybody's password.
pub const PASSWORD: &str = "demo-demo";
/// The first of them is who one logs in as.
const PEOPLE: [&str; 8] = ["mina", "jun", "ada", "bob", "sora", "eve", "tom", "yuna"];
/// Name, whether anyone may find it, how many of the people, messages of the year.
const GROUPS: [(&str, bool, usize, usize); 4] = [
    ("Town square", true, 8, 2_600),
    ("Weekend walks", false, 5, 900),
    ("점심 뭐 먹지", false, 4, 700),
    ("Release crew", false, 3, 500),
];
/// Pairs by their places among the people, and messages of the year.
const PAIRS: [(usize, usize, usize); 3] = [(0, 1, 420), (0, 2, 160), (1, 4, 60)];
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// What people say; `{}` is somebody's name.
const SAYINGS: [&str; 24] = [
    "Good morning!",
    "Has anyone seen my umbrella?",
    "Lunch at twelve?",
    "오늘 점심은 김치찌개 어때요?",
    "좋아요!",
    "I am ten minutes late, sorry.",
    "The photos are up: https://photos.example/album",
    "{}, are you coming along?",
    "Yes, of course.",
    "No idea, to be honest.",
    "주말에 산에 갈 사람?",
    "저요!",
    "The train was on time, for once.",
    "Let us talk about it tomorrow.",
    "Done. It works on my machine, and on yours too.",
    "내일 봬요 👋",
    "Happy birthday, {}! 🎂",
    "Who has the key to the bike shed?",
    "Second drawer on the left.",
    "That made my day.",
    "비가 오네요. 우산 챙기세요.",
    "I will bring cake.",
    "회의는 세 시로 옮겼습니다.",
    "Thanks!",
];

/// `chat-app demo`: fills a database with people, rooms and a year of messages; again it does
/// nothing. Returns what it made and whom to log in as.
///
/// # Errors
/// When the folder is in use, or what the database says.
pub async fn demo(
    data: &Path,
    database: &DatabaseChoice,
) -> Result<(Imported, &'static str), Failure> {
    let _lock = occupy(data)?;
    let sql = Sql::open(database).await?;
    let made = fill(&sql, Timestamp::now()).await;
    sql.close().await;
    Ok((made?, PEOPLE[0]))
}

pub(super) async fn fill(sql: &Sql, now: Timestamp) -> Result<Imported, Failure> {
    let mut importer = Importer::new(sql, "demo".into()).await?;
    if importer.is_finished() {
        return Ok(Imported::default());
    }
    // Built from a seed, so that every demo is the same but for the time.
    let mut story = Story { random: StdRng::seed_from_u64(12), now };
    importer.take(Record::Header { version: VERSION, name: None }, 0).await?;
    let password = Password::parse(PASSWORD.into())?;
    let hash = Passwords::new().hash(password).await?;
    for name in PEOPLE {
        let user = UserRecord {
            id: user(name)?,
            name: name.into(),
            picture: None,
            password_hash: Some(hash.clone()),
        };
        importer.take(Record::User(user), 0).await?;
    }
    for (number, (name, public, people, messages)) in GROUPS.into_iter().enumerate() {
        let room = story.room(&format!("demo-group-{number}"), Kind::Group)?;
        let room = RoomRecord { name: Some(name.into()), public, ..room };
        story.live(&mut importer, room, &PEOPLE[..people], messages).await?;
    }
    for (one, other, messages) in PAIRS {
        let pair = [PEOPLE[one], PEOPLE[other]];
        let room = story.room(&format!("demo-{}-{}", pair[0], pair[1]), Kind::Direct)?;
        let room = RoomRecord { pair: Some([user(pair[0])?, user(pair[1])?]), ..room };
        story.live(&mut importer, room, &pair, messages).await?;
    }
    importer.finish().await
}

struct Story {
    random: StdRng,
    now: Timestamp,
}

impl Story {
    fn room(&self, id: &str, kind: Kind) -> Result<RoomRecord, Failure> {
        let created_at = self.before(YEAR);
        let id = RoomId::parse(id).ok_or("not a room's id")?;
        Ok(RoomRecord { id, kind, public: false, name: None, pair: None, created_at })
    }

    fn before(&self, time: Duration) -> Timestamp {
        Timestamp::from_millis(self.now.millis() - time.as_millis() as i64)
    }

    /// A room's whole year.
    async fn live(
        &mut self,
        importer: &mut Importer<'_>,
        room: RoomRecord,
        people: &[&'static str],
        messages: usize,
    ) -> Result<(), Failure> {
        let id = room.id.clone();
        let (kind, created_at) = (room.kind, room.created_at);
        importer.take(Record::Room(room), 0).await?;
        for (number, name) in people.iter().enumerate() {
            let owner = number == 0 || kind == Kind::Direct;
            // Some have not read the newest ones: there is something to see on logging in.
            let behind = if number == 0 { self.random.random_range(0..6) } else { 0 };
            let member = MemberRecord {
                room: id.clone(),
                user: user(name)?,
                role: if owner { Role::Owner } else { Role::Member },
                joined_at: created_at,
                read_ordinal: Some(messages as i64 - behind),
                muted_until: None,
            };
            importer.take(Record::Member(member), 0).await?;
        }
        let mut times: Vec<i64> =
            (0..messages).map(|_| self.random.random_range(0..YEAR.as_millis() as i64)).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        for (ordinal, ago) in (1..).zip(times) {
            let message = self.message(&id, ordinal, people, self.now.millis() - ago)?;
            importer.take(Record::Message(message), 0).await?;
        }
        Ok(())
    }

    fn message(
        &mut self,
        room: &RoomId,
        ordinal: i64,
        people: &[&'static str],
        at: i64,
    ) -> Result<MessageRecord, Failure> {
        let pick = |random: &mut StdRng| people.choose(random).copied().unwrap_or(PEOPLE[0]);
        let sender = pick(&mut self.random);
        let addressed = pick(&mut self.random);
        let saying = SAYINGS.choose(&mut self.random).copied().unwrap_or(SAYINGS[0]);
        let mentions = saying.contains("{}") && addressed != sender;
        let text = saying.replace("{}", &format!("@{addressed}"));
        // Now and then somebody answers what was said shortly before.
        let answers = ordinal > 5 && self.random.random_range(0..12) == 0;
        let answered = ordinal - self.random.random_range(1..5);
        Ok(MessageRecord {
            room: room.clone(),
            ordinal: Some(ordinal),
            id: None,
            sender: user(sender)?,
            content: Content {
                text: Some(text),
                content: None,
                reply_to: answers.then(|| MessageId::imported(room, answered)),
                mentions: if mentions { vec![user(addressed)?] } else { Vec::new() },
            },
            client_message_id: None,
            created_at: Timestamp::from_millis(at),
            edited_at: (self.random.random_range(0..40) == 0)
                .then(|| Timestamp::from_millis(at + 60_000)),
            deleted: false,
            deleted_at: None,
        })
    }
}

fn user(name: &str) -> Result<UserId, Failure> {
    Ok(UserId::parse(name).ok_or("not a user's id")?)
}
