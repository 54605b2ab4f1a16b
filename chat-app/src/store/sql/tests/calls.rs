//! Each method of the ports, called once.

use std::{collections::HashMap, time::Duration};

use sqlx::Executor as _;
use stomp_server::broker::{Epoch, Position};

use super::super::{
    Sql,
    export::Export,
    import::{ImportBatch, ImportRoom, Place},
};
use crate::{
    domain::{
        Change, ClientMessageId, Content, Cutoff, InviteCode, Kind, Marker, MemberAction, Message,
        MessageId, Profile, Role, RoomId, RoomName, Settings, Timestamp, User, UserId,
    },
    notify::{
        Address, Language,
        ports::{Device, Devices, Fate, Job, PushStore, Which},
    },
    ports::{
        Accounts, ChangedMessage, DeadRecord, Doors, History, LogBatch, LogCursor, LogStore,
        MessageChange, MessageRow, NewRoom, Outbox, People, Presences, Range, Reading, Rooms,
        RoomsCursor,
    },
    transfer::{MarkerRecord, MemberRecord, MessageRecord, RoomRecord, UserRecord},
};

const MINUTE: Duration = Duration::from_secs(60);

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// Calls each method of the ports, and what moves data in and out.
pub(super) async fn everything(sql: &Sql) {
    accounts(sql).await;
    rooms(sql).await;
    history(sql).await;
    log(sql).await;
    people(sql).await;
    doors(sql).await;
    presences(sql).await;
    reading(sql).await;
    devices(sql).await;
    pushes(sql).await;
    moves_in(sql).await;
    moves_out(sql).await;
    sql.census(5).await.unwrap();
}

async fn accounts(sql: &Sql) {
    let (ann, now) = (user("ann"), Timestamp::now());
    let person = User { id: ann.clone(), name: "Ann".into(), picture: None };
    sql.create_account(&person).await;
    sql.user(&ann).await.unwrap();
    sql.password_hash(&ann).await.unwrap();
    Accounts::search(sql, "a", None, 10).await.unwrap();
    sql.unknown(&[ann.clone(), user("bob")]).await.unwrap();
    sql.revoke("t", &ann, now).await.unwrap();
    sql.revoked(now).await.unwrap();
}

impl Sql {
    async fn create_account(&self, person: &User) {
        Accounts::create(self, person, None).await.unwrap();
    }
}

