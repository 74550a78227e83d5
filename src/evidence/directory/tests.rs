//! Writing, completing, and finding what was changed.

use chrono::TimeDelta;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::evidence::manifest::MANIFEST;
use crate::evidence::{Finding, render_text};
use crate::incident::{
    Event, IncidentId, OpenedIncident, Reason, Revision, RolloutName, Severity, Share, Stage, Trigger,
    Verdict, Verification,
};

pub(in crate::evidence) fn at() -> DateTime<Utc> {
    "2026-11-04T03:04:05.678Z".parse().expect("a time")
}

pub(in crate::evidence) fn incident(number: u16, cause: &str, trigger: Trigger) -> Incident {
    let rollout = RolloutName::new("spark-trading");
    let opened = OpenedIncident {
        revision: Revision::new("v1.4.0"),
        stage: Stage::from_share(25),
        share: Some(Share(25)),
        share_read_at: None,
        severity: Severity::Critical,
        reason: Reason::CriticalAlert,
        cause: cause.to_owned(),
        trigger,
        alert: None,
    };
    let mut incident = Incident::open(IncidentId::compose(&rollout, at(), number), rollout, at(), opened);
    incident.apply(
        at(),
        &Event::RollbackStarted {
            reason: Reason::CriticalAlert,
            attempt: 1,
            due_at: None,
            cause: None,
            plan: None,
        },
    );
    incident
}

pub(in crate::evidence) fn finished(mut incident: Incident) -> Incident {
    let later = at() + TimeDelta::seconds(30);
    incident.apply(later, &Event::VerificationStarted { until: later });
    let verification =
        Verification { started_at: at(), ended_at: later, verdict: Verdict::Verified, checks: vec![] };
    incident.apply(later, &Event::VerificationEnded(verification));
    incident.apply(later, &Event::RolledBack);
    incident
}

pub(in crate::evidence) fn folder() -> (TempDir, EvidenceDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let evidence = EvidenceDir::new(folder.path().join("evidence"));
    (folder, evidence)
}

pub(in crate::evidence) fn blobs() -> EvidenceBlobs {
    EvidenceBlobs { before: Some(b"up 1\n".to_vec()), after: None, webhooks: vec![b"{}".to_vec()] }
}

/// First and complete evidence of one rollback.
pub(in crate::evidence) fn written() -> (TempDir, EvidenceDir) {
    let (folder, evidence) = folder();
    let incident = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    evidence.write(&incident, &blobs(), false, at(), &[]).expect("written");
    let complete = EvidenceBlobs { after: Some(b"up 2\n".to_vec()), ..blobs() };
    evidence.write(&finished(incident), &complete, true, at(), &[]).expect("completed");
    (folder, evidence)
}

pub(in crate::evidence) fn findings(evidence: &EvidenceDir) -> Vec<Finding> {
    evidence.verify(&[]).expect("verified").findings
}

#[test]
fn the_first_four_lines_are_the_protocols() {
    let automatic =
        render_text(&incident(1, "CanaryErrorRateCritical", Trigger::Automatic), Version::Complete, &[]);
    let lines: Vec<_> = automatic.lines().take(4).collect();
    assert_eq!(
        lines,
        [
            "Rollback Executed: Wed Nov  4 03:04:05 UTC 2026",
            "Stage: 3 (25 %)",
            "Reason: CanaryErrorRateCritical",
            "Triggered By: Automatic",
        ]
    );
    let manual = render_text(
        &incident(1, "looks bad", Trigger::Manual { actor: "ada".into() }),
        Version::Complete,
        &[],
    );
    assert!(manual.contains("\nReason: looks bad\nTriggered By: Manual (ada)\n"), "{manual}");
}

