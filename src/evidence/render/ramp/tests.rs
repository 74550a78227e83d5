use std::sync::Arc;

use super::*;
use crate::incident::fixtures::RampStory;
use crate::incident::{
    CriterionName, EvidenceFile, GateReason, GateVerdict, HoldReason, Promotion, RampEvent, Share,
};

impl RampStory {
    /// Started by somebody of this name.
    fn by(stages: &[u8], actor: &str) -> Self {
        let mut story = Self::started(stages);
        let ramp = story.state.ramp.as_mut().expect("a ramp");
        actor.clone_into(&mut Arc::make_mut(ramp).started_by);
        story
    }

    fn stage(&mut self, stage: usize, percent: u8, verdict: GateVerdict, promotion: Option<Promotion>) {
        if stage > 0 {
            self.tell(RampEvent::NextStage { stage, share: Share(percent) });
        }
        self.tell(RampEvent::StageBegan { stage });
        // Somebody who shortens it does so after four minutes.
        self.wait(if promotion.is_some() { 240 } else { 900 });
        promotion.into_iter().for_each(|promotion| self.tell(RampEvent::Promoted(promotion)));
        let judgement = Judgement {
            criterion: CriterionName::new("api-p95"),
            verdict,
            reason: GateReason::Within,
            value: Some(0.12),
            detail: "0.12 s < 0.2 s".to_owned(),
            judged_at: self.now,
        };
        self.tell(RampEvent::StagePassed { stage, judgements: vec![judgement] });
        let name = format!("rollout_stage_{percent}.txt");
        let file = EvidenceFile { name, sha256: "cd".repeat(32), directory: None };
        self.tell(RampEvent::EvidenceWritten { stage: Some(stage), files: vec![file], problems: Vec::new() });
    }

    fn text(&self) -> Option<String> {
        render_ramp(self.ramp())
    }
}

#[test]
fn a_success_begins_with_the_protocols_lines_and_says_how_each_stage_was_passed() {
    let mut story = RampStory::by(&[1, 100], "ada");
    story.stage(0, 1, GateVerdict::Pass, None);
    story.stage(1, 100, GateVerdict::Pass, None);
    assert_eq!(story.text(), None, "not before it has succeeded");
    story.tell(RampEvent::Succeeded);
    let expected = "Canary Deployment: SUCCESS ✅
Version: v1.4.0
Started: 2026-11-04T03:00:00Z
Completed: 2026-11-04T03:30:00Z
Duration: 30 minutes
Stages: 2/2 PASS
Rollbacks: 0
Evidence: rollout_stage_1.txt, rollout_stage_100.txt

Ramp: spark-trading-ramp-20261104-030000
Started By: ada through command line
Plan: SHA-256 abababababababababababababababababababababababababababababababab
Warned: There was no drill in 30 days.

Stage 1 (1 %): from 2026-11-04T03:00:00Z to 2026-11-04T03:15:00Z
  PASS api-p95: 0.12 s < 0.2 s

Stage 2 (100 %): from 2026-11-04T03:15:00Z to 2026-11-04T03:30:00Z
  PASS api-p95: 0.12 s < 0.2 s

What Happened:
  2026-11-04T03:00:00Z  stage 1 begins: its share was read back
  2026-11-04T03:15:00Z  stage 1 is passed
  2026-11-04T03:15:00Z  stage 2 begins: its share was read back
  2026-11-04T03:30:00Z  stage 2 is passed
";
    assert_eq!(story.text().expect("a success"), expected);
}

#[test]
fn what_a_person_overruled_or_skipped_is_no_pass_and_foreign_text_makes_no_line_of_its_own() {
    let mut story = RampStory::by(&[1, 5, 25, 100], "ada\nStages: 9/9 PASS");
    let forced = Promotion {
        actor: "ada".to_owned(),
        is_full: true,
        words: Some("the probe is broken".to_owned()),
        in_spite_of: vec![HoldReason::CriterionFails],
        in_spite_of_criteria: [(CriterionName::new("api-p95"), GateVerdict::Fail)].into(),
    };
    story.stage(0, 1, GateVerdict::Fail, Some(forced));
    story.stage(3, 100, GateVerdict::Pass, None);
    story.tell(RampEvent::Succeeded);
    let text = story.text().expect("a success");
    let counted =
        "\nStages: 1/4 PASS, 1 by a person's word, 1 shortened by a person, 2 skipped by a person\n";
    assert!(text.contains(counted), "{text}");
    let stage = "to 2026-11-04T03:04:00Z, SHORTENED from 15 minutes to 4 minutes and OVERRULED and sent to the last \
        stage at once by ada at 2026-11-04T03:04:00Z: the probe is broken\n";
    assert!(text.contains(stage), "{text}");
    assert!(text.contains("  overruled was this: A pass criterion does not hold. api-p95: FAIL\n"), "{text}");
    assert!(text.contains("FAIL api-p95"), "{text}");
    assert!(!text.contains("\nStages: 9/9"), "{text}");
}