async fn rooms(sql: &Sql) {
    let (ann, bob, now) = (user("ann"), user("bob"), Timestamp::now());
    let new = |id: &str, kind| NewRoom {
        id: RoomId::parse(id).unwrap(),
        kind,
        public: kind == Kind::Group,
        name: None,
        members: vec![(ann.clone(), Role::Owner), (bob.clone(), Role::Member)],
        by: ann.clone(),
        at: now,
        idempotency: Some((id.into(), "h".into())),
    };
    let group = new("fresh-1", Kind::Group);
    for room in [&group, &group, &new("fresh-2", Kind::Direct), &new("fresh-3", Kind::Direct)] {
        Rooms::create(sql, room).await.unwrap();
    }
    let room = &group.id;
    let standing = sql.standing(room, &ann, &bob).await.unwrap().unwrap();
    let change = |action, role| Change {
        user: bob.clone(),
        by: ann.clone(),
        action,
        role,
        at_version: 1,
        ends_room: false,
    };
    assert_eq!(standing.version, 1);
    let promoted = change(MemberAction::Role, Some(Role::Admin));
    assert_eq!(sql.apply(room, &promoted, now).await.unwrap(), Some(2));
    let gone = Change { at_version: 2, ..change(MemberAction::Kicked, None) };
    assert_eq!(sql.apply(room, &gone, now).await.unwrap(), Some(3));
    let back = Change { at_version: 3, ..change(MemberAction::Joined, Some(Role::Member)) };
    assert_eq!(sql.apply(room, &back, now).await.unwrap(), Some(4));
    sql.rename(room, 4, &RoomName::parse("Tea").unwrap(), now).await.unwrap();
    sql.hide(room, &bob).await.unwrap();
    sql.mute(room, &bob, now).await.unwrap();
    sql.membership(room).await.unwrap().unwrap();
    Rooms::room(sql, room, &ann).await.unwrap().unwrap();
    Rooms::room(sql, room, &user("eve")).await.unwrap().unwrap();
    let cursor = RoomsCursor { active_at: now.millis(), room: room.clone() };
    sql.list(&ann, None, 10).await.unwrap();
    sql.list(&ann, Some(&cursor), 10).await.unwrap();
    sql.public(&ann, "t", None, 10).await.unwrap();
    sql.members(room, None, 10).await.unwrap();
    let waiting = sql.pending(10).await.unwrap();
    sql.done(&waiting.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    sql.delete(room, 5, &ann, now).await.unwrap();
}

async fn history(sql: &Sql) {
    let room = RoomId::parse("room-1").unwrap();
    let ranges = [Range::Newest, Range::Before(9), Range::After(9), Range::Around(9)];
    for range in ranges.iter().chain([&Range::After(1000)]) {
        sql.page(&room, 0, range, 10).await.unwrap();
    }
    sql.message(&room, &MessageId::parse("m-1").unwrap()).await.unwrap();
    let ids = ["m-1", "m-2"].map(|id| MessageId::parse(id).unwrap());
    assert_eq!(sql.deleted(&room, &ids).await.unwrap(), []);
    let after = Position { epoch: Epoch(0), offset: 5 };
    sql.changes(&room, 0, after, 10).await.unwrap();
    let known = LogCursor { partition: 7, epoch: 0, next: 90 };
    sql.begin_cursors(&[known]).await.unwrap();
    assert!(sql.count_changes(&room, 7, after, 10).await.unwrap().is_some());
}

async fn log(sql: &Sql) {
    let (room, ann) = (RoomId::parse("room-1").unwrap(), user("user-1"));
    let cursor = LogCursor { partition: 0, epoch: 1, next: 0 };
    sql.begin_cursors(&[cursor]).await.unwrap();
    sql.reset_cursors(&[cursor]).await.unwrap();
    sql.cursors().await.unwrap();
    let position = Position { epoch: Epoch(1), offset: 200 };
    let at = Timestamp::now();
    let message = Message {
        id: MessageId::parse("new").unwrap(),
        room: room.clone(),
        sender: ann.clone(),
        content: Content::default(),
        client_message_id: ClientMessageId::parse("new"),
        position: None,
        ordinal: None,
        created_at: at,
        edited_at: None,
        deleted: false,
    };
    let marker =
        Marker { user: ann, position: Some(position.to_string()), ordinal: None, private: false };
    let batch = LogBatch {
        from: vec![cursor],
        to: vec![LogCursor { next: 201, ..cursor }],
        changed: vec![ChangedMessage {
            room: room.clone(),
            id: message.id.clone(),
            position,
            at,
            change: MessageChange::Deleted(user("bob")),
        }],
        messages: vec![MessageRow { message, position, at_ms: 1, partition: 0 }],
        markers: vec![(room.clone(), marker.clone())],
        delivered: vec![(room, marker)],
        dead: vec![DeadRecord {
            partition: 0,
            position,
            route: "/topic/x".into(),
            reason: "a test",
            body: String::new(),
        }],
    };
    sql.take_over(&batch).await.unwrap();
}

async fn people(sql: &Sql) {
    let (cat, now) = (user("cat"), Timestamp::now());
    let person = User { id: cat.clone(), name: "Cat".into(), picture: None };
    sql.put_user(&person).await.unwrap();
    sql.put_user(&person).await.unwrap();
    sql.account(&cat).await.unwrap().unwrap();
    let profile = Profile { name: Some("C".into()), picture: Some(None) };
    sql.set_profile(&cat, &profile).await.unwrap();
    sql.set_settings(&cat, &Settings::default()).await.unwrap();
    sql.privacy(now).await.unwrap();
    let cutoff = Cutoff { at: now, except: None };
    sql.set_password(&cat, "h", &cutoff).await.unwrap();
    sql.cutoffs(now).await.unwrap();
    sql.delete_user(&cat, now).await.unwrap();
}

async fn doors(sql: &Sql) {
    let (room, now) = (RoomId::parse("room-1").unwrap(), Timestamp::now());
    let (one, two) = (user("user-1"), user("user-2"));
    let banned = Change {
        user: two.clone(),
        by: one.clone(),
        action: MemberAction::Banned,
        role: None,
        at_version: 1,
        ends_room: false,
    };
    assert_eq!(sql.ban(&room, &banned, now).await.unwrap(), Some(2));
    sql.unban(&room, &two).await.unwrap();
    let code = InviteCode::fresh();
    sql.invite(&room, &code, &one, Timestamp::FOREVER).await.unwrap();
    assert!(sql.opens(&room, &code, now).await.unwrap());
    sql.drop_invite(&room, &code).await.unwrap();
    sql.set_block(&one, &two, true, now).await.unwrap();
    sql.set_block(&one, &two, false, now).await.unwrap();
    Doors::blocks(sql, &one, None, 10).await.unwrap();
    Rooms::whole(sql, &room).await.unwrap().unwrap();
}

async fn presences(sql: &Sql) {
    let users = [user("user-1"), user("user-2")];
    sql.lease("here", &users, MINUTE).await.unwrap();
    sql.renew("here", MINUTE).await.unwrap();
    sql.online(&users).await.unwrap();
    sql.small_rooms(&users[0], 100, 10).await.unwrap();
    sql.release("here", &users).await.unwrap();
    sql.lease("gone", &users, Duration::ZERO).await.unwrap();
    sql.sweep().await.unwrap();
}

async fn reading(sql: &Sql) {
    let (room, one) = (RoomId::parse("room-1").unwrap(), user("user-1"));
    sql.heads(&one, None, 10).await.unwrap();
    sql.heads(&one, Some(&room), 10).await.unwrap();
    sql.texts_below(&room, 50, 10).await.unwrap();
    let message = sql.message(&room, &MessageId::parse("m-1").unwrap()).await.unwrap().unwrap();
    sql.readers(&message, None, 10).await.unwrap();
}

async fn devices(sql: &Sql) {
    let device = |id: &str, user_id: &str, token: &str| Device {
        id: id.to_owned(),
        user: user(user_id),
        address: Address::Fcm { token: token.to_owned() },
        language: Language::En,
        token: format!("session-{id}"),
        created_at: Timestamp::now(),
    };
    let first = device("new-1", "user-1", "a");
    // New, again, and somebody else's from then on.
    for device in [&first, &first, &device("new-2", "user-2", "a")] {
        sql.bind(device, 20).await.unwrap();
    }
    let two = user("user-2");
    sql.device(&two, "new-2").await.unwrap().unwrap();
    sql.devices(&two, None, 10).await.unwrap();
    assert!(sql.unbind(&two, "new-2").await.unwrap());
    sql.unbind_session("session-new-1").await.unwrap();
    sql.unbind_user(&two, Some("t-2")).await.unwrap();
}

async fn pushes(sql: &Sql) {
    // One room and three jobs whose time has come.
    for statement in [
        "UPDATE push_due SET due_at = 0 WHERE room_id = 'room-7'",
        "UPDATE push_jobs SET next_at = 0, dead = 0 WHERE room_id = 'room-9' AND device_id IN \
         ('d-3', 'd-4', 'd-5')",
    ] {
        sql.write.execute(statement).await.unwrap();
    }
    let mut room = sql.take_due().await.unwrap().unwrap();
    let candidates = room.candidates(None, 10).await.unwrap();
    room.blocks(&candidates).await.unwrap();
    let jobs = room.devices(&[user("user-3")]).await.unwrap();
    room.open(&jobs).await.unwrap();
    room.done().await.unwrap();
    let claimed = sql.claim(10, MINUTE).await.unwrap();
    let [one, two, three] = [0, 1, 2].map(|n: usize| -> Job { claimed[n].clone() });
    sql.look(&one).await.unwrap().unwrap();
    let cause = Some("away".to_owned());
    let fates = [
        (one, Fate::Over),
        (two, Fate::Again { wait: MINUTE, cause }),
        (three.clone(), Fate::Dead { cause: "no".into() }),
        (three, Fate::Gone),
    ];
    sql.settle(&fates).await.unwrap();
    sql.backlog().await.unwrap();
    sql.jobs(0, 10).await.unwrap();
    for which in [Which::These(vec![1, 2]), Which::Dead] {
        sql.revive(&which).await.unwrap();
        sql.discard(&which).await.unwrap();
    }
}

async fn moves_in(sql: &Sql) {
    let (id, ann, now) = (RoomId::parse("moved").unwrap(), user("ann"), Timestamp::now());
    let room = RoomRecord {
        id: id.clone(),
        kind: Kind::Group,
        public: false,
        name: None,
        pair: None,
        created_at: now,
    };
    let member = MemberRecord {
        room: id.clone(),
        user: ann.clone(),
        role: Role::Owner,
        joined_at: now,
        read_ordinal: None,
        muted_until: None,
    };
    let message = MessageRecord {
        room: id.clone(),
        ordinal: Some(1),
        id: None,
        sender: ann.clone(),
        content: Content::default(),
        client_message_id: None,
        created_at: now,
        edited_at: None,
        deleted: false,
        deleted_at: None,
    };
    let moved = UserRecord { id: ann, name: "Ann".into(), picture: None, password_hash: None };
    let state = ImportRoom { passed_over: false, last_ordinal: 1, active_at: 1 };
    assert!(!sql.is_room_taken(&room).await.unwrap());
    let marker = MarkerRecord { room: member.room.clone(), user: member.user.clone(), ordinal: 1 };
    let batch = ImportBatch {
        markers: vec![marker],
        users: vec![moved],
        rooms: vec![(room, state)],
        members: vec![member],
        messages: vec![(message, 1, MessageId::parse("moved-1").unwrap())],
        heads: HashMap::from([(id.clone(), state)]),
    };
    let (source, place) = ("a file", Place::default());
    sql.import_place(source).await.unwrap();
    sql.import(source, &batch, place).await.unwrap();
    sql.import_room(source, &id).await.unwrap().unwrap();
    assert_eq!(sql.closed_rooms(source).await.unwrap(), 1);
    assert_eq!(sql.open_imported(source).await.unwrap(), Some(true));
    sql.finish_import(source, place).await.unwrap();
}

async fn moves_out(sql: &Sql) {
    let mut export = Export::begin(sql, None, true).await.unwrap();
    assert!(export.count().await.unwrap() > 0);
    while !export.next().await.unwrap().is_empty() {}
}
