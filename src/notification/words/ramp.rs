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
            RampSaid::Succeeded { watched_seconds, .. } => Self::new(Mark::Green, "RAMP SUCCEEDED", what)
                .done("The evidence of its stages is written.")
                .safe(match watched_seconds {
                    0 => "Yes. From here on alerts of this revision lead to no rollback by themselves.".to_owned(),
                    seconds => {
                        format!("Yes. Alerts of this revision still lead to a rollback for {}.", span(*seconds))
                    }
                }),
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

fn span(seconds: u32) -> String {
    match (seconds % 3_600, seconds % 60) {
        (0, _) => format!("{} hours", seconds / 3_600),
        (_, 0) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::incident::{NoticeFact, NoticeKind, RampSaid};
    use crate::notification::Words;
    use crate::notification::fixtures::{message, place};

    #[test]
    fn a_success_promises_to_be_watched_for_as_long_as_it_is_and_not_at_all_where_it_is_not() {
        for (seconds, promised) in [
            (86_400, "Alerts of this revision still lead to a rollback for 24 hours."),
            (5_400, "Alerts of this revision still lead to a rollback for 90 minutes."),
            (45, "Alerts of this revision still lead to a rollback for 45 s."),
            (0, "From here on alerts of this revision lead to no rollback by themselves."),
        ] {
            let mut message = message(NoticeKind::RampSucceeded);
            let Some(NoticeFact::Ramp(fact)) = &mut Arc::make_mut(&mut message.notice).fact else {
                panic!("of a ramp")
            };
            let RampSaid::Succeeded { watched_seconds, .. } = &mut fact.said else { panic!("a success") };
            *watched_seconds = seconds;
            let safe = Words::of(&message, &place()).safe.plain();
            assert_eq!(safe, format!("Yes. {promised}"), "{seconds} s");
        }
    }
}