#[test]
fn a_last_stage_that_a_person_shortened_is_a_pass_that_says_so_with_who_when_and_why() {
    let promotion = |words: Option<&str>| Promotion {
        actor: "ada\nStage 3".to_owned(),
        is_full: false,
        words: words.map(str::to_owned),
        ..Promotion::default()
    };
    for (words, why) in [(Some("the office closes"), "the office closes"), (None, "no reason given")] {
        let mut story = RampStory::by(&[1, 100], "ada");
        story.stage(0, 1, GateVerdict::Pass, None);
        story.stage(1, 100, GateVerdict::Pass, Some(promotion(words)));
        story.tell(RampEvent::Succeeded);
        let text = story.text().expect("a success");
        assert!(text.contains("\nStages: 2/2 PASS, 1 shortened by a person\n"), "{text}");
        let stage = format!(
            "\nStage 2 (100 %): from 2026-11-04T03:15:00Z to 2026-11-04T03:19:00Z, SHORTENED from 15 minutes to \
             4 minutes by ada\\nStage 3 at 2026-11-04T03:19:00Z: {why}\n"
        );
        assert!(text.contains(&stage), "{text}");
    }
}

#[test]
fn a_promotion_that_came_when_the_stage_had_lasted_its_time_shortened_nothing() {
    let mut story = RampStory::by(&[1, 100], "ada");
    story.tell(RampEvent::StageBegan { stage: 0 });
    story.wait(900);
    let words = Some("go".to_owned());
    story.tell(RampEvent::Promoted(Promotion {
        actor: "ada".to_owned(),
        is_full: false,
        words,
        ..Promotion::default()
    }));
    story.tell(RampEvent::StagePassed { stage: 0, judgements: Vec::new() });
    story.stage(1, 100, GateVerdict::Pass, None);
    story.tell(RampEvent::Succeeded);
    let text = story.text().expect("a success");
    assert!(text.contains("\nStages: 2/2 PASS\n"), "{text}");
    assert!(text.contains("03:15:00Z, promoted by ada at 2026-11-04T03:15:00Z: go\n"), "{text}");
}

#[test]
fn another_end_has_the_same_lines_and_says_why_instead_of_calling_itself_a_success() {
    let mut story = RampStory::by(&[1, 100], "ada");
    story.stage(0, 1, GateVerdict::Pass, None);
    story.tell(RampEvent::NextStage { stage: 1, share: Share(100) });
    story.tell(RampEvent::StageBegan { stage: 1 });
    story.wait(120);
    story.tell(RampEvent::RolledBack {
        incident: crate::incident::IncidentId::new("spark-trading-20261124-031700-0001"),
    });
    let expected = "Canary Deployment: ROLLED BACK
Version: v1.4.0
Started: 2026-11-04T03:00:00Z
Ended: 2026-11-04T03:17:00Z
Duration: 17 minutes
Stages: 1/2 PASS
Rollbacks: 1, incident spark-trading-20261124-031700-0001
Evidence: rollout_stage_1.txt

Why: It was rolled back, see incident spark-trading-20261124-031700-0001.
Ramp: spark-trading-ramp-20261104-030000
Started By: ada through command line
Plan: SHA-256 abababababababababababababababababababababababababababababababab
Warned: There was no drill in 30 days.

Stage 1 (1 %): from 2026-11-04T03:00:00Z to 2026-11-04T03:15:00Z
  PASS api-p95: 0.12 s < 0.2 s

Stage 2 (100 %): from 2026-11-04T03:15:00Z to -

What Happened:
  2026-11-04T03:00:00Z  stage 1 begins: its share was read back
  2026-11-04T03:15:00Z  stage 1 is passed
  2026-11-04T03:15:00Z  stage 2 begins: its share was read back
";
    assert_eq!(story.text().expect("it has ended"), expected);
}
