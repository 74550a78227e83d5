//! What persons made of a ramp's stages: what no count of passes may hide.

use chrono::TimeDelta;

use super::{Ramp, StageRecord};

/// A stage that a person had left before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortened {
    /// For how long its clock ran.
    pub lasted: TimeDelta,
    /// For how long it was meant to.
    pub planned: TimeDelta,
}

impl StageRecord {
    /// Whether a person went on in spite of something.
    #[must_use]
    pub fn is_overruled(&self) -> bool {
        self.promotion.as_ref().is_some_and(|promotion| !promotion.in_spite_of.is_empty())
    }

    /// Whether it is passed, and nobody had to overrule what its criteria said.
    #[must_use]
    pub fn is_passed_by_its_gates(&self) -> bool {
        self.passed_at.is_some() && !self.is_overruled()
    }
}

impl Ramp {
    /// How a passed stage was shortened; `None`: it lasted its time, or is not passed.
    #[must_use]
    pub fn shortened(&self, record: &StageRecord) -> Option<Shortened> {
        record.promotion.as_ref()?;
        let planned = TimeDelta::seconds(i64::from(self.plan.stages.get(record.stage)?.duration_seconds));
        let lasted = record.passed_at? - record.began_at? - TimeDelta::seconds(record.paused_seconds);
        (lasted < planned).then_some(Shortened { lasted: lasted.max(TimeDelta::zero()), planned })
    }

    /// What persons did to its stages, each in half a sentence; empty where every stage that it has come to was
    /// passed by its criteria, after its time.
    #[must_use]
    pub fn by_persons(&self) -> Vec<String> {
        let count =
            |is_so: &dyn Fn(&StageRecord) -> bool| self.stages.iter().filter(|record| is_so(record)).count();
        let overruled = count(&|record| record.passed_at.is_some() && record.is_overruled());
        let shortened = count(&|record| self.shortened(record).is_some());
        let came_to = self.stages.iter().map(|record| record.stage).max().unwrap_or(0);
        let skipped = (0..came_to).filter(|stage| self.record_of(*stage).is_none()).count();
        let counted = [
            (overruled, "by a person's word"),
            (shortened, "shortened by a person"),
            (skipped, "skipped by a person"),
        ];
        counted
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}
