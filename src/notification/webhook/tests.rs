//! What a receiver gets, and that it can check it.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

use super::schema_fixtures::{schema, wrong};
use super::*;
use crate::clock::SystemClock;
use crate::config::AccessConfig;
use crate::notification::fixtures;
use crate::notification::http_fixtures::{Fake, deliver, golden, outbound, secret};

struct Setup {
    fake: Fake,
    webhook: Webhook,
    _folder: TempDir,
}

async fn setup() -> Setup {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.always("POST /backstop", 204, "");
    let secret = SigningSecret::new(secret(&folder, "secret", "shared-s3cret\nthe old one\n"));
    let url = fake.url.join("backstop?team=trading").expect("an address");
    let clock = Arc::new(SystemClock);
    let webhook = Webhook::new(outbound(&AccessConfig::default()), url, secret, fixtures::place(), clock);
    Setup { fake, webhook, _folder: folder }
}

#[tokio::test]
async fn every_notice_is_posted_as_in_its_golden_file_and_as_its_schema_says() {
    let schema = schema();
    for kind in NoticeKind::ALL {
        let Setup { fake, webhook, .. } = setup().await;
        assert!(webhook.wants(*kind));
        assert_eq!(deliver(&webhook, &mut fixtures::message(*kind)).await, (vec![POST], Ok(())), "{kind}");
        let body = fake.asked()[0].json();
        assert_eq!(wrong(&schema, &schema, &body, ""), [""; 0], "{kind}");
        golden("webhook", kind.as_str(), &body);
    }
}

#[test]
fn the_longest_messages_and_a_test_are_as_the_schema_says_and_bounded() {
    let schema = schema();
    for kind in NoticeKind::ALL {
        let body = body::of_message(&fixtures::longest_message(*kind), &fixtures::longest_place());
        assert_eq!(wrong(&schema, &schema, &body, ""), [""; 0], "{kind}");
        assert!(body.to_string().len() < 256 << 10, "{kind}: {}", body.to_string().len());
    }
    let test = body::test("test/1", &fixtures::place());
    assert_eq!(wrong(&schema, &schema, &test, ""), [""; 0]);
}

#[test]
fn the_schema_finds_what_is_missing_added_or_of_another_type() {
    let schema = schema();
    let good = body::of_message(&fixtures::message(NoticeKind::RollbackStarted), &fixtures::place());
    let mut missing = good.clone();
    missing["notice"].as_object_mut().expect("members").remove("kind");
    let (mut added, mut other) = (good.clone(), good.clone());
    added["incident"]["host"] = "web-1".into();
    other["words"]["mark"] = "blue".into();
    for (body, place) in [(missing, "/notice/kind"), (added, "/incident/host"), (other, "/words/mark")] {
        let found = wrong(&schema, &schema, &body, "");
        assert!(found.len() == 1 && found[0].starts_with(place), "{place}: {found:?}");
    }
}

/// HMAC (RFC 2104) from its definition, over a hash alone: not by the code that signs.
fn hmac_by_definition(key: &[u8], message: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_receiver_can_check_who_sent_it_when_and_whether_it_has_it_already() {
    let Setup { fake, webhook, _folder } = setup().await;
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    assert_eq!(deliver(&webhook, &mut message).await.1, Ok(()));
    let asked = &fake.asked()[0];
    let timestamp = asked.header("x-backstop-timestamp").expect("a timestamp");
    let signed = [timestamp.as_bytes(), b".", &asked.body].concat();
    let expected = format!("v1={}", hmac_by_definition(b"shared-s3cret", &signed));
    assert_eq!(asked.header("x-backstop-signature"), Some(expected.as_str()));
    assert_eq!(asked.header("x-backstop-delivery"), Some(message.id().as_str()));
    assert_eq!(asked.json()["delivery"], message.id());
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.path, "/backstop?team=trading");
    let age = SystemClock.now().timestamp() - timestamp.parse::<i64>().expect("seconds");
    assert!((0..60).contains(&age), "{age}");
    let sent = format!("{asked:?}");
    assert!(!sent.contains("shared-s3cret"), "{sent}");
}

#[tokio::test]
async fn what_is_answered_says_whether_it_is_sent_again_under_the_same_id() {
    let Setup { fake, webhook, _folder } = setup().await;
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    fake.then_with(429, &[("retry-after", "3")], "").then(500, "").then_hang().then(410, "gone");
    let limited = deliver(&webhook, &mut message).await.1;
    let after = Some(Duration::from_secs(3));
    assert!(matches!(&limited, Err(SendError::Failed { retry_after, .. }) if *retry_after == after));
    for _ in 0..2 {
        assert!(matches!(deliver(&webhook, &mut message).await.1, Err(SendError::Unknown { .. })));
    }
    let refused = deliver(&webhook, &mut message).await.1;
    assert!(matches!(&refused, Err(SendError::Refused { error }) if error.contains("gone")), "{refused:?}");
    assert_eq!(deliver(&webhook, &mut message).await.1, Ok(()));
    let asked = fake.asked();
    let ids: Vec<_> = asked.iter().map(|asked| asked.header("x-backstop-delivery")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1] && pair[0].is_some()), "{ids:?}");
    assert!(asked.windows(2).all(|pair| pair[0].body == pair[1].body), "a repeat says the same");
}

#[tokio::test]
async fn without_its_secret_nothing_is_sent_and_the_file_is_named() {
    let Setup { fake, mut webhook, _folder } = setup().await;
    let gone = crate::config::SecretFile::new(_folder.path().join("gone"));
    gone.look();
    webhook.secret = SigningSecret::new(gone);
    let outcome = deliver(&webhook, &mut fixtures::message(NoticeKind::RollbackStarted)).await.1;
    assert!(
        matches!(&outcome, Err(SendError::Failed { error, .. }) if error.contains("gone")),
        "{outcome:?}"
    );
    assert!(matches!(webhook.check().await, Err(SendError::Refused { .. })));
    assert_eq!(fake.calls(), [""; 0]);
}

#[tokio::test]
async fn a_test_says_that_it_is_one() {
    let Setup { fake, webhook, _folder } = setup().await;
    let said = webhook.test(DateTime::UNIX_EPOCH).await.expect("taken");
    assert!(said.contains("204"), "{said}");
    assert_eq!(fake.asked()[0].json()["test"], Value::Bool(true));
    assert_eq!(webhook.secret.file().read().expect("read").expose_secret(), "shared-s3cret");
}
