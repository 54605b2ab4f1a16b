//! Who gets a push, and what it says: the started program, and a push service on a real socket.

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use stomp_server::testing::FaultProxy;
use support::{
    Person, Server, event,
    push::{PushService, SECRET, say, until},
};

const ALLOW: &[&str] = &["--allow-private-push"];

/// Ann and bob in a room, bob with a device.
struct Scene {
    server: Server,
    service: PushService,
    ann: Person,
    bob: Person,
    room: String,
    /// Where bob is never: what comes from there comes behind all that was said before.
    fence: String,
    _data: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(PushService::start().await).await
    }

    async fn with(service: PushService) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let server = Server::start_with(data.path(), ALLOW);
        let (ann, bob) = (server.person("ann").await, server.person("bob").await);
        let room = ann.group("Tea", &[&bob]).await;
        let fence = ann.group("Fence", &[&bob]).await;
        service.device(&bob, "/bob").await;
        Self { server, service, ann, bob, room, fence, _data: data }
    }

    /// Rooms of bob's pushes, when everything that was due is through.
    async fn pushed(&self) -> Vec<Value> {
        let before = self.fences();
        say(&self.ann, &self.fence, json!({"text": "fence"})).await;
        let is_fence = |one: &support::push::Came| one.body["title"] == "Fence";
        let enough =
            |came: &[support::push::Came]| came.iter().filter(|one| is_fence(one)).count() > before;
        let came = self.service.until("/bob", enough).await;
        came.into_iter().filter(|one| !is_fence(one)).map(|one| one.body).collect()
    }

    fn fences(&self) -> usize {
        self.service.along("/bob").iter().filter(|one| one.body["title"] == "Fence").count()
    }
}

