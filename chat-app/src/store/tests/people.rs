//! People, doors, presence and readers, as both databases keep them.

use std::time::Duration;

use super::{Bench, DatabaseChoice, user};
use crate::{
    domain::{
        Change, Cutoff, InviteCode, Kind, MemberAction, MessageId, Profile, Role, RoomId, Settings,
        Timestamp, User,
    },
    ports::{
        Accounts, Created, Doors, History, NewRoom, Outbox, People, Presences, Put, Range, Reading,
        Rooms,
    },
};

on_every_database!(
    an_account_keeps_its_id_and_ends_its_sessions,
    whoever_is_banned_is_out_and_the_room_has_moved_on,
    an_invitation_opens_one_room_until_it_ends,
    a_block_moves_the_room_of_the_two_in_silence,
    a_lease_is_held_by_any_process_and_ends_by_itself,
    readers_are_those_who_were_there_and_let_others_know,
    a_search_sees_what_is_there_now,
);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

async fn an_account_keeps_its_id_and_ends_its_sessions(bench: Bench) {
    let sql = &bench.sql;
    let zoe = User { id: user("zoe"), name: "Zoë 안".into(), picture: None };
    assert_eq!(sql.put_user(&zoe).await.unwrap(), Put::Created);
    assert_eq!(sql.put_user(&zoe).await.unwrap(), Put::Updated);
    let picture = Some(Some("https://pics.example/z.png".to_owned()));
    let profile = Profile { name: None, picture };
    sql.set_profile(&zoe.id, &profile).await.unwrap();
    let private = Settings { private_receipts: true, ..Settings::default() };
    sql.set_settings(&zoe.id, &private).await.unwrap();
    let cutoff = Cutoff { at: at(5_000), except: Some("this one".into()) };
    sql.set_password(&zoe.id, "hash", &cutoff).await.unwrap();
    let account = sql.account(&zoe.id).await.unwrap().unwrap();
    assert_eq!((account.user.name.as_str(), account.settings), ("Zoë 안", private));
    assert_eq!(account.user.picture, profile.picture.unwrap());
    assert_eq!(account.cutoff, Some(cutoff.clone()));
    assert_eq!(sql.cutoffs(at(4_999)).await.unwrap(), [(zoe.id.clone(), cutoff)]);
    assert!(sql.cutoffs(at(5_000)).await.unwrap().is_empty());
    let lately = at(Timestamp::now().millis() - 60_000);
    assert_eq!(sql.privacy(lately).await.unwrap(), [(zoe.id.clone(), true)]);

    sql.delete_user(&zoe.id, at(6_000)).await.unwrap();
    assert!(sql.account(&zoe.id).await.unwrap().is_none());
    assert_eq!(sql.password_hash(&zoe.id).await.unwrap(), None);
    assert!(sql.search("zo", None, 10).await.unwrap().is_empty());
    assert_eq!(sql.unknown(std::slice::from_ref(&zoe.id)).await.unwrap(), vec![zoe.id.clone()]);
    assert_eq!(sql.put_user(&zoe).await.unwrap(), Put::Gone);
    assert!(!Accounts::create(sql, &zoe, None).await.unwrap(), "the id is not given out again");
}

async fn whoever_is_banned_is_out_and_the_room_has_moved_on(bench: Bench) {
    let (sql, room) = (&bench.sql, &bench.room);
    let ban = |name: &str, at_version| Change {
        user: user(name),
        by: user("ann"),
        action: MemberAction::Banned,
        role: None,
        at_version,
        ends_room: false,
    };
    assert_eq!(sql.ban(room, &ban("bob", 1), at(1)).await.unwrap(), Some(2));
    assert_eq!(sql.ban(room, &ban("eve", 1), at(1)).await.unwrap(), None, "decided on the past");
    assert_eq!(sql.ban(room, &ban("eve", 2), at(1)).await.unwrap(), Some(3), "never was there");
    let standing = sql.standing(room, &user("ann"), &user("bob")).await.unwrap().unwrap();
    assert!(standing.banned && standing.target.is_none());
    assert_eq!((standing.member_count, standing.version), (1, 3));
    let events: Vec<_> = sql.pending(10).await.unwrap();
    assert!(events[2].event.contains("banned") && events[3].event.contains("\"changed\""));
    sql.unban(room, &user("bob")).await.unwrap();
    let standing = sql.standing(room, &user("ann"), &user("bob")).await.unwrap().unwrap();
    assert!(!standing.banned);
}

async fn an_invitation_opens_one_room_until_it_ends(bench: Bench) {
    let (sql, room) = (&bench.sql, &bench.room);
    let (code, other) = (InviteCode::fresh(), RoomId::fresh());
    let until = Timestamp::now().after(Duration::from_secs(60));
    sql.invite(room, &code, &user("ann"), until).await.unwrap();
    let opens = async |room: &RoomId, now| sql.opens(room, &code, now).await.unwrap();
    assert!(opens(room, Timestamp::now()).await);
    assert!(!opens(&other, Timestamp::now()).await && !opens(room, until).await);
    sql.drop_invite(room, &code).await.unwrap();
    assert!(!opens(room, Timestamp::now()).await);
}

