//! What a scrape sees of a ramp.

use std::sync::Arc;

use crate::incident::fixtures::RampStory;
use crate::incident::{HoldReason, RampEvent, RolloutName};
use crate::metrics::Metrics;

/// Stage, share, start, end, and the reasons for which it holds.
type Seen = (i64, i64, i64, i64, Vec<HoldReason>);

fn seen(metrics: &Metrics, story: &RampStory) -> Seen {
    let states = [(RolloutName::new("spark"), Arc::new(story.state.clone()))];
    metrics.observe_states(states.iter().map(|(name, state)| (name, state)), story.now, 0);
    let text = metrics.render();
    let value = |series: &str| -> i64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("backstop_ramp_{series} ")));
        line.unwrap_or_else(|| panic!("{series} in {text}")).parse().expect("a number")
    };
    let of = |name: &str| value(&format!("{name}{{rollout=\"spark\"}}"));
    let is_held =
        |reason: &&HoldReason| value(&format!("holding{{rollout=\"spark\",reason=\"{reason}\"}}")) == 1;
    let held = HoldReason::ALL.iter().filter(is_held).copied().collect();
    let times = ["stage_started_timestamp_seconds", "stage_ends_timestamp_seconds"].map(of);
    (of("stage"), of("share_percent"), times[0], times[1], held)
}

#[test]
fn a_scrape_sees_stage_share_and_countdown_and_why_a_ramp_holds_and_after_its_end_only_its_mark() {
    let metrics = Metrics::new(&[RolloutName::new("spark")], &[]);
    let mut story = RampStory::started(&[5, 25, 100]);
    assert_eq!(seen(&metrics, &story), (0, 0, 0, 0, Vec::new()), "nothing is set yet");
    story.wait(10);
    story.stage_begins();
    let began = story.now.timestamp();
    assert_eq!(seen(&metrics, &story), (2, 5, began, began + 900, Vec::new()));
    story.wait(100);
    story.tell(RampEvent::Paused { actor: "ada".to_owned(), words: None });
    let reasons = vec![HoldReason::Paused, HoldReason::CriterionFails];
    story.holds(&reasons, "");
    assert_eq!(seen(&metrics, &story), (2, 5, began, 0, reasons), "its clock stands still");
    story.wait(60);
    story.tell(RampEvent::Resumed { actor: "ada".to_owned() });
    story.tell(RampEvent::HoldEnded);
    assert_eq!(seen(&metrics, &story), (2, 5, began, began + 960, Vec::new()));
    story.passes();
    assert_eq!(seen(&metrics, &story), (2, 5, began, 0, Vec::new()), "25 % is not read back yet");
    story.wait(900);
    story.stage_begins();
    let began = story.now.timestamp();
    assert_eq!(seen(&metrics, &story), (3, 25, began, began + 900, Vec::new()));
    story.tell(RampEvent::EndedOutside { detail: "0 % by hand".to_owned() });
    assert_eq!(seen(&metrics, &story), (0, 0, began, 0, Vec::new()));
}
