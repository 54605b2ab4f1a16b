//! Finding a word again.

use reqwest::Method;
use serde_json::{Value, json};

use super::{House, answer, refused, said};

fn texts(found: &Value) -> Vec<&str> {
    let messages = found["messages"].as_array().unwrap();
    messages.iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn words_are_found_in_ones_rooms_as_they_are_now() {
    let house = House::new(&[]);
    let [ann, eve] = house.people(["ann", "eve"]).await;
    let (tea, cake) = (ann.group("Tea", &[]).await, ann.group("Cake", &[&eve]).await);
    said(&ann, &tea, json!({"text": "오늘 저녁에 만나요"})).await;
    let old = said(&ann, &tea, json!({"text": "Green TEA, please"})).await;
    let gone = said(&ann, &tea, json!({"text": "tea that is taken back"})).await;
    said(&ann, &tea, json!({"content": {"note": "tea in content"}})).await;
    said(&ann, &cake, json!({"text": "cake with tea"})).await;

    let found = ann.get("search?query=tea").await;
    assert_eq!(texts(&found), ["cake with tea", "tea that is taken back", "Green TEA, please"]);
    assert_eq!(found["partial"], false);
    assert_eq!(texts(&ann.get("search?query=%EC%A0%80%EB%85%81").await), ["오늘 저녁에 만나요"]);
    assert_eq!(texts(&ann.get(&format!("search?query=tea&room={cake}")).await), ["cake with tea"]);
    assert_eq!(
        texts(&eve.get("search?query=tea").await),
        ["cake with tea"],
        "only one's own rooms"
    );
    let few = ann.get("search?query=tea&limit=1").await;
    assert_eq!((texts(&few).len(), &few["partial"]), (1, &json!(true)));
    let foreign = format!("search?query=tea&room={tea}");
    assert_eq!(answer(&eve, Method::GET, &foreign, None).await, refused(404, "not-found"));
    for wrong in ["search", "search?query=", "search?query=%20", "search?query=x&limit=0"] {
        assert_eq!(
            answer(&ann, Method::GET, wrong, None).await,
            refused(400, "invalid"),
            "{wrong}"
        );
    }

    let edit = format!("rooms/{tea}/messages/{old}");
    ann.call(Method::PATCH, &edit, Some(json!({"text": "Black coffee"}))).await;
    let (_, deleted) =
        ann.call(Method::DELETE, &format!("rooms/{tea}/messages/{gone}"), None).await;
    let at = deleted["position"].as_str().unwrap();
    super::eventually("both changes", async || {
        let page = ann.get(&format!("rooms/{tea}/messages?at_least={at}")).await;
        (page["position"].as_str()? >= at).then_some(())
    })
    .await;
    assert_eq!(texts(&ann.get("search?query=tea").await), ["cake with tea"]);
    assert_eq!(texts(&ann.get("search?query=COFFEE").await), ["Black coffee"]);
}