async fn a_block_moves_the_room_of_the_two_in_silence(bench: Bench) {
    let sql = &bench.sql;
    let direct = |one: &str, two: &str| NewRoom {
        id: RoomId::fresh(),
        kind: Kind::Direct,
        public: false,
        name: None,
        members: vec![(user(one), Role::Member), (user(two), Role::Member)],
        by: user(one),
        at: Timestamp::now(),
        idempotency: None,
    };
    let room = direct("ann", "bob");
    assert_eq!(Rooms::create(sql, &room).await.unwrap(), Created::Fresh(room.id.clone()));
    let block = async |one: &str, two: &str, is_blocked| {
        sql.set_block(&user(one), &user(two), is_blocked, at(1)).await.unwrap()
    };
    let blocked = async || sql.membership(&room.id).await.unwrap().unwrap().blocked;
    assert_eq!(block("bob", "ann", true).await, Some((room.id.clone(), 2)));
    assert!(blocked().await);
    assert_eq!(block("ann", "bob", true).await, Some((room.id.clone(), 3)));
    block("bob", "ann", false).await;
    assert!(blocked().await, "the other one still does");
    block("ann", "bob", false).await;
    assert!(!blocked().await);
    assert_eq!(block("ann", "zoe", true).await, None, "there is no room");
    assert_eq!(Rooms::create(sql, &direct("zoe", "ann")).await.unwrap(), Created::Blocked);
    assert_eq!(sql.blocks(&user("ann"), None, 10).await.unwrap()[0].id, user("zoe"));
    let told = sql.pending(100).await.unwrap();
    let about = told.iter().filter(|row| row.room == room.id && row.event.contains("changed"));
    assert_eq!(about.count(), 4);
}

async fn a_lease_is_held_by_any_process_and_ends_by_itself(bench: Bench) {
    let sql = &bench.sql;
    let (ann, bob) = (user("ann"), user("bob"));
    let both = [ann.clone(), bob.clone()];
    let life = Duration::from_secs(600);
    assert_eq!(sql.lease("p1", &both, life).await.unwrap(), both);
    assert!(sql.lease("p2", &both[..1], life).await.unwrap().is_empty(), "ann was there");
    assert_eq!(sql.online(&both).await.unwrap().len(), 2);
    assert_eq!(sql.renew("p1", life).await.unwrap(), 2);
    assert_eq!(sql.release("p1", &both).await.unwrap(), vec![bob.clone()], "ann is at p2");
    assert!(sql.sweep().await.unwrap().is_empty());
    // A process that has been silent for too long.
    sql.renew("p2", Duration::ZERO).await.unwrap();
    sql.lease("p3", std::slice::from_ref(&bob), Duration::ZERO).await.unwrap();
    sql.lease("p4", std::slice::from_ref(&bob), life).await.unwrap();
    assert_eq!(sql.sweep().await.unwrap(), [ann], "bob is somewhere else");
    assert!(sql.sweep().await.unwrap().is_empty());
    let rooms = sql.small_rooms(&bob, 100, 10).await.unwrap();
    assert_eq!(rooms, vec![bench.room.clone()]);
    assert!(sql.small_rooms(&bob, 1, 10).await.unwrap().is_empty());
}

async fn readers_are_those_who_were_there_and_let_others_know(bench: Bench) {
    let (sql, room) = (&bench.sql, &bench.room);
    let first = bench.say("m1").await;
    let last = bench.mark("bob", first).await;
    bench.store_up_to(last).await;
    let page = sql.page(room, 0, &Range::Newest, 1).await.unwrap();
    let message = &page.messages[0];
    let readers = async || sql.readers(message, None, 10).await.unwrap();
    assert_eq!(readers().await, [user("bob")], "not its sender");
    assert!(sql.readers(message, Some(&user("bob")), 10).await.unwrap().is_empty());
    let bob = User { id: user("bob"), name: "bob".into(), picture: None };
    sql.put_user(&bob).await.unwrap();
    let private = Settings { private_receipts: true, ..Settings::default() };
    sql.set_settings(&bob.id, &private).await.unwrap();
    assert!(readers().await.is_empty());
}

async fn a_search_sees_what_is_there_now(bench: Bench) {
    let (sql, room) = (&bench.sql, &bench.room);
    let mut last = bench.say("one").await;
    for text in ["two", "three"] {
        last = bench.say(text).await;
    }
    bench.store_up_to(last).await;
    let heads = sql.heads(&user("ann"), None, 10).await.unwrap();
    assert_eq!((heads[0].room.clone(), heads[0].last_ordinal), (room.clone(), 3));
    assert_eq!(sql.heads(&user("ann"), Some(room), 10).await.unwrap().len(), 1);
    assert!(sql.heads(&user("zoe"), None, 10).await.unwrap().is_empty());
    let (texts, seen) = sql.texts_below(room, 4, 2).await.unwrap();
    let texts: Vec<_> = texts.into_iter().filter_map(|message| message.content.text).collect();
    assert_eq!((texts, seen), (vec!["three".into(), "two".into()], 2));
    assert!(sql.message(room, &MessageId::parse("none").unwrap()).await.unwrap().is_none());
}
