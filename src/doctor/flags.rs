//! Feature flags: whether the canary's share can be read back.

use std::time::Duration;

use super::Examination;
use crate::config::{Config, FeatureFlagConfig, TrafficConfig};
use crate::execution::{ReadError, ReadRequest, read_share};
use crate::finding::{Area, Check, Finding};
use crate::incident::Share;
use crate::outbound::Connections;

pub(super) fn examinations(config: &Config) -> Vec<Examination> {
    let flags = config.rollouts.iter().filter_map(|rollout| match &rollout.traffic {
        TrafficConfig::FeatureFlag(flag) => Some((rollout.name.clone(), flag.clone())),
        TrafficConfig::Kubernetes(_) => None,
    });
    flags
        .map(|(name, flag)| {
            let about = name.clone();
            Examination::new(Area::Traffic, &name, async move { vec![look(&about, &flag).await] })
        })
        .collect()
}

/// A person waits, and the flag's own time may be long.
const LONGEST: Duration = Duration::from_secs(10);

async fn look(rollout: &str, flag: &FeatureFlagConfig) -> Finding {
    let check = Check::new(Area::Traffic, rollout, "read_back");
    let Some(url) = flag.read_url.clone() else {
        return check.warning(
            "The canary's share can't be read: no read_url is configured, so no rollback is known to have worked.",
            "Set read_url and read_pointer in [rollouts.traffic].",
        );
    };
    let outbound = match Connections::default().to(&flag.access, flag.timeout.min(LONGEST)) {
        Ok(outbound) => outbound,
        Err(error) => {
            return check.error(format!("The flag's API can't be asked: {error}."), "Mend its access keys.");
        }
    };
    let read = ReadRequest { url, pointer: flag.read_pointer.clone(), scale: flag.scale };
    judged(check, read_share(&outbound, &read).await)
}

fn judged(check: Check<'_>, read: Result<Share, ReadError>) -> Finding {
    let wrong = |message: String, remedy: &str| check.error(message, remedy);
    match read {
        Ok(share) => check.fine(format!("The canary's share is read back: {share}.")),
        Err(ReadError::NoAnswer(error)) => wrong(
            format!(
                "The canary's share can't be read: {error}. The API that reads it sets it, too, as a rule."
            ),
            "See that read_url in [rollouts.traffic] is right, and reachable from here.",
        ),
        Err(ReadError::Refused { status, text }) => wrong(
            format!("The flag's API refuses to say the canary's share: status {status}: {text}."),
            "Check read_url, and the token in [rollouts.traffic].",
        ),
        Err(ReadError::NotUnderstood(why)) => wrong(
            format!("The answer of read_url says no share: {why}."),
            "Set read_pointer and scale in [rollouts.traffic] to where the share is: curl read_url shows it.",
        ),
        Err(ReadError::NotConfigured) => wrong("No read_url is configured.".to_owned(), "Set it."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::outbound::OutboundError;

    #[test]
    fn what_keeps_a_share_from_being_read_is_an_error_with_what_to_mend() {
        let check = Check::new(Area::Traffic, "spark-trading", "read_back");
        let fine = judged(check, Ok(Share(25)));
        assert_eq!(
            (fine.severity, fine.message.as_str()),
            (Severity::Fine, "The canary's share is read back: 25 %.")
        );
        for (error, words, remedy) in [
            (
                ReadError::NoAnswer(OutboundError::Unreachable("refused".to_owned())),
                "refused",
                "reachable from here",
            ),
            (ReadError::Refused { status: 401, text: "who?".to_owned() }, "status 401: who?", "the token"),
            (ReadError::NotUnderstood("no number".to_owned()), "no number", "read_pointer"),
        ] {
            let found = judged(check, Err(error));
            assert_eq!(found.severity, Severity::Error);
            assert!(found.message.contains(words), "{found:?}");
            assert!(found.remedy.as_deref().is_some_and(|text| text.contains(remedy)), "{found:?}");
        }
    }
}
