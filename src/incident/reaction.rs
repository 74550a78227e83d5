//! When the trouble of an incident began, and when what followed was reached: one reading of the fold
//! for metrics and reports, which must not differ in what they call a reaction.

use chrono::{DateTime, Utc};

use super::{AttachedAlert, Incident, NoticeFact, Reason, Severity, Share, StepRecord};

/// The instants of a rollback's way, each where it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reaction {
    /// The urgency of the alert that caused it; none where a person did.
    pub severity: Option<Severity>,
    /// When that alert began, by its own word. None also where its start says nothing of this canary.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was received; of a person's request, when it was made.
    pub received_at: Option<DateTime<Utc>>,
    pub rollback_started_at: Option<DateTime<Utc>>,
    /// When the traffic system first acknowledged that the canary has none.
    pub traffic_off_at: Option<DateTime<Utc>>,
    /// When the share was read as 0 % after the last step, or by the verification.
    pub read_off_at: Option<DateTime<Utc>>,
    /// When the last verification had its verdict.
    pub verdict_at: Option<DateTime<Utc>>,
}

impl AttachedAlert {
    /// Whether its start is when the trouble with this canary began. An alert that is older than the
    /// canary, or was found afterwards, began at some other time.
    #[must_use]
    pub fn dates_the_trouble(&self) -> bool {
        !matches!(
            self.reason,
            Reason::OlderThanCanary | Reason::OlderThanResolve | Reason::MissedWhileDown | Reason::NoCanary
        )
    }
}

impl StepRecord {
    /// When what it asked for was acknowledged; `None` where it was not.
    #[must_use]
    pub fn acknowledged_at(&self) -> Option<DateTime<Utc>> {
        let last = self.attempts.last().map_or(self.ended_at, |last| last.ended_at);
        self.outcome.is_done().then_some(last)
    }

    /// When the share was read back as 0 % after it.
    #[must_use]
    pub fn read_off_at(&self) -> Option<DateTime<Utc>> {
        let read = self.attempts.last().and_then(|last| last.read_back);
        (self.outcome.is_done() && read == Some(Share::ZERO)).then_some(self.ended_at)
    }
}

impl Incident {
    /// What is known of its reaction so far.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        let began = self.cause_began();
        let cause = self.cause();
        let received = match cause.alert {
            Some(_) => began.map(|(_, _, received_at)| received_at),
            None => Some(cause.at),
        };
        let verification = self.verification.as_ref();
        let by_verification =
            verification.filter(|ended| ended.traffic_read_back_off()).map(|ended| ended.ended_at);
        Reaction {
            severity: began.map(|(severity, ..)| severity),
            started_at: began.map(|(_, started_at, _)| started_at),
            received_at: received,
            rollback_started_at: self.rollback_started_at,
            traffic_off_at: self.steps.iter().find_map(StepRecord::acknowledged_at),
            read_off_at: self.steps.last().and_then(StepRecord::read_off_at).or(by_verification),
            verdict_at: verification.map(|ended| ended.ended_at),
        }
    }

    /// The urgency of the cause's alert, when it began and when it was received. One that fires anew
    /// after the decision has another start by then, so that is not looked at.
    fn cause_began(&self) -> Option<(Severity, DateTime<Utc>, DateTime<Utc>)> {
        let cause = self.cause();
        let fingerprint = cause.alert.as_ref()?;
        let before = |attached: &&AttachedAlert| {
            attached.alert.fingerprint == *fingerprint && attached.received_at <= cause.at
        };
        let attached = self.alerts.find(fingerprint).filter(before);
        match attached.or_else(|| self.opened.alert.as_ref().filter(before)) {
            Some(attached) if attached.dates_the_trouble() => {
                Some((attached.alert.severity(), attached.alert.starts_at, attached.received_at))
            }
            Some(_) => None,
            None => {
                let told = self.notices.iter().find_map(|notice| match &notice.fact {
                    Some(NoticeFact::RollbackStarted { alert: Some(alert), .. }) => Some(alert),
                    _ => None,
                })?;
                let known = self.alerts.find(fingerprint).filter(|known| known.dates_the_trouble())?;
                Some((known.alert.severity(), told.starts_at, cause.at))
            }
        }
    }
}

#[cfg(test)]
mod tests;
