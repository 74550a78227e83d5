use std::sync::Arc;

use super::*;
use crate::incident::Event;
use crate::notification::{Subject, fixtures};

#[test]
fn the_public_is_not_told_that_it_is_over_while_something_that_was_read_is_wrong() {
    let mut message = fixtures::message(NoticeKind::AlertsEnded);
    let Subject::Incident(incident) = &mut message.subject else { panic!("an incident") };
    let incident = Arc::make_mut(incident);
    let known = incident.verification.clone().expect("verified");
    let verification = Verification { verdict: Verdict::NotVerified, ..known };
    incident.apply(message.notice.at, &Event::VerificationEnded(verification));
    let post = Public::of(&message, "Trading").expect("something");
    assert_eq!(post.status, PublicStatus::Monitoring);
    assert!(post.text.contains("still checking"), "{}", post.text);
}

#[test]
fn the_public_is_not_told_that_the_version_before_serves_all_where_the_canary_has_traffic_again() {
    let mut message = fixtures::message(NoticeKind::AlertsEnded);
    for share in [Some(Share(50)), None] {
        Arc::make_mut(&mut message.notice).share = share;
        let post = Public::of(&message, "Trading").expect("something");
        assert!(!post.text.contains("serves all"), "{share:?}: {}", post.text);
    }
}
