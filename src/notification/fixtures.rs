//! Messages for tests of channels: for every kind of notice one as it comes in life, and one whose
//! texts are as long and as hostile as they can be. The incidents are folded from events, as in life.

mod ramp_facts;
mod story;

use super::{Message, Place};
use crate::incident::NoticeKind;
use story::Story;

/// What a label of an alert may do to whoever shows it: ping a channel, close a code span, be a link,
/// turn letters round, break a line.
const HOSTILE: &str = "<!channel> `*_~&amp; <https://evil.example|Runbook> \u{202e}<@U0>\n# ";

/// A hostile text of exactly 2,000 characters.
pub(crate) fn long_text() -> String {
    HOSTILE.chars().cycle().take(2_000).collect()
}

/// Where the fixtures' Backstop is.
pub(crate) fn place() -> Place {
    Place {
        environment: Some("prod-eu".to_owned()),
        external_url: "https://backstop.example".to_owned(),
        dashboard_url: Some("https://grafana.example/d/spark-canary".to_owned()),
    }
}

/// Such a message as it comes in life, just after its notice was raised.
pub(crate) fn message(kind: NoticeKind) -> Message {
    Story::new(Texts::usual()).tell(kind)
}

/// The same with every foreign text at its longest.
pub(crate) fn longest_message(kind: NoticeKind) -> Message {
    Story::new(Texts::longest()).tell(kind)
}

/// Where the longest message is shown.
pub(crate) fn longest_place() -> Place {
    let url = |host: &str| format!("https://{host}/{}", "x".repeat(2_000));
    Place {
        environment: Some(long_text()),
        external_url: url("backstop.example"),
        dashboard_url: Some(url("grafana.example")),
    }
}

/// Every text that somebody else chose.
struct Texts {
    rollout: String,
    revision: String,
    next_revision: String,
    alert: String,
    summary: String,
    description: String,
    threshold: String,
    runbook_url: String,
    actor: String,
    words: String,
    detail: String,
}

impl Texts {
    fn usual() -> Self {
        Self {
            rollout: "spark-trading".to_owned(),
            revision: "v1.4.0".to_owned(),
            next_revision: "v1.4.1".to_owned(),
            alert: "CanaryErrorRateCritical".to_owned(),
            summary: "5xx ratio 7.8 %".to_owned(),
            description: "7.8 % of the canary's requests failed in the last 5 minutes.".to_owned(),
            threshold: "0.03".to_owned(),
            runbook_url: "https://runbooks.example/error-rate".to_owned(),
            actor: "@ana".to_owned(),
            words: "checkout is slow for everybody".to_owned(),
            detail: "take the traffic off the canary: not carried out (3 attempts): 503 no upstream"
                .to_owned(),
        }
    }

    /// A rollout's name is the only one that the configuration bounds.
    fn longest() -> Self {
        let long = long_text;
        Self {
            rollout: "r".repeat(63),
            revision: long(),
            next_revision: long(),
            alert: long(),
            summary: long(),
            description: long(),
            threshold: long(),
            runbook_url: format!("https://runbooks.example/{}", "x".repeat(2_000)),
            actor: long(),
            words: long(),
            detail: long(),
        }
    }
}

#[test]
fn the_fixture_of_a_kind_is_about_that_kind_and_stands_where_such_an_incident_does() {
    use crate::incident::{NoticeFact, Phase};
    use crate::notification::Words;

    for kind in NoticeKind::ALL {
        for (message, place) in [(message(*kind), place()), (longest_message(*kind), longest_place())] {
            assert_eq!(message.notice.fact.as_ref().map(NoticeFact::kind), Some(*kind));
            assert!(Words::of(&message, &place).glance().contains(message.subject.rollout().as_str()));
            let Some(incident) = message.subject.incident() else { continue };
            let ends = kind.ends() || *kind == NoticeKind::EvidenceProblem;
            assert_eq!(incident.phase.is_closed(), ends, "{kind}: {:?}", incident.phase);
            assert!(!matches!(incident.phase, Phase::Opened), "{kind}");
        }
    }
}
