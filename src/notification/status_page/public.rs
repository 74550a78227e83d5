//! What the public is told: a few fixed sentences about a service, and nothing that a label, an answer
//! or a person wrote. They say no more than was seen.

use crate::incident::{NoticeKind, Share, Verdict, Verification};
use crate::notification::Message;

/// Where an incident stands, in the words of every status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicStatus {
    /// Something is wrong, and the way back has not succeeded yet.
    Investigating,
    /// What is wrong is known and not mended yet.
    Identified,
    /// It is mended as far as is known, and watched.
    Monitoring,
    Resolved,
}

impl PublicStatus {
    /// All of them, in the order of an incident.
    pub const ALL: [Self; 4] = [Self::Investigating, Self::Identified, Self::Monitoring, Self::Resolved];

    /// Atlassian's name of it, which most pages share.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Investigating => "investigating",
            Self::Identified => "identified",
            Self::Monitoring => "monitoring",
            Self::Resolved => "resolved",
        }
    }
}

/// One update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// Backstop's id of the incident, by which it is found again; not shown.
    pub incident: String,
    pub title: String,
    pub text: String,
    pub status: PublicStatus,
    /// What is said, by name: the same twice is no news.
    pub said: &'static str,
    /// Whether it only ends what was said before.
    pub ends: bool,
    /// Whether the service is known to work where the update ends the incident. A person may close one
    /// of which nobody knows.
    pub works: bool,
}

/// What is said, by name: a rollback that is overdue and one that has failed are one sentence.
fn said(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::RollbackOverdue | NoticeKind::RollbackWaits => NoticeKind::RollbackFailed.as_str(),
        _ => kind.as_str(),
    }
}

/// Whether the public is told of such notices.
pub(super) fn says_something(kind: NoticeKind) -> bool {
    sentence(kind, After::Verified).is_some()
}

/// What is known as the alerts end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The traffic is off the canary, and nothing that was read back is wrong.
    Verified,
    /// Something that was read back is wrong, and only a person can say that it is over.
    NeedsALook,
    /// The canary has traffic again, or nobody can say.
    NotSaid,
}

fn sentence(kind: NoticeKind, after: After) -> Option<(PublicStatus, &'static str)> {
    use PublicStatus::{Identified, Investigating, Monitoring, Resolved};
    Some(match kind {
        NoticeKind::RollbackStarted => (
            Investigating,
            "Some users of {service} may see errors or slow answers. We are returning to the previous version.",
        ),
        NoticeKind::RollbackFailed | NoticeKind::RollbackOverdue | NoticeKind::RollbackWaits => (
            Identified,
            "Returning to the previous version takes longer than usual. Some users of {service} may still see errors or slow answers.",
        ),
        NoticeKind::RollbackEnded => {
            (Monitoring, "The previous version of {service} is back for all users. We are watching it.")
        }
        NoticeKind::RollbackNotVerified => (
            Identified,
            "The previous version of {service} is back for all users. Not everything is as it should be yet, and we are looking into it.",
        ),
        NoticeKind::AlertsEnded => match after {
            After::NeedsALook => (
                Monitoring,
                "The errors of {service} have ended. We are still checking that everything works.",
            ),
            After::Verified => (
                Resolved,
                "The previous version of {service} serves all users, and our monitoring reports no trouble any more.",
            ),
            After::NotSaid => (Resolved, "Our monitoring reports no trouble of {service} any more."),
        },
        NoticeKind::IncidentClosed => (Resolved, "We have closed this incident of {service}."),
        NoticeKind::IncidentSuperseded => (
            Resolved,
            "The version of {service} that this incident was about is no longer in use. We have closed it.",
        ),
        _ => return None,
    })
}

impl Public {
    /// What the public is told for this message; `None`: nothing.
    #[must_use]
    pub fn of(message: &Message, service: &str) -> Option<Self> {
        let kind = message.notice.kind;
        let incident = message.subject.incident()?;
        let wrong = incident.verification.as_ref().is_some_and(|seen| seen.verdict == Verdict::NotVerified);
        let after = match message.notice.share {
            _ if wrong => After::NeedsALook,
            Some(Share::ZERO) => After::Verified,
            Some(_) | None => After::NotSaid,
        };
        let (status, text) = sentence(kind, after)?;
        let is_off = incident.verification.as_ref().is_some_and(Verification::traffic_read_back_off);
        Some(Self {
            incident: incident.id.as_str().to_owned(),
            title: format!("{service}: some requests fail or are slow"),
            text: text.replace("{service}", service),
            status,
            said: said(kind),
            ends: kind == NoticeKind::AlertsEnded,
            works: kind == NoticeKind::AlertsEnded || kind == NoticeKind::IncidentSuperseded || is_off,
        })
    }
}

#[cfg(test)]
mod tests;
