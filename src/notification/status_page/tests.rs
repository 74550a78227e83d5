//! What the public is told, and how often.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::{AccessConfig, Config, Credentials, PageKind, PageTemplates};
use crate::incident::{Event, MessageOutcome, NoticeFact};
use crate::notification::http_fixtures::{Fake, deliver, golden, outbound, secret};
use crate::notification::{Subject, fixtures};

const INCIDENTS: &str = "/v1/pages/p4g3/incidents";
const OPENED: &str = r#"{"id":"r3mote","name":"x","metadata":{},"incident_updates":[]}"#;

struct Setup {
    fake: Fake,
    page: StatusPages,
    _folder: TempDir,
}

async fn setup() -> Setup {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.always(&format!("POST {INCIDENTS}"), 201, OPENED);
    fake.always(&format!("PATCH {INCIDENTS}/r3mote"), 200, OPENED);
    fake.always(&format!("GET {INCIDENTS}/unresolved"), 200, "[]");
    let key = secret(&folder, "key", "s3cret-key");
    let access = AccessConfig { credentials: Some(Credentials::Bearer(key)), ..AccessConfig::default() };
    let components = Components { ids: vec!["c0mponent".to_owned()], affected: "partial_outage" };
    let outbound = outbound(&access.with_scheme("OAuth"));
    let page = Atlassian::new(outbound, &fake.url, "p4g3", components, false);
    Setup { fake, page: StatusPages::new(Arc::new(page), "Trading".to_owned()), _folder: folder }
}

/// As it is once the page was opened.
fn opened(kind: NoticeKind) -> Message {
    let references = References::from([
        (ID.to_owned(), "r3mote".to_owned()),
        (SAID.to_owned(), "rollback_started".to_owned()),
    ]);
    Message { references, ..fixtures::message(kind) }
}

/// The page's list of what is not resolved, with an incident of ours of the given text.
fn unresolved(message: &Message, text: &str) -> String {
    let theirs = json!({ "id": "0ther", "metadata": { "backstop": { "incident": "another" } } });
    let ours = json!({
        "id": "r3mote",
        "metadata": { "backstop": { "incident": message.subject.id() } },
        "incident_updates": [{ "body": text, "status": "investigating" }],
    });
    json!([{ "id": "by hand" }, theirs, ours]).to_string()
}

fn text(kind: NoticeKind) -> String {
    Public::of(&fixtures::message(kind), "Trading").expect("something").text
}

#[tokio::test]
async fn every_notice_that_the_public_hears_of_is_told_as_in_its_golden_file() {
    for kind in NoticeKind::ALL {
        let Setup { fake, page, .. } = setup().await;
        if !page.wants(*kind) {
            assert_eq!(page.next_call(&opened(*kind)), None, "{kind}");
            continue;
        }
        let mut message =
            if *kind == NoticeKind::RollbackStarted { fixtures::message(*kind) } else { opened(*kind) };
        assert_eq!(deliver(&page, &mut message).await.1, Ok(()), "{kind}");
        let asked = fake.asked();
        assert_eq!(asked[0].header("authorization"), Some("OAuth s3cret-key"));
        let sent = asked.into_iter().map(
            |asked| json!({ "request": format!("{} {}", asked.method, asked.path), "body": asked.json() }),
        );
        golden("status_page", kind.as_str(), &sent.collect());
    }
}

#[tokio::test]
async fn what_the_public_reads_names_no_alert_version_person_or_host_whatever_they_are() {
    for kind in NoticeKind::ALL {
        let Some(post) = Public::of(&fixtures::longest_message(*kind), "Trading") else { continue };
        let usual = Public::of(&fixtures::message(*kind), "Trading").expect("something");
        assert_eq!((&post.title, &post.text), (&usual.title, &usual.text), "{kind}");
        for inside in ["Canary", "canary", "v1.4", "ana", "backstop", "http", "503", "{"] {
            assert!(!post.text.contains(inside) && !post.title.contains(inside), "{kind}: {post:?}");
        }
    }
}

