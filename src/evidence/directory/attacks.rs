//! What somebody else does to the folder, and that the next rollback neither covers it nor fails of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::tests::{at, blobs, findings, finished, folder, incident, written};
use super::*;
use crate::evidence::KnownFile;
use crate::incident::Trigger;

const NAME: &str = "rollback_20261104_030405";

fn known(evidence: &EvidenceDir) -> Vec<KnownFile> {
    let id = incident(1, "x", Trigger::Automatic).id;
    let files = evidence.files_of(id.as_str()).expect("read");
    files.into_iter().map(|file| KnownFile { owner: id.to_string(), file }).collect()
}

/// The next rollback's evidence, with what the database knows.
fn next(evidence: &EvidenceDir, known: &[KnownFile]) -> Recorded {
    let next = incident(2, "PgBouncerSaturation", Trigger::Automatic);
    evidence.write(&next, &blobs(), false, at(), known).expect("written")
}

fn broken_for_ever(evidence: &EvidenceDir) -> Vec<Finding> {
    let found = findings(evidence).into_iter();
    found
        .filter_map(|finding| if let Finding::FoundBroken { then, .. } = finding { Some(then) } else { None })
        .flatten()
        .collect()
}

#[test]
fn a_cut_manifest_stays_visible_after_the_next_rollback() {
    let (_folder, evidence) = written();
    let path = evidence.path().join("manifest.jsonl");
    let whole = fs::read_to_string(&path).expect("read");
    let cut: String = whole.split_inclusive('\n').take(2).collect();
    fs::write(&path, &cut).expect("cut");
    let recorded = next(&evidence, &[]);
    assert!(
        recorded.problems[0].contains("manifest.jsonl has 2 lines, its head says 7"),
        "{:?}",
        recorded.problems
    );
    for _ in 0..2 {
        assert_eq!(broken_for_ever(&evidence), [Finding::ManifestTruncated { expected: 7, found: 2 }]);
        assert_eq!(next(&evidence, &[]).problems, [] as [String; 0], "told once");
    }
    assert!(findings(&evidence).contains(&Finding::Unlisted { file: format!("{NAME}.txt") }));
    assert_eq!(fs::read_to_string(evidence.path().join("manifest.broken-1.jsonl")).expect("kept"), cut);
}

#[test]
fn an_emptied_folder_is_missing_what_the_database_knows_before_and_after_the_next_rollback() {
    let (_folder, evidence) = written();
    let known = known(&evidence);
    fs::remove_dir_all(evidence.path()).expect("emptied");
    let lost =
        |found: &[Finding]| found.iter().filter(|finding| matches!(finding, Finding::Lost { .. })).count();
    assert_eq!(lost(&evidence.verify(&known).expect("verified").findings), 5);
    assert!(next(&evidence, &known).problems[0].contains("MISSING: rollback_20261104_030405"));
    assert_eq!(lost(&broken_for_ever(&evidence)), 5);
    assert_eq!(lost(&evidence.verify(&known).expect("verified").findings), 0, "each is named once");
    assert_eq!(next(&evidence, &known).problems, [] as [String; 0]);
    let new =
        fs::read_to_string(evidence.path().join(format!("{NAME}_2.txt"))).expect("beside the lost name");
    assert!(new.contains("Reason: PgBouncerSaturation"), "{new}");
}

#[test]
fn a_manifest_cut_together_with_its_head_is_missing_what_the_database_knows() {
    let (_folder, evidence) = written();
    let known = known(&evidence);
    let path = evidence.path().join("manifest.jsonl");
    let whole = fs::read_to_string(&path).expect("read");
    fs::write(&path, whole.split_inclusive('\n').take(4).collect::<String>()).expect("cut");
    Manifest::read(evidence.path()).expect("read").write_head().expect("forged");
    assert!(
        evidence
            .verify(&known)
            .expect("verified")
            .findings
            .contains(&Finding::LineGone { file: format!("{NAME}.txt") })
    );
    next(&evidence, &known);
    assert!(broken_for_ever(&evidence).contains(&Finding::LineGone { file: format!("{NAME}.txt") }));
}

