//! Which calls a notice needs, by what is remembered and where the incident stands.

use std::sync::Arc;

use super::*;
use crate::incident::{Event, Verification};
use crate::notification::{Subject, fixtures};

const KEY: &str = "backstop/prod-eu/spark-trading/v1.4.0";

fn message(kind: NoticeKind, open: &[&str]) -> Message {
    let references = open.iter().map(|name| ((*name).to_owned(), KEY.to_owned())).collect();
    Message { references, ..fixtures::message(kind) }
}

fn calls(message: &Message, levels: bool) -> Vec<&'static str> {
    plan(message, levels).into_iter().map(Call::name).collect()
}

fn incident(message: &mut Message) -> &mut Incident {
    let Subject::Incident(incident) = &mut message.subject else { panic!("an incident") };
    Arc::make_mut(incident)
}

#[test]
fn every_kind_pages_informs_or_ends_the_page() {
    use NoticeKind as Kind;
    for (kind, never_paged, paged) in [
        (Kind::GraceOpened, &["change"][..], &["change"][..]),
        (Kind::GraceHeld, &["change"], &["change"]),
        (Kind::GraceResumed, &["change"], &["change"]),
        (Kind::GraceCancelled, &["change"], &["change"]),
        (Kind::RollbackStarted, &["trigger"], &["trigger"]),
        (Kind::RepeatedRollback, &["trigger"], &["trigger"]),
        (Kind::RollbackFailed, &["trigger"], &["trigger"]),
        (Kind::RollbackOverdue, &["trigger"], &["trigger"]),
        (Kind::RollbackWaits, &["trigger"], &["trigger"]),
        (Kind::RollbackNotVerified, &["trigger"], &["trigger"]),
        (Kind::RollbackEnded, &["change"], &["change"]),
        (Kind::Acknowledged, &["trigger", "acknowledge"], &["acknowledge"]),
        (Kind::Escalated, &["trigger"], &[]),
        (Kind::AlertsEnded, &[], &["resolve"]),
        (Kind::IncidentClosed, &["change"], &["resolve"]),
        (Kind::IncidentSuperseded, &["change"], &["resolve"]),
        (Kind::ChannelFailed, &["change"], &["change"]),
        (Kind::PublicUpdateLate, &["change"], &["change"]),
        (Kind::EvidenceProblem, &[], &[]),
        (Kind::WatchdogLost, &["trigger"], &["trigger"]),
        (Kind::WatchdogBack, &[], &["resolve"]),
    ] {
        assert_eq!(calls(&message(kind, &[]), false), never_paged, "{kind}, nothing triggered");
        assert_eq!(calls(&message(kind, &["page"]), false), paged, "{kind}, triggered");
    }
}

#[test]
fn with_keys_of_levels_an_escalation_pages_its_level_and_the_end_ends_every_page() {
    let escalated = message(NoticeKind::Escalated, &["page"]);
    assert_eq!(calls(&escalated, true), ["trigger_l2"]);
    assert_eq!(calls(&message(NoticeKind::Escalated, &[]), true), ["trigger", "trigger_l2"]);
    let all = ["page", "page_l2", "page_l3"];
    let ended = message(NoticeKind::AlertsEnded, &all);
    assert_eq!(calls(&ended, true), ["resolve", "resolve_l2", "resolve_l3"]);
    let acknowledged = message(NoticeKind::Acknowledged, &["page", "page_l3"]);
    assert_eq!(calls(&acknowledged, true), ["acknowledge", "acknowledge_l3"]);
    assert_eq!(
        calls(&acknowledged, false),
        ["acknowledge", "acknowledge_l3"],
        "also once they are taken away"
    );
}

#[test]
fn a_level_is_not_woken_for_what_has_ended_unless_it_may_have_been_woken_already() {
    let mut late = message(NoticeKind::Escalated, &["page"]);
    let at = late.notice.at;
    incident(&mut late).apply(at, &Event::RolledBack);
    assert_eq!(calls(&late, true), [""; 0]);
    let unknown = Message { may_have_arrived: true, ..late };
    assert_eq!(calls(&unknown, true), ["trigger_l2"], "so that it is ended, too");
}

#[test]
fn what_is_done_and_resolved_is_not_done_again() {
    for kind in [NoticeKind::AlertsEnded, NoticeKind::IncidentClosed, NoticeKind::WatchdogBack] {
        let mut ended = message(kind, &[]);
        ended.references.insert("page".to_owned(), String::new());
        ended.done.push("resolve".to_owned());
        assert_eq!(calls(&ended, false), [""; 0], "{kind}");
    }
}

#[test]
fn an_acknowledgement_that_came_from_pagerduty_is_not_sent_back() {
    let mut acknowledged = message(NoticeKind::Acknowledged, &["page"]);
    let notice = Arc::make_mut(&mut acknowledged.notice);
    notice.fact = Some(NoticeFact::Acknowledged { actor: crate::notification::of_pagerduty("Ana") });
    assert_eq!(calls(&acknowledged, false), [""; 0]);
    acknowledged.references.insert("page_l2".to_owned(), KEY.to_owned());
    assert_eq!(calls(&acknowledged, true), ["acknowledge", "acknowledge_l2"], "the other level's is not");
}

#[test]
fn the_end_of_the_alerts_does_not_end_the_page_where_something_that_was_read_is_wrong() {
    let mut ended = message(NoticeKind::AlertsEnded, &["page"]);
    let known = incident(&mut ended).verification.take().expect("verified");
    incident(&mut ended).verification = Some(Verification { verdict: Verdict::NotVerified, ..known });
    assert_eq!(calls(&ended, false), ["change"]);
}

#[test]
fn an_incident_that_another_one_follows_leaves_the_page_to_it() {
    for kind in NoticeKind::ALL {
        let mut late = message(*kind, &["page"]);
        if late.subject.incident().is_none() {
            continue;
        }
        incident(&mut late).is_followed = true;
        let left = calls(&late, true);
        assert!(left.iter().all(|call| *call == "change"), "{kind}: {left:?}");
    }
}

#[test]
fn every_call_has_a_name_by_which_it_is_found_again() {
    for (name, call) in NAMES {
        assert_eq!((call.name(), Call::named(name)), (name, Some(call)));
    }
    assert_eq!(Call::named("other"), None);
}