#[tokio::test]
async fn a_page_is_opened_once_and_told_each_thing_once() {
    let Setup { fake, page, _folder } = setup().await;
    let mut references = References::new();
    for kind in [
        NoticeKind::RollbackStarted,
        NoticeKind::RollbackFailed,
        NoticeKind::RollbackFailed,
        NoticeKind::RollbackEnded,
        NoticeKind::AlertsEnded,
    ] {
        let mut message = Message { references, ..fixtures::message(kind) };
        assert_eq!(deliver(&page, &mut message).await.1, Ok(()));
        references = message.references;
    }
    let update = format!("PATCH {INCIDENTS}/r3mote");
    assert_eq!(fake.calls(), [format!("POST {INCIDENTS}"), update.clone(), update.clone(), update]);
    let statuses: Vec<_> =
        fake.asked().iter().map(|asked| asked.json()["incident"]["status"].clone()).collect();
    assert_eq!(statuses, ["investigating", "identified", "monitoring", "resolved"]);
}

#[tokio::test]
async fn an_opening_that_may_have_arrived_is_looked_for_before_it_is_posted_again() {
    let Setup { fake, page, _folder } = setup().await;
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    fake.then_hang();
    assert!(matches!(deliver(&page, &mut message).await.1, Err(SendError::Unknown { .. })));
    let listed = unresolved(&message, &text(NoticeKind::RollbackStarted));
    fake.then(500, "down").then(420, "slow").then(200, &listed);
    for _ in 0..2 {
        let still = deliver(&page, &mut message).await.1;
        assert!(matches!(still, Err(SendError::Unknown { .. })), "a search that fails finds nothing out");
    }
    assert_eq!(deliver(&page, &mut message).await.1, Ok(()));
    assert_eq!(message.references.get(ID).map(String::as_str), Some("r3mote"));
    let posts = fake.calls().iter().filter(|call| call.starts_with("POST")).count();
    assert_eq!(posts, 1, "{:?}", fake.calls());
}

#[tokio::test]
async fn what_is_not_found_is_posted_and_what_is_found_with_another_text_is_told_this_one() {
    let Setup { fake, page, _folder } = setup().await;
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    message.may_have_arrived = true;
    assert_eq!(deliver(&page, &mut message).await, (vec!["open"], Ok(())));
    let mut failed = fixtures::message(NoticeKind::RollbackFailed);
    failed.may_have_arrived = true;
    fake.then(200, &unresolved(&failed, &text(NoticeKind::RollbackStarted)));
    assert_eq!(deliver(&page, &mut failed).await, (vec!["open", "update"], Ok(())));
    let (list, post) = (format!("GET {INCIDENTS}/unresolved"), format!("POST {INCIDENTS}"));
    assert_eq!(fake.calls(), [list.clone(), post, list, format!("PATCH {INCIDENTS}/r3mote")]);
}

#[tokio::test]
async fn an_update_that_may_have_arrived_is_not_written_twice() {
    let Setup { fake, page, _folder } = setup().await;
    let mut ended = opened(NoticeKind::RollbackEnded);
    ended.may_have_arrived = true;
    fake.then(200, &unresolved(&ended, &text(NoticeKind::RollbackEnded)));
    assert_eq!(deliver(&page, &mut ended).await.1, Ok(()));
    let mut resolved = opened(NoticeKind::AlertsEnded);
    resolved.may_have_arrived = true;
    assert_eq!(deliver(&page, &mut resolved).await.1, Ok(()), "it is no longer among the unresolved");
    assert_eq!(fake.calls(), [format!("GET {INCIDENTS}/unresolved"), format!("GET {INCIDENTS}/unresolved")]);
}