#[test]
fn a_file_whose_line_was_removed_is_not_called_changed_before_or_after_the_next_rollback() {
    // The text's only complete line, the last one; and the webhook's only line, in the middle.
    for (removed, file) in [(7, format!("{NAME}.txt")), (2, format!("{NAME}_webhook.json"))] {
        let (_folder, evidence) = written();
        let known = known(&evidence);
        let path = evidence.path().join("manifest.jsonl");
        let whole = fs::read_to_string(&path).expect("read");
        let lines = (1..).zip(whole.split_inclusive('\n')).filter(|(number, _)| *number != removed);
        fs::write(&path, lines.map(|(_, line)| line).collect::<String>()).expect("cut");
        let accused = |found: &[Finding]| {
            let accuses = |found: &&Finding| {
                matches!(found, Finding::Changed { .. } | Finding::Unlisted { .. } | Finding::Lost { .. })
            };
            found.iter().filter(accuses).count()
        };
        let gone = Finding::LineGone { file: file.clone() };
        let found = evidence.verify(&known).expect("verified").findings;
        assert!(found.contains(&gone) && accused(&found) == 0, "{found:?}");
        assert!(next(&evidence, &known).problems[0].contains(&gone.to_string()));
        let found = evidence.verify(&known).expect("verified").findings;
        assert!(broken_for_ever(&evidence).contains(&gone) && accused(&found) == 0, "{found:?}");
        assert!(!found.contains(&gone), "said once: {found:?}");
        fs::write(evidence.path().join(&file), "changed").expect("changed");
        let found = evidence.verify(&known).expect("verified").findings;
        assert!(found.contains(&Finding::Lost { file }) && accused(&found) == 2, "{found:?}");
    }
}

#[test]
fn one_damaged_manifest_line_keeps_no_later_evidence_from_being_written() {
    let (_folder, evidence) = written();
    let path = evidence.path().join("manifest.jsonl");
    let whole = fs::read_to_string(&path).expect("read");
    for (number, damaged) in
        [whole.replacen("\"bytes\":5", "\"bytes\":6", 1), whole.replacen("{\"at\"", "?", 1)]
            .into_iter()
            .enumerate()
    {
        fs::write(&path, &damaged).expect("damaged");
        let recorded = next(&evidence, &known(&evidence));
        assert!(recorded.problems[0].contains("line 1, was changed"), "{:?}", recorded.problems);
        assert!(broken_for_ever(&evidence).contains(&Finding::ManifestLineChanged { line: 1 }));
        let aside = evidence.path().join(format!("manifest.broken-{}.jsonl", number + 1));
        assert_eq!(fs::read_to_string(&aside).expect("kept"), damaged);
        let shown =
            evidence.show(&incident(2, "x", Trigger::Automatic).id.to_string(), false).expect("shown");
        assert!(shown.contains("PgBouncerSaturation"));
        fs::write(&aside, "rewritten").expect("written");
        assert!(
            findings(&evidence)
                .contains(&Finding::Changed { file: format!("manifest.broken-{}.jsonl", number + 1) })
        );
        fs::write(&aside, &damaged).expect("written");
    }
}

#[test]
fn what_was_written_before_a_break_is_completed_after_it_and_checked_on() {
    let (_folder, evidence) = folder();
    let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
    fs::remove_file(evidence.path().join("manifest.head")).expect("removed");
    evidence.write(&finished(first), &blobs(), true, at(), &[]).expect("completed");
    let found = findings(&evidence);
    assert!(
        matches!(found.as_slice(), [Finding::FoundBroken { then, .. }] if *then == [Finding::HeadChanged]),
        "{found:?}"
    );
    fs::write(evidence.path().join(format!("{NAME}_before.prom")), "up 0\n").expect("changed");
    let found = evidence.verify(&known(&evidence)).expect("verified").findings;
    assert!(found.contains(&Finding::Changed { file: format!("{NAME}_before.prom") }), "{found:?}");
    assert!(findings(&evidence).contains(&Finding::NotAsListed { file: format!("{NAME}_before.prom") }));
}

#[test]
fn a_file_a_link_or_a_folder_in_the_way_is_kept_and_not_written_through() {
    let (outside, evidence) = folder();
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").expect("written");
    fs::create_dir(evidence.path()).expect("made");
    let path = |name: &str| evidence.path().join(name);
    fs::write(path(&format!("{NAME}.txt")), "Triggered By: Manual (the boss)").expect("written");
    symlink(&victim, path(&format!("{NAME}.json"))).expect("linked");
    symlink(&victim, path(&format!(".{NAME}.txt.tmp"))).expect("linked");
    fs::create_dir(path(&format!("{NAME}_before.prom"))).expect("made");
    let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    let recorded = evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
    assert_eq!(recorded.problems.len(), 3, "{:?}", recorded.problems);
    assert_eq!(fs::read_to_string(&victim).expect("read"), "mine");
    assert_eq!(
        fs::read_to_string(path(&format!("{NAME}.txt.not-ours-1"))).expect("kept"),
        "Triggered By: Manual (the boss)"
    );
    let text = fs::read_to_string(path(&format!("{NAME}.txt"))).expect("read");
    assert!(text.contains("Triggered By: Automatic"), "{text}");
    let strange =
        findings(&evidence).into_iter().filter(|finding| matches!(finding, Finding::Unlisted { .. }));
    assert_eq!(strange.count(), 3);
}