#[tokio::test]
async fn devices_come_and_go_with_their_session_and_never_show_their_secrets() {
    let data = tempfile::tempdir().unwrap();
    let service = PushService::start().await;
    let server = Server::start_with(data.path(), ALLOW);
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let key = ann.get("push/vapid-key").await["key"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 87, "an uncompressed point in base64url");

    let url = format!("{}/hook", service.base);
    let hook = || Some(json!({"kind": "webhook", "url": url, "secret": SECRET}));
    let (status, device) = ann.call(Method::POST, "devices", hook()).await;
    assert_eq!(status, 201);
    assert_eq!(device["kind"], "webhook");
    assert!(device["created_at"].is_string());
    let id = device["id"].as_str().unwrap().to_owned();
    let (status, again) = ann.call(Method::POST, "devices", hook()).await;
    assert_eq!((status.as_u16(), &again["id"]), (200, &device["id"]), "the same place is one");
    let keys = json!({
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    });
    let browser =
        json!({"kind": "webpush", "endpoint": format!("{}/b", service.base), "keys": keys});
    ann.post("devices", browser.clone()).await;
    let list = ann.get("devices").await;
    assert_eq!(list["devices"].as_array().unwrap().len(), 2);
    let text = list.to_string();
    assert!(!text.contains(SECRET) && !text.contains("BTBZ") && !text.contains("/hook"), "{text}");
    let page = ann.get("devices?limit=1").await;
    let cursor = page["cursor"].as_str().unwrap();
    let rest = ann.get(&format!("devices?limit=1&cursor={cursor}")).await;
    assert_ne!(page["devices"][0]["id"], rest["devices"][0]["id"]);
    assert!(rest.get("cursor").is_none());

    for bad in [
        json!({"kind": "webhook", "url": url, "secret": "short"}),
        json!({"kind": "webhook", "url": "ftp://x/", "secret": SECRET}),
        json!({"kind": "webpush", "endpoint": url, "keys": {"p256dh": "x", "auth": "y"}}),
        json!({"kind": "fcm", "token": ""}),
        json!({"kind": "pigeon"}),
    ] {
        let (status, problem) = ann.call(Method::POST, "devices", Some(bad.clone())).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("invalid")), "{bad}");
    }

    // A device is its owner's alone.
    let path = format!("devices/{id}");
    for (method, path) in [(Method::DELETE, path.clone()), (Method::POST, format!("{path}/test"))] {
        let (status, _) = bob.call(method, &path, None).await;
        assert_eq!(status, 404, "{path}");
    }
    let (status, _) = ann.call(Method::POST, &format!("{path}/test"), None).await;
    assert_eq!(status, 204);
    assert_eq!(service.first("/hook").await.body["device"], id.as_str());
    let (status, _) = ann.call(Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    assert_eq!(ann.call(Method::DELETE, &path, None).await.0, 404);

    // The browser's subscription is one person's at a time.
    bob.post("devices", browser).await;
    assert_eq!(ann.get("devices").await["devices"], json!([]));

    // The session's end is the devices'.
    let twice = server.returning(&ann).await;
    ann.post("devices", hook().unwrap()).await;
    assert_eq!(ann.call(Method::DELETE, "sessions/current", None).await.0, 204);
    assert_eq!(twice.get("devices").await["devices"], json!([]));
    assert_eq!(bob.get("devices").await["devices"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn addresses_that_lead_inside_are_not_taken_unless_that_is_allowed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ann = server.person("ann").await;
    for url in [
        "http://push.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://192.168.0.1/",
    ] {
        let hook = json!({"kind": "webhook", "url": url, "secret": SECRET});
        let (status, problem) = ann.call(Method::POST, "devices", Some(hook)).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("invalid")), "{url}");
    }
    let hook = json!({"kind": "webhook", "url": "https://93.184.216.34/x", "secret": SECRET});
    let (status, _) = ann.call(Method::POST, "devices", Some(hook)).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn whoever_is_not_there_gets_one_push_that_says_what_was_said() {
    let scene = Scene::new().await;
    scene.service.device(&scene.ann, "/ann").await;
    say(&scene.ann, &scene.room, json!({"text": "first"})).await;
    let last = say(&scene.ann, &scene.room, json!({"text": "hello"})).await;
    let push = scene.service.first("/bob").await;
    let body = &push.body;
    assert_eq!(body["room"], scene.room.as_str());
    assert_eq!((&body["title"], &body["sender"]), (&json!("Tea"), &json!("ann")));
    assert_eq!((&body["preview"], &body["unread"]), (&json!("hello"), &json!(2)));
    assert_eq!(body["position"], last["position"]);
    assert_eq!(body["collapse_key"].as_str().unwrap().len(), 32);
    assert!(push.headers["x-signature"].to_str().unwrap().starts_with("t="));

    // An answer of bob's own is read by bob; ann gets hers, in words of the direct room.
    let direct = scene.bob.post("rooms", json!({"kind": "direct", "members": ["ann"]})).await;
    say(&scene.bob, direct["id"].as_str().unwrap(), json!({"text": "psst"})).await;
    let push = scene.service.first("/ann").await;
    assert_eq!((&push.body["title"], &push.body["preview"]), (&json!("bob"), &json!("psst")));
    assert_eq!(scene.pushed().await.len(), 1, "one for two messages, none for one's own");
}

#[tokio::test]
async fn reading_and_looking_cancel_and_muting_silences_all_but_mentions() {
    let scene = Scene::new().await;
    let (ann, bob, room) = (&scene.ann, &scene.bob, &scene.room);
    // Read elsewhere before it was due.
    let said = say(ann, room, json!({"text": "read in time"})).await;
    let position = said["position"].as_str().unwrap();
    bob.put(&format!("rooms/{room}/read"), json!({"position": position})).await;
    // Before bob's eyes: a session that follows the room says so.
    let mut eyes = bob.stomp().await;
    eyes.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let said = say(ann, room, json!({"text": "seen at once"})).await;
    let seen = json!({"position": said["position"]}).to_string();
    let destination = format!("/app/rooms.{room}.delivered");
    eyes.receipted("SEND", &[("destination", &destination)], &seen).await.unwrap();
    assert_eq!(scene.pushed().await, Vec::<Value>::new());

    // Connected, but the room is not before anybody's eyes: nothing is delivered, so one push.
    say(ann, room, json!({"text": "hidden tab"})).await;
    let pushed = scene.pushed().await;
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0]["preview"], "hidden tab");

    bob.put(&format!("rooms/{room}/mute"), json!({})).await;
    say(ann, room, json!({"text": "muted"})).await;
    assert_eq!(scene.pushed().await.len(), 1);
    say(ann, room, json!({"text": "bob!", "mentions": ["bob"]})).await;
    say(ann, room, json!({"text": "never mind"})).await;
    let pushed = scene.pushed().await;
    assert_eq!(pushed.len(), 2);
    assert_eq!(pushed[1]["preview"], "bob!");
}

