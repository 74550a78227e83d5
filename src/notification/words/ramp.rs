//! What is said of a ramp.

use super::said::{Said, capital};
use super::{Line, Mark, full_stop};
use crate::incident::{Notice, RampFact, RampSaid};
use crate::text::shown;

impl Said {
    pub(super) fn of_ramp(fact: &RampFact, notice: &Notice) -> Self {
        let what = capital(&fact.sentence(notice.at));
        match &fact.said {
            RampSaid::Started { warnings, .. } => {
                let warnings: Vec<_> =
                    warnings.iter().map(|warning| full_stop(capital(&shown(warning)))).collect();
                Self::new(Mark::Green, "RAMP STARTED", what).next(warnings.join(" "))
            }
            RampSaid::StageBegan { ends_at } => {
                let revision = shown(fact.revision.as_str());
                let what =
                    Line::text(format!("{revision} has {} of the traffic, at least until ", fact.share));
                Self::new(Mark::Green, "NEXT STAGE", what.at(*ends_at))
            }
            RampSaid::Holds { .. } => Self::new(Mark::Yellow, "RAMP HOLDS", what)
                .done("The canary keeps its share. Alerts act as ever.")
                .next(
                    "It goes on by itself once nothing is in its way; promote, pause or abort it otherwise.",
                ),
            RampSaid::HoldsTooLong { .. } => Self::new(Mark::Red, "RAMP STUCK", what)
                .done("The canary keeps its share. Alerts act as ever.")
                .next("Decide: promote it with a reason, abort it, or mend what is in its way."),
            RampSaid::GoesOn => Self::new(Mark::Green, "RAMP GOES ON", what),
            RampSaid::Succeeded { .. } => Self::new(Mark::Green, "RAMP SUCCEEDED", what)
                .done("The evidence of its stages is written.")
                .safe("Yes. Alerts of this revision still lead to a rollback for a while."),
            RampSaid::Ended { .. } => {
                Self::new(Mark::Yellow, "RAMP ENDED", what).next("A retry is a new ramp.")
            }
            RampSaid::RecordProblem { stage, .. } => {
                Self::new(Mark::Yellow, "RECORD INCOMPLETE", what).next(match stage {
                    Some(_) => format!(
                        "What is missing can still be read as it is now, by `backstop snapshot {}`; mend what kept it from the record.",
                        fact.share.0
                    ),
                    None => "Do by hand what is named here; the record itself is not written again.".to_owned(),
                })
            }
        }
    }
}