#[test]
fn a_first_version_that_somebody_changed_is_kept_beside_the_complete_one() {
    let (_folder, evidence) = folder();
    let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
    fs::write(evidence.path().join(format!("{NAME}.txt")), "changed").expect("changed");
    let recorded = evidence.write(&finished(first), &blobs(), true, at(), &[]).expect("completed");
    assert!(recorded.problems[0].contains("was changed since"), "{:?}", recorded.problems);
    assert_eq!(findings(&evidence), [Finding::Unlisted { file: format!("{NAME}.txt.not-ours-1") }]);
}

#[test]
fn a_folder_of_other_peoples_files_stays_open_to_them() {
    let (_outside, evidence) = folder();
    fs::create_dir(evidence.path()).expect("made");
    fs::set_permissions(evidence.path(), fs::Permissions::from_mode(0o755)).expect("opened to all");
    fs::write(evidence.path().join("syslog"), "theirs").expect("written");
    let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
    assert_eq!(fs::metadata(evidence.path()).expect("there").permissions().mode() & 0o777, 0o755);
}

#[test]
fn files_and_folder_are_for_backstops_user_only_and_a_link_for_a_lock_is_not_followed() {
    let (outside, evidence) = folder();
    fs::create_dir(evidence.path()).expect("made");
    fs::set_permissions(evidence.path(), fs::Permissions::from_mode(0o755)).expect("opened to all");
    let lock = evidence.path().join("manifest.lock");
    fs::write(&lock, "").expect("written");
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o666)).expect("opened to all");
    let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
    evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(evidence.path()), 0o700);
    for entry in fs::read_dir(evidence.path()).expect("read") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").expect("written");
    fs::remove_file(&lock).expect("removed");
    symlink(&victim, &lock).expect("linked");
    evidence.write(&first, &blobs(), false, at(), &[]).expect_err("a link is no lock");
    assert_eq!(fs::read_to_string(&victim).expect("read"), "mine");
}

#[test]
fn a_file_whose_line_a_crash_left_out_is_taken_for_ours_and_an_unannounced_one_is_not() {
    for (announced, problems) in [(true, 0), (false, 1)] {
        let (_folder, evidence) = folder();
        let first = incident(1, "CanaryErrorRateCritical", Trigger::Automatic);
        private_folder(evidence.path()).expect("made");
        let file = EvidenceFile::new(format!("{NAME}_before.prom"), sha256(b"up 7\n"));
        if announced {
            Pending::announce(evidence.path(), first.id.as_str(), std::slice::from_ref(&file))
                .expect("announced");
        }
        fs::write(evidence.path().join(&file.name), "up 7\n").expect("written before the crash");
        let recorded = evidence.write(&first, &blobs(), false, at(), &[]).expect("written");
        assert_eq!(recorded.problems.len(), problems, "{:?}", recorded.problems);
    }
}

#[test]
fn what_can_not_be_read_is_not_helped_by_free_space() {
    let error = |doing, kind: std::io::ErrorKind| {
        EvidenceError::Io { path: "/evidence".into(), doing, source: kind.into() }.to_string()
    };
    for (doing, kind, remedy) in [
        ("read", std::io::ErrorKind::PermissionDenied, "readable"),
        ("read", std::io::ErrorKind::NotADirectory, "in its way"),
        ("read", std::io::ErrorKind::Other, "look at the disk"),
        ("created", std::io::ErrorKind::AlreadyExists, "in its way"),
        ("written", std::io::ErrorKind::StorageFull, "free space"),
        ("opened", std::io::ErrorKind::PermissionDenied, "writable"),
    ] {
        let said = error(doing, kind);
        assert!(said.contains(remedy), "{said}");
        assert_eq!(said.contains("free space"), matches!(doing, "written" | "opened"), "{said}");
    }
}

#[test]
fn a_changed_file_of_an_earlier_rollback_is_for_verify_to_find_and_a_broken_record_for_the_next_writing() {
    let (_folder, evidence) = written();
    let known = known(&evidence);
    fs::write(evidence.path().join(format!("{NAME}.txt")), "changed").expect("changed");
    assert_eq!(next(&evidence, &known).problems, [] as [String; 0], "README and runbook say so");
    assert_eq!(findings(&evidence), [Finding::Changed { file: format!("{NAME}.txt") }]);
}