#[tokio::test]
async fn a_session_whose_connection_died_in_silence_gets_one_push() {
    let scene = Scene::new().await;
    let (ann, bob, room) = (&scene.ann, &scene.bob, &scene.room);
    let proxy = FaultProxy::start(scene.server.tcp.parse().unwrap()).await.unwrap();
    let topic = format!("/topic/rooms.{room}");
    let mut watch = ann.stomp().await;
    watch.subscribe("room", &topic, &[]).await;
    let mut eyes = bob.stomp_through(&proxy.address().to_string(), "5000,0").await;
    eyes.subscribe("room", &topic, &[]).await;
    watch.until_presence("room", "bob", true).await;
    let said = say(ann, room, json!({"text": "seen"})).await;
    let seen = json!({"position": said["position"]}).to_string();
    let destination = format!("/app/rooms.{room}.delivered");
    eyes.receipted("SEND", &[("destination", &destination)], &seen).await.unwrap();

    // From now on nothing is carried, and neither end is told; only heart-beats are missing.
    proxy.stall_all();
    watch.until_presence("room", "bob", false).await;
    assert_eq!(scene.pushed().await, Vec::<Value>::new(), "what was seen is not pushed");
    say(ann, room, json!({"text": "into the void"})).await;
    let pushed = scene.pushed().await;
    assert_eq!(pushed.len(), 1, "{pushed:?}");
    assert_eq!(pushed[0]["preview"], "into the void");
    drop(eyes); // it was open all the time
}

