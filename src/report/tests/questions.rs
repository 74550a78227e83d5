//! What is asked at the end of a report.

use super::stories::{Foreign, PAGERDUTY, SLACK, Story, at};
use super::*;

fn questions(story: &Story) -> String {
    Report::of(&story.incident).open_questions.join("\n")
}

#[test]
fn what_could_not_be_read_and_what_is_wrong_is_asked() {
    let foreign = Foreign::default();
    for (verdict, version, expected) in [
        (Verdict::Verified, CheckOutcome::Pass, None),
        (
            Verdict::Inconclusive,
            CheckOutcome::Unknown,
            Some("How is this: the version that answers? It could not be read"),
        ),
        (Verdict::NotVerified, CheckOutcome::Fail, Some("Why is this wrong: the version that answers?")),
    ] {
        let mut story = Story::of_alert(&foreign, Severity::Critical, Some(25));
        story.begins(810);
        story.step(830, StepOutcome::Done, Some(0));
        story.verified(4_000, verdict, version);
        let asked = questions(&story);
        assert_eq!(asked.contains("the version that answers"), expected.is_some(), "{asked}");
        assert!(asked.contains(expected.unwrap_or_default()), "{asked}");
        let common = [
            "the application's metrics? Nothing is configured",
            "Does CanaryErrorRateCritical still fire?",
            "Did anybody see it?",
            "Where is the complete evidence?",
        ];
        common.iter().for_each(|common| assert!(asked.contains(common), "{common} in {asked}"));
        story.resolved(9_000);
        story.acknowledged(10_000);
        story.recorded(11_000, None);
        let asked = questions(&story);
        common[1..].iter().for_each(|common| assert!(!asked.contains(common), "{common} in {asked}"));
    }
}

#[test]
fn a_channel_is_to_be_mended_only_where_the_last_message_did_not_arrive() {
    let follows = |story: &Story| {
        Report::of(&story.incident).follow_ups.iter().any(|follow| follow.contains("Mend the channel slack"))
    };
    let mut story = Story::of_alert(&Foreign::default(), Severity::Critical, Some(25));
    let tell = |story: &mut Story, at, outcome| {
        let notice = story.notice(at, NoticeFact::AlertsEnded, &[SLACK]);
        story.call(at + 200, SLACK, notice, outcome);
    };
    let error = || "token_revoked".to_owned();
    tell(&mut story, 1_000, MessageOutcome::GivenUp { error: error() });
    let failed = NoticeFact::ChannelFailed {
        channel: ChannelName::new(SLACK),
        error: error(),
        is_tried: false,
        matters: true,
    };
    story.notice(1_300, failed, &[PAGERDUTY]);
    assert!(follows(&story));
    let sent = MessageOutcome::Sent { references: References::new(), complete: true };
    tell(&mut story, 2_000, sent);
    assert!(!follows(&story), "it has recovered");
    assert!(questions(&story).contains("Who did not know? slack was not told"), "and one message is missing");
    tell(&mut story, 3_000, MessageOutcome::Failed { error: error(), retry_at: at(9_000) });
    assert!(follows(&story), "one waits");
}

#[test]
fn who_took_note_before_an_attempt_failed_is_told_as_that() {
    let mut story = Story::of_alert(&Foreign::default(), Severity::Critical, Some(25));
    story.begins(810);
    story.acknowledged(900);
    let taken = |story: &Story| {
        let report = Report::of(&story.incident);
        report.markdown(&Template::parse("{{messages}}").expect("a template"))
    };
    assert!(taken(&story).contains("ada took note at") && !taken(&story).contains(", before"));
    story.step(1_000, StepOutcome::Failed, None);
    let detail = "status 503".to_owned();
    story.tell(1_100, Event::Failed { reason: Reason::StepFailed, detail, retry_at: None });
    assert!(taken(&story).contains(", before attempt 1 failed"), "{}", taken(&story));
}

#[test]
fn rollbacks_that_repeat_clocks_that_differ_and_steps_that_broke_off_are_asked_about() {
    let foreign = Foreign::default();
    let mut story = Story::of_alert(&foreign, Severity::Critical, Some(25));
    story.begins(810);
    assert!(questions(&story).contains("What was sent after 2026-11-24 03:00:00 UTC?"));
    for repeated in
        [Repeated::Other { revision: Revision::new("v1.3.9"), minutes_ago: 20 }, Repeated::Today(3)]
    {
        story.notice(811, NoticeFact::RepeatedRollback(repeated), &[PAGERDUTY]);
    }
    story.tell(820, Event::ClockStepped { by_milliseconds: 5_000 });
    let asked = questions(&story);
    for expected in
        ["v1.3.9 was rolled back 20 minutes before", "rollback 3 within a day", "how much are the times off"]
    {
        assert!(asked.contains(expected), "{expected} in {asked}");
    }
}