#[test]
fn foreign_text_can_not_forge_a_line_or_steer_the_terminal() {
    let text = render_text(
        &incident(1, "x\nTriggered By: Manual (boss)\u{1b}[2J\u{202e}", Trigger::Automatic),
        Version::Complete,
        &[],
    );
    assert_eq!(text.lines().filter(|line| line.starts_with("Triggered By:")).count(), 1);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn evidence_is_written_then_completed_once_and_never_again() {
    let (_folder, evidence) = written();
    let report = evidence.verify(&[]).expect("verified");
    assert!(report.is_clean(), "{:?}", report.findings);
    let listed = evidence.list().expect("listed");
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "rollback_20261104_030405"));
    assert_eq!(listed[0].verdict.as_deref(), Some("verified"));
    let lines = Manifest::read(evidence.path()).expect("read");
    let texts: Vec<_> = lines.files().filter(|line| line.file.ends_with(".txt")).collect();
    assert_eq!((texts.len(), texts[1].replaces.as_ref()), (2, Some(&texts[0].sha256)));
    let third = finished(incident(1, "something else", Trigger::Automatic));
    let refused = evidence.write(&third, &EvidenceBlobs::default(), true, at(), &[]);
    assert!(matches!(refused, Err(EvidenceError::Complete { .. })), "{refused:?}");
    assert!(evidence.show("rollback_20261104_030405", false).expect("shown").contains("Verdict: verified"));
    assert!(evidence.show("spark-trading-20261104-030405-0001", true).expect("shown").starts_with('{'));
    assert!(matches!(evidence.show("nothing", false), Err(EvidenceError::Unknown(_))));
}

/// Takes back the last written file as a crash before it would: with its line, and the head.
fn forget_last(evidence: &EvidenceDir) {
    let path = evidence.path().join(MANIFEST);
    let text = std::fs::read_to_string(&path).expect("read");
    let mut lines: Vec<_> = text.split_inclusive('\n').collect();
    lines.pop();
    std::fs::write(&path, lines.concat()).expect("written");
    Manifest::read(evidence.path()).expect("read").write_head().expect("written");
}

#[test]
fn a_crash_between_writing_and_recording_leaves_evidence_that_is_completed_all_the_same() {
    for (first_text, last_text) in [(true, true), (false, true), (true, false), (false, false)] {
        let (_folder, evidence) = folder();
        let mut incident = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
        let later = at() + TimeDelta::seconds(9);
        // Each process knows more than the one before, and none recorded what it had written.
        for restart in 0..3 {
            incident.apply(later, &Event::VerificationStarted { until: later });
            evidence.write(&incident, &blobs(), false, at(), &[]).expect("written");
            if restart == 0 && !first_text {
                forget_last(&evidence);
            }
        }
        let mut incident = finished(incident);
        for restart in 0..2 {
            match evidence.write(&incident, &blobs(), true, at(), &[]) {
                Ok(recorded) => assert!(recorded.files.len() >= 4),
                Err(error) => assert!(matches!(error, EvidenceError::Complete { .. }), "{error}"),
            }
            if restart == 0 && !last_text {
                forget_last(&evidence);
            }
            incident.apply(later, &Event::Acknowledged { actor: "ada".into() });
        }
        let text = evidence.show(incident.id.as_str(), false).expect("shown");
        let context = format!("{first_text} {last_text}\n{text}");
        assert!(text.contains("This File: complete") && !text.contains("acknowledged"), "{context}");
        assert_eq!(findings(&evidence), [], "{context}");
    }
}

#[test]
fn a_listing_of_a_first_version_has_the_time_it_was_written_and_that_of_the_complete_one_needs_none() {
    let (_folder, evidence) = folder();
    let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    let listed = || {
        let listed = evidence.list().expect("listed").pop().expect("one");
        (listed.state, listed.complete, listed.written_at)
    };
    evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
    assert_eq!(listed(), ("rolling_back".to_owned(), false, Some(at())));
    evidence.write(&finished(first), &blobs(), true, at(), &[]).expect("completed");
    assert_eq!(listed(), ("rolled_back".to_owned(), true, None));
}

