//! PagerDuty, the status page, Grafana and the plain receivers.

use serde_json::{Value, json};

use super::client;
use crate::demo::people::pagerduty::{AlertState, ROUTING_KEY};
use crate::demo::people::{People, grafana, statuspage};

async fn enqueue(people: &People, path: &str, body: &Value) -> (u16, Value) {
    let answer = client().post(people.url(path)).json(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

fn event(action: &str, key: &str) -> Value {
    json!({ "routing_key": ROUTING_KEY, "event_action": action, "dedup_key": key,
        "payload": { "summary": "s", "source": "x", "severity": "critical" } })
}

#[tokio::test]
async fn pagerduty_folds_by_key_and_drops_what_has_no_open_alert() {
    let people = People::start().await.expect("started");
    for action in ["resolve", "trigger", "trigger", "acknowledge", "resolve", "acknowledge", "trigger"] {
        let (status, answer) = enqueue(&people, "/v2/enqueue", &event(action, "k")).await;
        assert_eq!((status, &answer["dedup_key"]), (202, &json!("k")));
    }
    let mut elsewhere = event("resolve", "k");
    elsewhere["routing_key"] = "f".repeat(32).into();
    enqueue(&people, "/v2/enqueue", &elsewhere).await;
    let known = people.pagerduty();
    let alerts: Vec<_> = known
        .alerts_of("k")
        .map(|alert| {
            let actions =
                alert.events.iter().map(|event| event.action.as_str()).collect::<Vec<_>>().join(" ");
            (alert.state, actions)
        })
        .collect();
    assert_eq!(
        alerts,
        [
            (AlertState::Resolved, "trigger trigger acknowledge resolve".to_owned()),
            (AlertState::Triggered, "trigger".to_owned()),
        ]
    );
    let dropped: Vec<_> =
        known.dropped.iter().map(|event| event["event_action"].as_str().expect("an action")).collect();
    assert_eq!(dropped, ["resolve", "acknowledge", "resolve"]);
}

#[tokio::test]
async fn pagerduty_refuses_what_it_refuses() {
    let people = People::start().await.expect("started");
    let with = |pointer: &str, value: Value| {
        let mut event = event("trigger", "k");
        *event.pointer_mut(pointer).expect("there") = value;
        event
    };
    for (body, word) in [
        (with("/routing_key", json!("short")), "routing_key"),
        (with("/event_action", json!("open")), "event_action"),
        (with("/dedup_key", json!("x".repeat(256))), "dedup_key"),
        (with("/payload", Value::Null), "'payload' is missing"),
        (with("/payload/severity", json!("page")), "severity"),
        (with("/payload/source", json!("")), "source"),
        (with("/payload/summary", json!("x".repeat(1_025))), "summary"),
        (json!({ "routing_key": ROUTING_KEY, "event_action": "resolve" }), "dedup_key"),
        (json!("no object"), "JSON"),
    ] {
        let (status, answer) = enqueue(&people, "/v2/enqueue", &body).await;
        assert!(
            status == 400 && answer["errors"][0].as_str().is_some_and(|error| error.contains(word)),
            "{answer}"
        );
    }
    let change = json!({ "routing_key": ROUTING_KEY, "payload": { "summary": "s" } });
    assert_eq!(enqueue(&people, "/v2/change/enqueue", &change).await.0, 202);
    assert_eq!(enqueue(&people, "/v2/change/enqueue", &json!({ "routing_key": ROUTING_KEY })).await.0, 400);
    assert_eq!((people.pagerduty().alerts.len(), people.pagerduty().changes.len()), (0, 1));
}

#[tokio::test]
async fn a_status_page_has_incidents_with_updates() {
    let people = People::start().await.expect("started");
    let call = async |method: reqwest::Method, path: &str, body: Value| {
        let request = client().request(method, people.url(&format!("/v1/pages/{path}")));
        let request = request.header("authorization", format!("OAuth {}", statuspage::API_KEY)).json(&body);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    let (post, patch, get) = (reqwest::Method::POST, reqwest::Method::PATCH, reqwest::Method::GET);
    let incidents = format!("{}/incidents", statuspage::PAGE);
    let opened = json!({ "incident": { "name": "Errors", "status": "investigating", "body": "We look.",
        "impact_override": "minor", "components": { statuspage::COMPONENTS[0]: "partial_outage" }, "deliver_notifications": false } });
    let (status, answer) = call(post.clone(), &incidents, opened).await;
    assert_eq!((status, &answer["status"]), (201, &json!("investigating")));
    let one = format!("{incidents}/{}", answer["id"].as_str().expect("an id"));
    let (_, list) = call(get.clone(), &format!("{incidents}/unresolved"), json!({})).await;
    assert_eq!(list[0]["incident_updates"][0]["body"], "We look.");
    let resolved = json!({ "incident": { "status": "resolved", "body": "Over." } });
    assert_eq!(call(patch.clone(), &one, resolved).await.0, 200);
    assert_eq!(call(get, &format!("{incidents}/unresolved"), json!({})).await.1, json!([]));
    for (method, path, body, status) in [
        (&post, "other/incidents".to_owned(), json!({ "incident": { "name": "x" } }), 404),
        (&post, incidents.clone(), json!({ "incident": {} }), 422),
        (&post, incidents.clone(), json!({ "incident": { "name": "x", "status": "open" } }), 422),
        (
            &post,
            incidents.clone(),
            json!({ "incident": { "name": "x", "components": { "none": "operational" } } }),
            422,
        ),
        (&post, incidents.clone(), json!({ "name": "x" }), 400),
        (&patch, format!("{incidents}/none"), json!({ "incident": {} }), 404),
    ] {
        assert_eq!(call(method.clone(), &path, body.clone()).await.0, status, "{body}");
    }
    let page = people.statuspage();
    assert_eq!((page.incidents.len(), page.incidents[0].updates.len()), (1, 2));
    assert_eq!(page.components[statuspage::COMPONENTS[0]], "partial_outage");
    assert_eq!(
        client().get(people.url(&format!("/v1/pages/{incidents}"))).send().await.expect("an answer").status(),
        401
    );
}

#[tokio::test]
async fn grafana_finds_annotations_by_their_tags() {
    let people = People::start().await.expect("started");
    let ask = |method: reqwest::Method, path: &str, body: Value| {
        let request = client().request(method, people.url(path)).bearer_auth(grafana::TOKEN).json(&body);
        async move {
            let answer = request.send().await.expect("an answer");
            (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
        }
    };
    let (post, patch, get) = (reqwest::Method::POST, reqwest::Method::PATCH, reqwest::Method::GET);
    let body = json!({ "time": 1000, "tags": ["rollback", "inc:1"], "text": "t" });
    let (_, added) = ask(post.clone(), "/api/annotations", body).await;
    ask(post.clone(), "/api/annotations", json!({ "time": 2000, "tags": ["rollback"], "text": "u" })).await;
    let one = format!("/api/annotations/{}", added["id"]);
    assert_eq!(ask(patch.clone(), &one, json!({ "timeEnd": 3000 })).await.0, 200);
    let (_, found) = ask(get.clone(), "/api/annotations?tags=rollback&tags=inc%3A1", json!({})).await;
    assert_eq!((found.as_array().map(Vec::len), &found[0]["timeEnd"]), (Some(1), &json!(3000)));
    let (_, any) =
        ask(get.clone(), "/api/annotations?tags=rollback&tags=none&matchAny=true", json!({})).await;
    assert_eq!(any[0]["text"], "u", "newest first");
    assert_eq!(ask(patch, "/api/annotations/99", json!({})).await.0, 404);
    assert_eq!(ask(post, "/api/annotations", json!({ "text": "" })).await.0, 400);
    assert_eq!(ask(get, "/api/org", json!({})).await.1["id"], 1);
    assert_eq!(client().get(people.url("/api/org")).send().await.expect("an answer").status(), 401);
}

#[tokio::test]
async fn plain_receivers_take_anything_and_teams_only_json_of_its_size() {
    let people = People::start().await.expect("started");
    let post = async |path: &str, body: String| {
        client().post(people.url(path)).body(body).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(post("/webhook", "anything".to_owned()).await, 204);
    assert_eq!(post("/webhook/a/b", String::new()).await, 204);
    assert_eq!(post("/status/v1/incidents", "{}".to_owned()).await, 201);
    assert_eq!(post("/teams/workflow", "{}".to_owned()).await, 202);
    assert_eq!(post("/teams/workflow", "no".to_owned()).await, 400);
    assert_eq!(post("/teams/workflow", format!("{{\"a\":\"{}\"}}", "x".repeat(29_000))).await, 413);
}
