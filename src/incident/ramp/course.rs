//! What happened to a ramp, in sentences, for its record: the state alone does not say why an hour took nine.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Ramp, RampEvent};

/// The most that is remembered of one ramp, which is kept in memory: several times what a ramp of a day with holds
/// and people has.
const MOST: usize = 300;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    pub at: DateTime<Utc>,
    /// A sentence.
    pub what: String,
}

/// What happened, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    pub happened: Vec<Happening>,
    /// How much more did, and is in the journal alone.
    #[serde(default)]
    pub left_out: u32,
}

impl Course {
    /// Whether a record has nothing to say of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.happened.is_empty()
    }
}

impl Ramp {
    pub(super) fn remember(&mut self, at: DateTime<Utc>, event: &RampEvent) {
        if !belongs_to_the_course(event) {
            return;
        }
        if self.course.happened.len() >= MOST {
            self.course.left_out += 1;
            return;
        }
        self.course.happened.push(Happening { at, what: crate::text::kept(&event.sentence()) });
    }
}

/// How it started and ended stands in the record by itself, and what is written after its end is not of it.
fn belongs_to_the_course(event: &RampEvent) -> bool {
    match event {
        RampEvent::StepEnded { .. }
        | RampEvent::StageBegan { .. }
        | RampEvent::Judged { .. }
        | RampEvent::HoldStarted { .. }
        | RampEvent::HoldEnded
        | RampEvent::Paused { .. }
        | RampEvent::Resumed { .. }
        | RampEvent::Approved { .. }
        | RampEvent::Promoted(_)
        | RampEvent::StagePassed { .. }
        | RampEvent::StageReopened { .. } => true,
        RampEvent::Started(_)
        | RampEvent::StepStarted { .. }
        | RampEvent::NextStage { .. }
        | RampEvent::EvidenceWritten { .. }
        | RampEvent::Finishing
        | RampEvent::Succeeded
        | RampEvent::RolledBack { .. }
        | RampEvent::Aborted { .. }
        | RampEvent::EndedOutside { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::incident::HoldReason;
    use crate::incident::fixtures::RampStory;

    #[test]
    fn a_ramp_remembers_what_held_it_and_what_people_did_and_not_without_end() {
        let mut story = RampStory::started(&[1, 100]);
        story.stage_begins();
        story.holds(&[HoldReason::WatchdogSilent], "for 200 s");
        let course = &story.ramp().course;
        let said: Vec<_> = course.happened.iter().map(|happening| happening.what.as_str()).collect();
        let held = "the ramp holds. The Watchdog is silent: alerts may not arrive. for 200 s";
        assert!(said.contains(&"stage 1 begins: its share was read back"), "{said:?}");
        assert_eq!(said.last(), Some(&held));
        let before = said.len();
        for _ in 0..400 {
            story.holds(&[HoldReason::Frozen], "");
        }
        let course = &story.ramp().course;
        assert_eq!(
            (course.happened.len(), course.left_out),
            (300, u32::try_from(before).expect("few") + 100)
        );
    }
}
