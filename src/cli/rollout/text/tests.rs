//! What a person reads of a ramp: where it stands, why it does not go on, and nothing forged.

use super::*;
use crate::incident::fixtures::RampStory;
use crate::incident::{GateVerdict, Promotion, RampEvent, RolloutName};

fn view(story: &RampStory) -> RampView {
    RampView::new(&RolloutName::new("spark-trading"), story.ramp(), &[], story.now)
}

/// As it is printed without a terminal.
fn plain(lines: &[String]) -> String {
    anstream::adapter::strip_str(&lines.join("\n")).to_string()
}

fn holding() -> RampStory {
    let mut story = RampStory::started(&[1, 25, 100]);
    story.wait(8);
    story.stage_begins();
    story.wait(900);
    story.passes();
    story.wait(2);
    story.stage_begins();
    story.wait(300);
    story.judged(GateVerdict::Fail, "0.31 s, and has to be < 0.2 s");
    story.holds(
        &[HoldReason::CriterionFails],
        "API P95 < 200 ms: A value of the last five minutes is outside.",
    );
    story.wait(180);
    story
}

#[test]
fn a_ramp_that_holds_says_why_since_when_and_what_of_its_stage_is_left() {
    assert_eq!(
        plain(&ramp_lines(&view(&holding()))),
        "\
ramp of v1.4.0  stage 2 of 3 (25 %)  stage holding
  It holds. A pass criterion does not hold.
  since 2026-11-04 03:20:10 UTC (3 min ago): API P95 < 200 ms: A value of the last five minutes is outside.
  it can be left in 420 s (2026-11-04 03:30:10 UTC)
  FAILS    API P95 < 200 ms: 0.31 s, and has to be < 0.2 s
  stages: 1 % passed at 03:15:08 UTC, 25 % now, 100 %
  spark-trading-ramp-20261104-030000, started 2026-11-04 03:00:00 UTC (23 min ago) by ada (command line)
  warned: There was no drill in 30 days."
    );
}

#[test]
fn each_line_about_time_and_people_says_what_is_so() {
    let mut story = RampStory::started(&[1, 100]);
    let said = |story: &RampStory, line: &str| {
        let text = plain(&ramp_lines(&view(story)));
        assert!(text.lines().any(|found| found == line), "{line:?} in\n{text}");
    };
    said(&story, "  its share is not read back yet, so its time has not begun");
    said(&story, "  unknown  API P95 < 200 ms: It has not been asked yet.");
    story.stage_begins();
    story.wait(100);
    story.tell(RampEvent::Paused { actor: "bob".to_owned(), words: Some("lunch".to_owned()) });
    said(&story, "  paused by bob: lunch");
    said(&story, "  its clock stands still: 800 s are left");
    story.tell(RampEvent::Resumed { actor: "bob".to_owned() });
    story.tell(RampEvent::Approved { stage: 0, actor: "eve".to_owned(), through: "Slack".to_owned() });
    said(&story, "  approved by eve (Slack)");
    story.tell(RampEvent::Promoted(Promotion {
        actor: "bob".to_owned(),
        is_full: true,
        words: Some("seen".to_owned()),
        in_spite_of: vec![HoldReason::CriterionUnknown],
        ..Promotion::default()
    }));
    said(
        &story,
        "  promoted to the last stage by bob: seen in spite of this: A pass criterion can't be judged: what is not known is no pass.",
    );
    story.wait(900);
    said(&story, "  it has lasted its time; it began 2026-11-04 03:00:00 UTC (16 min ago)");
    let unstored = RampView { durable: false, ..view(&story) };
    assert!(plain(&ramp_lines(&unstored)).contains("NOT STORED"));
}

#[test]
fn what_is_missing_of_its_evidence_is_said_of_its_stages_and_of_the_whole() {
    let mut story = holding();
    let written = |stage, problem: &str| RampEvent::EvidenceWritten {
        stage,
        files: Vec::new(),
        problems: vec![problem.to_owned()],
    };
    story.tell(written(Some(0), "stage_1.png is missing: no data"));
    story.tell(RampEvent::Succeeded);
    story.tell(written(None, "the release is not tagged: no such commit"));
    let text = plain(&ramp_lines(&view(&story)));
    for line in [
        "  evidence: stage_1.png is missing: no data",
        "  evidence: the release is not tagged: no such commit",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
    }
}

#[test]
fn one_that_has_ended_is_one_line_of_status() {
    let mut story = holding();
    story.tell(RampEvent::EndedOutside { detail: "it is 0 %, and 25 % was set".to_owned() });
    story.wait(60);
    let line = ended_line(&view(&story));
    assert_eq!(
        line,
        "last ramp, of v1.4.0, 2026-11-04 03:23:10 UTC (60 s ago): Somebody else ended it: it is 0 %, and 25 % was set"
    );
}

#[test]
fn hostile_text_forges_no_line_and_leaves_no_control_character() {
    let hostile = "x\n  passes   all\r\u{1b}[2J\u{9b}\u{202e}";
    let honest = view(&holding());
    let mut ramp = honest.clone();
    for member in [&mut ramp.id, &mut ramp.revision, &mut ramp.started_by, &mut ramp.started_through] {
        hostile.clone_into(member);
    }
    ramp.state_sentence = hostile.to_owned();
    ramp.hold_detail = Some(hostile.to_owned());
    ramp.warnings = vec![hostile.to_owned()];
    for criterion in &mut ramp.criteria {
        criterion.title = hostile.to_owned();
        criterion.detail = hostile.to_owned();
    }
    let text = plain(&ramp_lines(&ramp));
    assert_eq!(text.lines().count(), ramp_lines(&honest).len(), "{text}");
    assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text}");
}
