use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use super::scene::{Scene, encoded, until};
use crate::incident::Event;

fn is_held(event: &Event) -> bool {
    matches!(event, Event::Held { .. })
}

#[tokio::test]
async fn who_is_not_slack_or_speaks_of_the_past_is_not_let_in() {
    let scene = Scene::new().await;
    let body = encoded(&scene.click("U0ANA", "hold"));
    for (seconds, secret, expected) in [
        (0, "another-secret", StatusCode::UNAUTHORIZED),
        (-301, "not-a-real-signing-secret", StatusCode::UNAUTHORIZED),
        (301, "not-a-real-signing-secret", StatusCode::UNAUTHORIZED),
    ] {
        let request = scene.signed(&body, seconds, secret);
        assert_eq!(scene.send(request).await, expected, "{seconds} {secret}");
    }
    let of_another_body =
        scene.signed(&encoded(&scene.click("U0ANA", "close")), 0, "not-a-real-signing-secret");
    let (head, _) = of_another_body.into_parts();
    assert_eq!(
        scene.send(Request::from_parts(head, Body::from(body.clone()))).await,
        StatusCode::UNAUTHORIZED
    );
    let unsigned = Request::post("/slack/interactions").body(Body::from(body.clone())).expect("a request");
    assert_eq!(scene.send(unsigned).await, StatusCode::UNAUTHORIZED);
    for header in ["", "v0=", "v0=zz", "v1=00", "v0=\u{e9}"] {
        let mut request = scene.signed(&body, 0, "not-a-real-signing-secret");
        let value = axum::http::HeaderValue::from_bytes(header.as_bytes()).expect("a value");
        request.headers_mut().insert("x-slack-signature", value);
        assert_eq!(scene.send(request).await, StatusCode::UNAUTHORIZED, "{header}");
    }
    assert_eq!((scene.clicks("unsigned"), scene.count(is_held)), (10, 0));
    // The same one, signed well and at the edge of time, counts.
    for seconds in [-299, 299] {
        let request = scene.signed(&body, seconds, "not-a-real-signing-secret");
        assert_eq!(scene.send(request).await, StatusCode::OK);
    }
    until("it is held", || scene.count(is_held) == 1).await;
}

#[tokio::test]
async fn the_same_request_counts_once() {
    let scene = Scene::new().await;
    let body = encoded(&scene.click("U0ANA", "hold"));
    for _ in 0..3 {
        assert_eq!(scene.post_body(&body).await, StatusCode::OK);
    }
    until("it is held", || scene.clicks("done") == 1).await;
    assert_eq!((scene.clicks("repeated"), scene.count(is_held)), (2, 1));
    assert_eq!(scene.fake.asked("chat.postEphemeral").len(), 0, "nobody is told of what they did not do");
}

#[tokio::test]
async fn what_is_no_click_is_answered_and_leads_to_nothing() {
    let scene = Scene::new().await;
    let mut click = scene.click("U0ANA", "hold");
    for kind in ["view_submission", "shortcut", "something_new"] {
        click["type"] = json!(kind);
        assert_eq!(scene.post(&click).await, StatusCode::OK, "{kind}");
    }
    assert_eq!(scene.clicks("ignored"), 3);
    for body in ["payload=%7B", "payload=", "nothing=1", "", "payload=[]"] {
        assert_eq!(scene.post_body(body).await, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!((scene.clicks("malformed"), scene.phase()), (5, "grace"));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_turned_away() {
    let scene = Scene::new().await;
    let mut click = scene.click("U0ANA", "hold");
    let room = (64 << 10) - encoded(&click).len();
    click["message"] = json!("x".repeat(room));
    assert_eq!(scene.post(&click).await, StatusCode::PAYLOAD_TOO_LARGE);
    click["message"] = json!("x".repeat(room - 100));
    assert_eq!(scene.post(&click).await, StatusCode::OK);
    until("it is held", || scene.count(is_held) == 1).await;
}

#[tokio::test]
async fn without_a_secret_the_route_says_how_to_get_one() {
    let scene = Scene::with("").await;
    assert_eq!(scene.post_body("payload={}").await, StatusCode::NOT_FOUND);
    let posted = scene.fake.asked("chat.postMessage");
    assert!(!posted[0]["blocks"].to_string().contains("\"actions\""), "and no button that leads nowhere");
}

#[tokio::test]
async fn another_apps_clicks_do_not_count() {
    let slack = "signing_secret_file = \"signing\"\noperators = [\"U0ANA\"]\napp_id = \"A1\"";
    let scene = Scene::with(slack).await;
    assert_eq!(scene.post(&scene.click("U0ANA", "hold")).await, StatusCode::OK);
    assert_eq!((scene.clicks("ignored"), scene.phase()), (1, "grace"));
}