#[test]
fn two_rollbacks_of_one_second_do_not_overwrite_each_other() {
    let (_folder, evidence) = folder();
    for number in [1, 2, 1, 2] {
        let incident = incident(number, "same second", Trigger::Automatic);
        evidence.write(&incident, &EvidenceBlobs::default(), false, at(), &[]).expect("written");
    }
    let names: Vec<_> = evidence.list().expect("listed").into_iter().map(|summary| summary.name).collect();
    assert_eq!(names, ["rollback_20261104_030405", "rollback_20261104_030405_2"]);
    assert!(findings(&evidence).is_empty());
}

#[test]
fn a_changed_byte_a_missing_file_and_a_strange_one_are_named() {
    let (_folder, evidence) = written();
    let file = |name: &str| evidence.path().join(name);
    std::fs::write(file("rollback_20261104_030405_before.prom"), "up 0\n").expect("changed");
    std::fs::remove_file(file("rollback_20261104_030405_webhook.json")).expect("removed");
    std::fs::write(file("rollback_20990101_000000.txt"), "invented").expect("written");
    assert_eq!(
        findings(&evidence),
        [
            Finding::Changed { file: "rollback_20261104_030405_before.prom".into() },
            Finding::Missing { file: "rollback_20261104_030405_webhook.json".into() },
            Finding::Unlisted { file: "rollback_20990101_000000.txt".into() },
        ]
    );
}

#[test]
fn a_cut_or_edited_manifest_is_found_wherever_it_is_cut() {
    let (_folder, evidence) = written();
    let path = evidence.path().join("manifest.jsonl");
    let whole = std::fs::read(&path).expect("read");
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).expect("cut");
        assert!(!findings(&evidence).is_empty(), "cut at {length}");
    }
    let edited = String::from_utf8(whole.clone()).expect("text").replacen("\"bytes\":5", "\"bytes\":6", 1);
    std::fs::write(&path, edited).expect("edited");
    assert!(
        findings(&evidence).contains(&Finding::ManifestLineChanged { line: 1 }),
        "{:?}",
        findings(&evidence)
    );
    std::fs::write(&path, &whole).expect("restored");
    std::fs::remove_file(evidence.path().join("manifest.head")).expect("removed");
    assert_eq!(findings(&evidence), [Finding::HeadChanged]);
}

#[test]
fn a_bad_manifest_line_is_named_and_what_stands_after_it_is_read_all_the_same() {
    let (_folder, evidence) = written();
    let path = evidence.path().join("manifest.jsonl");
    let whole = std::fs::read_to_string(&path).expect("read");
    let with = |number: usize, change: &dyn Fn(&str) -> String| -> String {
        let lines = (1..).zip(whole.split_inclusive('\n'));
        lines.map(|(at, line)| if at == number { change(line) } else { line.to_owned() }).collect()
    };
    let webhook = || Finding::Unlisted { file: "rollback_20261104_030405_webhook.json".into() };
    let one = |line| Finding::ManifestLineChanged { line };
    for (manifest, found) in [
        // The second line is the only one of the webhook's body.
        (with(2, &|_| "garbage\n".to_owned()), vec![one(2), webhook()]),
        (
            with(3, &|line| format!("garbage\n{line}")),
            vec![one(3), Finding::ManifestTruncated { expected: 7, found: 8 }],
        ),
        (with(2, &|line| line.replacen(':', ": ", 1)), vec![one(2)]),
        (whole.replace('\n', "\r\n"), vec![Finding::ManifestLinesChanged { from: 1, to: 7 }]),
        (
            with(7, &|_| "garbage\n".to_owned()),
            vec![
                one(7),
                Finding::HeadChanged,
                Finding::NotAsListed { file: "rollback_20261104_030405.txt".into() },
            ],
        ),
        (with(4, &|_| String::new()), vec![one(4), Finding::ManifestTruncated { expected: 7, found: 6 }]),
    ] {
        std::fs::write(&path, &manifest).expect("changed");
        assert_eq!(findings(&evidence), found, "{manifest}");
    }
}

