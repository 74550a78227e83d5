//! Whether what was done is on record as it was: the verification's checks, and the evidence.

use anyhow::ensure;

use super::timeline::Timeline;
use crate::demo::served::Served;
use crate::evidence::EvidenceDir;
use crate::incident::{Severity, Verdict};
use crate::text::shown;
use crate::web::IncidentView;

/// Shows what was read back and which evidence there is, all of it verified.
pub(super) fn recorded(
    served: &Served,
    timeline: &Timeline,
    done: &IncidentView,
    stage: &str,
) -> anyhow::Result<()> {
    let verdict = done.verification.as_ref().map(|verification| verification.verdict);
    let words = verdict.map_or("there is no verdict", Verdict::sentence);
    ensure!(verdict == Some(Verdict::Verified), "the rollback is not verified: {words}");
    for check in done.verification.iter().flat_map(|verification| &verification.checks) {
        timeline.say(&format!(
            "  read back: {}: {}: {}",
            check.name.words(),
            check.outcome.words(),
            shown(&check.detail)
        ));
    }
    let report = EvidenceDir::new(served.evidence.clone()).verify(&[])?;
    ensure!(report.files > 0, "there is no evidence");
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    ensure!(report.is_clean(), "the evidence is not as it was written: {}", findings.join("; "));
    for file in done.evidence.iter().filter(|file| file.name.ends_with(".txt")) {
        names_the_critical(&std::fs::read_to_string(served.evidence.join(&file.name))?, done, stage)?;
        timeline.say(&format!("evidence, verified: {}", served.evidence.join(&file.name).display()));
    }
    Ok(())
}

/// The protocol's four lines have to name what acted: a warning may have opened the grace first, but
/// it was the critical that rolled the canary back.
fn names_the_critical(evidence: &str, done: &IncidentView, expected_stage: &str) -> anyhow::Result<()> {
    let lines: Vec<_> = evidence.lines().take(4).collect();
    let critical = done.alerts.iter().map(|attached| &attached.alert);
    let critical = critical.filter(|alert| alert.severity() == Severity::Critical);
    let reasons: Vec<_> = critical.map(|alert| format!("Reason: {}", alert.name())).collect();
    let [executed, stage, reason, triggered] = lines.as_slice() else {
        anyhow::bail!("the evidence has no four lines: {evidence}")
    };
    ensure!(executed.starts_with("Rollback Executed: "), "the evidence begins with {executed}");
    ensure!(*stage == expected_stage, "the evidence says {stage}, and it was {expected_stage}");
    ensure!(
        reasons.iter().any(|expected| expected == reason),
        "the evidence says {reason}, not {}",
        reasons.join(" or ")
    );
    ensure!(*triggered == "Triggered By: Automatic", "the evidence says {triggered}");
    Ok(())
}