#[tokio::test]
async fn both_of_its_words_for_too_often_are_waited_for() {
    let Setup { fake, page, _folder } = setup().await;
    for status in [420, 429] {
        fake.then_with(status, &[("retry-after", "2")], "slow down");
        let outcome = deliver(&page, &mut fixtures::message(NoticeKind::RollbackStarted)).await.1;
        let expected = Some(Duration::from_secs(2));
        assert!(matches!(&outcome, Err(SendError::Failed { retry_after, .. }) if *retry_after == expected));
    }
    fake.then(422, r#"{"error":"name is too long for s3cret-key"}"#);
    let outcome = deliver(&page, &mut fixtures::message(NoticeKind::RollbackStarted)).await.1;
    let Err(SendError::Refused { error }) = outcome else { panic!("{outcome:?}") };
    assert!(error.contains("name is too long") && !error.contains("s3cret"), "{error}");
}

#[test]
fn what_was_never_opened_is_not_ended_and_what_goes_on_is_opened_late() {
    let page = StatusPages::new(Arc::new(NoPage), "Trading".to_owned());
    for (kind, expected) in [
        (NoticeKind::RollbackStarted, Some("open")),
        (NoticeKind::RollbackFailed, Some("open")),
        (NoticeKind::RollbackEnded, Some("open")),
        (NoticeKind::RollbackNotVerified, Some("open")),
        (NoticeKind::AlertsEnded, None),
        (NoticeKind::IncidentClosed, None),
        (NoticeKind::IncidentSuperseded, None),
    ] {
        assert_eq!(page.next_call(&fixtures::message(kind)), expected, "{kind}");
    }
    assert_eq!(page.first_within(), Some(Duration::from_secs(300)), "the protocol's five minutes");
}

#[tokio::test]
async fn what_a_person_closes_unseen_leaves_the_components_as_they_are() {
    let Setup { fake, page, _folder } = setup().await;
    let mut closed = opened(NoticeKind::IncidentClosed);
    assert_eq!(deliver(&page, &mut closed).await.1, Ok(()));
    let mut ended = opened(NoticeKind::AlertsEnded);
    assert_eq!(deliver(&page, &mut ended).await.1, Ok(()));
    let asked: Vec<_> = fake.asked().iter().map(|asked| asked.json()["incident"].clone()).collect();
    assert_eq!((&asked[0]["status"], asked[0].get("components")), (&json!("resolved"), None));
    assert_eq!(asked[1]["components"]["c0mponent"], "operational");
}

#[tokio::test]
async fn a_test_posts_nothing_and_says_why() {
    let Setup { fake, page, _folder } = setup().await;
    fake.always("GET /v1/pages/p4g3", 200, r#"{"id":"p4g3","name":"Trading status"}"#);
    let said = page.test(DateTime::UNIX_EPOCH).await.expect("it is there");
    assert!(said.contains("Trading status") && said.contains("nothing was posted"), "{said}");
    assert_eq!(fake.calls(), ["GET /v1/pages/p4g3"]);
}

/// One that can't be searched and takes nothing.
#[derive(Debug)]
struct NoPage;

#[async_trait]
impl StatusPage for NoPage {
    async fn open(&self, _post: &Public) -> Result<String, SendError> {
        panic!("it is posted although it may be there")
    }

    async fn update(&self, _id: &str, _post: &Public) -> Result<(), SendError> {
        Ok(())
    }

    fn can_find(&self) -> bool {
        false
    }

    async fn find(&self, _incident: &str) -> Result<Option<Found>, SendError> {
        Ok(None)
    }

    async fn check(&self) -> Result<String, SendError> {
        Ok(String::new())
    }
}

/// A notice of the incident was given up on the channel.
fn give_up(message: &mut Message, channel: ChannelName) {
    let at = message.notice.at;
    let Subject::Incident(incident) = &mut message.subject else { panic!("an incident") };
    let incident = Arc::make_mut(incident);
    let (notice, fact) = (incident.deliveries.next_id(), NoticeFact::AlertsEnded);
    incident.apply(
        at,
        &Event::NoticeRaised {
            kind: fact.kind(),
            id: Some(notice),
            fact: Some(Box::new(fact)),
            stage: None,
            share: None,
            to: vec![channel.clone()],
            text: String::new(),
        },
    );
    let outcome = MessageOutcome::GivenUp { error: "no answer".to_owned() };
    incident.apply(at, &Event::MessageEnded { channel, notice, call: "open".to_owned(), outcome });
}

#[tokio::test]
async fn where_it_cant_be_looked_for_it_is_never_posted_a_second_time() {
    let page = StatusPages::new(Arc::new(NoPage), "Trading".to_owned());
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    message.may_have_arrived = true;
    let outcome = page.send("open", &message).await;
    assert!(matches!(&outcome, Err(SendError::Refused { error }) if error.contains("look at it")));
    let mut later = fixtures::message(NoticeKind::RollbackFailed);
    give_up(&mut later, page.name());
    assert!(matches!(page.send("open", &later).await, Err(SendError::Refused { .. })));
}

/// Better Stack's shape, as a configuration spells it out.
const TEMPLATES: &str = r#"
[status_page]
kind = "http"
service = "Trading"
open.url = "BASE/api/v2/status-pages/1/status-reports"
open.body = '{"title":"{title}","message":"{text}","key":"{incident}","state":"{status}"}'
open.id_pointer = "/data/id"
update.url = "BASE/api/v2/status-pages/1/status-reports/{id}/status-updates"
update.method = "PUT"
update.body = '{"message":"{text}","state":"{status}"}'
find.url = "BASE/api/v2/status-pages/1/status-reports?key={incident}"
find.items_pointer = "/data"
find.key_pointer = "/attributes/key"
statuses.resolved = "RESOLVED"
[[rollouts]]
name = "spark-trading"
traffic = { kind = "feature-flag", url = "http://127.0.0.1:1/", feature = "v1.4.0" }
"#;

fn templates(base: &str) -> PageTemplates {
    let config = Config::parse(&TEMPLATES.replace("BASE", base), Path::new("x.toml")).expect("valid");
    match config.people.status_page.and_then(|page| page.kind) {
        Some(PageKind::Http(templates)) => *templates,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_page_of_templates_is_told_by_the_requests_of_the_configuration() {
    let fake = Fake::start().await;
    let base = fake.url.as_str().trim_end_matches('/').to_owned();
    let page = Templated::new(outbound(&AccessConfig::default()), templates(&base));
    let page = StatusPages::new(Arc::new(page), "Trading".to_owned());
    fake.then(201, r#"{"data":{"id":77,"type":"status_report"}}"#).then(200, "");
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    assert_eq!(deliver(&page, &mut message).await.1, Ok(()));
    let references = message.references.clone();
    let mut ended = Message { references, ..fixtures::message(NoticeKind::AlertsEnded) };
    assert_eq!(deliver(&page, &mut ended).await.1, Ok(()));
    let reports = "/api/v2/status-pages/1/status-reports";
    assert_eq!(fake.calls(), [format!("POST {reports}"), format!("PUT {reports}/77/status-updates")]);
    let [opened, resolved]: [Value; 2] =
        fake.asked().iter().map(|asked| asked.json()).collect::<Vec<_>>().try_into().expect("two");
    assert_eq!(opened["key"], message.subject.id());
    assert_eq!((&opened["state"], &resolved["state"]), (&"investigating".into(), &"RESOLVED".into()));

    message.references.clear();
    message.may_have_arrived = true;
    let listed = json!({ "data": [{ "id": "77", "attributes": { "key": message.subject.id() } }] });
    fake.then(200, &listed.to_string()).then(200, "");
    assert_eq!(deliver(&page, &mut message).await, (vec!["open", "update"], Ok(())));
    assert!(fake.asked()[2].path.ends_with(&format!("?key={}", message.subject.id())), "{:?}", fake.asked());
}

#[tokio::test]
async fn an_id_that_cant_be_read_leaves_it_unknown_and_not_posted_again_blindly() {
    let fake = Fake::start().await;
    let base = fake.url.as_str().trim_end_matches('/').to_owned();
    let page = Templated::new(outbound(&AccessConfig::default()), templates(&base));
    let page = StatusPages::new(Arc::new(page), "Trading".to_owned());
    for answer in ["<html>", r#"{"data":{}}"#, r#"{"data":{"id":".."}}"#, r#"{"data":{"id":""}}"#] {
        fake.then(200, answer);
        let outcome = deliver(&page, &mut fixtures::message(NoticeKind::RollbackStarted)).await.1;
        assert!(matches!(outcome, Err(SendError::Unknown { .. })), "{answer}: {outcome:?}");
    }
}