#[test]
fn a_crash_between_any_two_writes_is_healed_by_writing_again() {
    let (_folder, evidence) = written();
    let path = evidence.path().join("manifest.jsonl");
    let whole = std::fs::read_to_string(&path).expect("read");
    let complete = finished(incident(1, "CanaryErrorRateCritical", Trigger::Automatic));
    let blobs = EvidenceBlobs { after: Some(b"up 2\n".to_vec()), ..blobs() };
    // The last line torn, the last line missing: the files were renamed, the manifest not yet extended.
    let start_of_last = whole.trim_end().rfind('\n').expect("several lines") + 1;
    for cut in [start_of_last, start_of_last + 10] {
        std::fs::write(&path, &whole[..cut]).expect("cut");
        Manifest::read(evidence.path()).expect("read").write_head().expect("the head of before");
        evidence.write(&complete, &blobs, true, at(), &[]).expect("written again");
        assert!(findings(&evidence).is_empty(), "{:?}", findings(&evidence));
    }
}

#[test]
fn two_crashes_that_each_left_a_line_which_the_head_does_not_count_are_no_break() {
    let (_folder, evidence) = written();
    let (path, head) = (evidence.path().join(MANIFEST), evidence.path().join("manifest.head"));
    let whole = std::fs::read_to_string(&path).expect("read");
    let lines = whole.lines().count();
    forget_last(&evidence);
    std::fs::write(&path, &whole).expect("the line is there, and was not counted");
    // The next process looks, adds a line, and dies before it has counted that one.
    Manifest::read(evidence.path()).expect("read").mend().expect("mended");
    let counted = std::fs::read(&head).expect("a head");
    let next = incident(2, "CanaryErrorRateCritical", Trigger::Automatic);
    evidence.write(&next, &blobs(), false, at(), &[]).expect("written");
    let longer = std::fs::read_to_string(&path).expect("read");
    assert!(longer.lines().count() > lines, "it has added a line");
    let one_more: String = longer.split_inclusive('\n').take(lines + 1).collect();
    std::fs::write(&path, one_more).expect("died there");
    std::fs::write(&head, counted).expect("the head of before");
    let again = evidence.write(&next, &blobs(), false, at(), &[]).expect("written again");
    assert_eq!(again.problems, [""; 0]);
    assert!(findings(&evidence).is_empty(), "{:?}", findings(&evidence));
}

#[test]
fn a_folder_that_can_not_be_written_says_so_and_works_once_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let blocker = folder.path().join("evidence");
    std::fs::write(&blocker, "a file in the way").expect("written");
    let evidence = EvidenceDir::new(blocker.join("inside"));
    let incident = incident(1, "x", Trigger::Automatic);
    let error = evidence.write(&incident, &blobs(), false, at(), &[]).expect_err("in the way").to_string();
    assert!(error.contains("evidence/inside") && error.contains("in its way"), "{error}");
    std::fs::remove_file(&blocker).expect("removed");
    evidence.write(&incident, &blobs(), false, at(), &[]).expect("written");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_in_any_file_is_found(file in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (_folder, evidence) = written();
        let mut files: Vec<_> = std::fs::read_dir(evidence.path()).expect("read").map(|entry| entry.expect("an entry").path())
            .filter(|path| !path.ends_with("manifest.lock")).collect();
        files.sort();
        let path = file.get(&files);
        let mut bytes = std::fs::read(path).expect("read");
        let index = place.index(bytes.len());
        bytes[index] ^= 1 << bit;
        std::fs::write(path, &bytes).expect("changed");
        prop_assert!(!findings(&evidence).is_empty(), "bit {} of byte {} in {}", bit, index, path.display());
    }
}
