//! Cards, and an address that nobody may read.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::AccessConfig;
use crate::notification::fixtures;
use crate::notification::http_fixtures::{Fake, deliver, golden, outbound, secret};

const SIGNATURE: &str = "s1gnature%2Dof-the-workflow";

struct Setup {
    fake: Fake,
    teams: Teams,
    _folder: TempDir,
}

async fn setup_in(place: Place) -> Setup {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.always("POST /workflows/w0rkfl0w/triggers/manual/paths/invoke", 202, "");
    let path = format!("workflows/w0rkfl0w/triggers/manual/paths/invoke?sv=1.0&sig={SIGNATURE}");
    let url = secret(&folder, "url", &format!("{}{path}\n", fake.url));
    let teams = Teams::new(outbound(&AccessConfig::default()), url, place);
    Setup { fake, teams, _folder: folder }
}

#[tokio::test]
async fn every_notice_that_matters_is_a_card_as_in_its_golden_file() {
    for kind in NoticeKind::ALL {
        let Setup { fake, teams, .. } = setup_in(fixtures::place()).await;
        if !teams.wants(*kind) {
            continue;
        }
        assert_eq!(deliver(&teams, &mut fixtures::message(*kind)).await.1, Ok(()), "{kind}");
        let asked = fake.asked();
        assert!(asked[0].path.ends_with(SIGNATURE), "{}", asked[0].path);
        golden("teams", kind.as_str(), &asked[0].json());
        let Setup { fake, teams, .. } = setup_in(fixtures::longest_place()).await;
        assert_eq!(deliver(&teams, &mut fixtures::longest_message(*kind)).await.1, Ok(()), "{kind}");
        golden("teams", &format!("{kind}.longest"), &fake.asked()[0].json());
    }
}

/// Every value of a member of this name.
fn all_named<'a>(json: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match json {
        Value::Object(members) => {
            found.extend(members.get(name));
            members.values().for_each(|value| all_named(value, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all_named(item, name, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_longest_card_is_small_enough_and_foreign_text_is_in_plain_runs_only() {
    for kind in NoticeKind::ALL {
        let card = card::of_message(&fixtures::longest_message(*kind), &fixtures::longest_place());
        assert!(card.to_string().len() < 28 << 10, "{kind}: {} bytes", card.to_string().len());
        let content = &card["attachments"][0]["content"];
        assert_eq!((&content["type"], &content["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
        let mut texts = Vec::new();
        all_named(content, "text", &mut texts);
        let lengths = texts.iter().map(|text| text.as_str().unwrap_or_default().chars().count());
        assert!(lengths.max() <= Some(900), "{kind}: a letter may take four bytes");
        let mut types = Vec::new();
        all_named(content, "type", &mut types);
        let plain = ["AdaptiveCard", "RichTextBlock", "TextRun", "Action.OpenUrl"];
        assert!(types.iter().all(|kind| plain.contains(&kind.as_str().unwrap_or_default())), "{types:?}");
        assert!(!card.to_string().contains('\u{202e}'), "{kind}");
    }
}

#[test]
fn nothing_in_a_text_is_computed_by_whoever_shows_the_card() {
    let message = fixtures::message(NoticeKind::RollbackStarted);
    let environment = Some("{{DATE(2020-01-01T00:00:00Z)}} ${$root} {{{x}}}".to_owned());
    let card = card::of_message(&message, &Place { environment, ..fixtures::place() });
    assert!(!card.to_string().contains("{{") && !card.to_string().contains("${"), "{card}");
}

#[tokio::test]
async fn the_address_appears_in_no_error_and_no_answer() {
    let Setup { fake, teams, _folder } = setup_in(fixtures::place()).await;
    let address = teams.address().expect("an address");
    let decoded = SIGNATURE.replace("%2D", "-");
    let quoted = format!("no workflow at {address}, {} or {SIGNATURE} or {decoded}", address.path());
    fake.then(404, &quoted).then_with(429, &[("retry-after", "9")], &quoted).then(502, &quoted).then_hang();
    for expected in ["404", "429", "502", "no answer"] {
        let outcome = deliver(&teams, &mut fixtures::message(NoticeKind::RollbackStarted)).await.1;
        let said = format!("{:?} {outcome:?}", teams);
        assert!(said.contains(expected), "{said}");
        for secret in [SIGNATURE, decoded.as_str(), "w0rkfl0w", "/triggers/"] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}

#[tokio::test]
async fn what_is_answered_says_whether_it_is_sent_again() {
    let Setup { fake, teams, _folder } = setup_in(fixtures::place()).await;
    let mut message = fixtures::message(NoticeKind::RollbackStarted);
    fake.then(429, "").then(500, "").then(401, "");
    assert!(matches!(deliver(&teams, &mut message).await.1, Err(SendError::Failed { .. })));
    assert!(matches!(deliver(&teams, &mut message).await.1, Err(SendError::Unknown { .. })));
    assert!(matches!(deliver(&teams, &mut message).await.1, Err(SendError::Refused { .. })));
    assert_eq!(deliver(&teams, &mut message).await.1, Ok(()));
    assert_eq!(teams.next_call(&message), None);
}

#[tokio::test]
async fn a_file_without_an_address_is_named_and_not_quoted() {
    let folder = tempfile::tempdir().expect("a folder");
    for text in ["not-an-address-but-s3cret", "ftp://s3cret.example/"] {
        let url = secret(&folder, "url", text);
        let teams = Teams::new(outbound(&AccessConfig::default()), url, fixtures::place());
        let error = teams.check().await.expect_err("no address").to_string();
        assert!(error.contains("url holds no address") && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_check_asks_the_server_without_the_address_and_a_test_posts() {
    let Setup { fake, teams, _folder } = setup_in(fixtures::place()).await;
    teams.check().await.expect("it answers");
    assert_eq!(fake.asked()[0].path, "/");
    let said = teams.test(fixtures::message(NoticeKind::GraceOpened).notice.at).await.expect("taken");
    assert!(said.contains("202"), "{said}");
    assert!(fake.asked()[1].json().to_string().contains("TEST"));
}