#[tokio::test]
async fn a_message_taken_back_in_time_and_a_room_left_in_time_push_nothing() {
    let scene = Scene::new().await;
    let (ann, bob, room) = (&scene.ann, &scene.bob, &scene.room);
    let said = say(ann, room, json!({"text": "oh no"})).await;
    let path = format!("rooms/{room}/messages/{}", said["message_id"].as_str().unwrap());
    until(ann, &path, |message| message["ordinal"] == 1).await;
    assert!(ann.call(Method::DELETE, &path, None).await.0.is_success());
    let other = ann.group("Left", &[bob]).await;
    say(ann, &other, json!({"text": "to nobody"})).await;
    bob.post(&format!("rooms/{other}/leave"), json!({})).await;
    assert_eq!(scene.pushed().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_tab_that_is_open_elsewhere_is_told_by_the_same_rule() {
    let scene = Scene::new().await;
    let mut tab = scene.bob.stomp().await;
    tab.subscribe("notes", "/user/queue/notifications", &[]).await;
    let said = say(&scene.ann, &scene.room, json!({"text": "hello"})).await;
    let note = event(&tab.message_on("notes").await);
    assert_eq!(
        note,
        json!({
            "room": scene.room, "title": "Tea", "preview": "hello", "unread": 1,
            "position": said["position"],
        })
    );
    assert_eq!(scene.service.first("/bob").await.body["position"], said["position"]);
    // By the same rule: nothing of a muted room.
    scene.bob.put(&format!("rooms/{}/mute", scene.room), json!({})).await;
    say(&scene.ann, &scene.room, json!({"text": "muted"})).await;
    scene.pushed().await;
    let note = event(&tab.message_on("notes").await);
    assert_eq!(note["title"], "Fence");
}

#[tokio::test]
async fn a_service_in_trouble_gets_it_later_and_a_device_that_is_gone_is_removed() {
    let service = PushService::answering(|path, before| match (path, before) {
        ("/shaky", 0) => 503,
        ("/shaky", 1) => 500,
        ("/gone", _) => 410,
        _ => 204,
    })
    .await;
    let scene = Scene::with(service).await;
    let shaky = scene.service.device(&scene.bob, "/shaky").await;
    let gone = scene.service.device(&scene.bob, "/gone").await;
    say(&scene.ann, &scene.room, json!({"text": "hello"})).await;
    let came = scene.service.until("/shaky", |came| came.iter().any(|one| one.status == 204)).await;
    assert_eq!(came.len(), 3);
    let keys: Vec<_> = came.iter().map(|one| &one.body["collapse_key"]).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "a repetition has the same key");
    let ids = |list: &Value| -> Vec<String> {
        let all = list["devices"].as_array().into_iter().flatten();
        all.map(|device| device["id"].as_str().unwrap().to_owned()).collect()
    };
    let left = until(&scene.bob, "devices", |list| !ids(list).contains(&gone)).await;
    assert!(ids(&left).contains(&shaky));
    assert_eq!(scene.service.along("/gone").len(), 1);
}

#[tokio::test]
async fn what_was_given_up_is_listed_tried_again_and_dropped_by_hand() {
    let service = PushService::answering(|path, before| match (path, before) {
        ("/picky" | "/never", 0) => 400,
        _ => 204,
    })
    .await;
    let scene = Scene::with(service).await;
    scene.service.device(&scene.bob, "/picky").await;
    scene.service.device(&scene.bob, "/never").await;
    say(&scene.ann, &scene.room, json!({"text": "hello"})).await;
    for path in ["/picky", "/never", "/bob"] {
        scene.service.first(path).await;
    }
    let cli = |words: &[&str]| scene.server.cli(scene._data.path(), words);
    let dead = || -> Vec<String> {
        let listed = cli(&["notifications", "list"]);
        let dead = listed.lines().filter(|line| line.contains("\tdead\t"));
        dead.map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    };
    let deadline = std::time::Instant::now() + support::push::PATIENCE;
    while dead().len() < 2 {
        assert!(std::time::Instant::now() < deadline, "{}", cli(&["notifications", "list"]));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let listed = cli(&["notifications", "list"]);
    assert!(listed.contains("answered 400") && listed.contains("webhook\tbob"), "{listed}");
    let ids = dead();
    assert!(cli(&["notifications", "drop", &ids[0]]).contains("1 are forgotten"));
    assert!(cli(&["notifications", "retry"]).contains("1 will be tried again"));
    let second = |service: &PushService| {
        ["/picky", "/never"].iter().map(|path| service.along(path).len()).sum::<usize>()
    };
    while second(&scene.service) < 3 {
        assert!(std::time::Instant::now() < deadline, "{:#?}", scene.service.all());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(dead().is_empty());
}

#[tokio::test]
async fn settings_and_blocks_decide_what_is_told() {
    let scene = Scene::new().await;
    let (ann, bob, room) = (&scene.ann, &scene.bob, &scene.room);
    bob.put("me/settings", json!({"preview": false})).await;
    say(ann, room, json!({"text": "not for lock screens"})).await;
    let pushed = scene.pushed().await;
    assert_eq!(pushed.len(), 1);
    assert!(pushed[0].get("preview").is_none(), "{}", pushed[0]);

    // An hour before and behind now, on a clock of another zone.
    let seoul = |hours: i64| {
        let now = time::OffsetDateTime::now_utc() + time::Duration::hours(9 + hours);
        format!("{:02}:{:02}", now.hour(), now.minute())
    };
    let quiet = |from, to| json!({"quiet_hours": {"from": seoul(from), "to": seoul(to), "zone": "Asia/Seoul"}});
    bob.put("me/settings", quiet(-1, 1)).await;
    say(ann, room, json!({"text": "bob is asleep", "mentions": ["bob"]})).await;
    // Bob cannot be a fence to himself now: ann's own device is.
    scene.service.device(ann, "/ann").await;
    let awake = bob.group("Awake", &[ann]).await;
    say(bob, &awake, json!({"text": "walking in my sleep"})).await;
    scene.service.first("/ann").await;
    bob.put("me/settings", quiet(2, 3)).await;
    assert_eq!(scene.pushed().await.len(), 1, "nothing in quiet hours");

    let cat = scene.server.person("cat").await;
    let club = ann.group("Club", &[bob, &cat]).await;
    bob.put("blocks/cat", json!({})).await;
    say(&cat, &club, json!({"text": "bob?", "mentions": ["bob"]})).await;
    assert_eq!(scene.pushed().await.len(), 1, "nothing from who is blocked");

    // Another password ends the other sessions, and what they registered.
    let other = scene.server.returning(bob).await;
    scene.service.device(&other, "/other").await;
    let passwords = json!({"old_password": support::PASSWORD, "new_password": "another one"});
    bob.put("me/password", passwords).await;
    let devices = bob.get("devices").await;
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1, "{devices}");
}
