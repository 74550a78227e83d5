//! What is listed and verified where not everything can be read.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::evidence::EvidenceBlobs;
use crate::incident::fixtures::opened_by_warning;
use crate::incident::{Event, Incident, IncidentId, Reason, RolloutName};

fn summary(text: &str) -> EvidenceSummary {
    EvidenceSummary {
        name: text.to_owned(),
        incident: text.to_owned(),
        rollout: text.to_owned(),
        executed_at: SystemClock.now(),
        reason: text.to_owned(),
        state: text.to_owned(),
        complete: true,
        written_at: None,
        verdict: Some(text.to_owned()),
    }
}

#[test]
fn evidence_that_is_not_complete_is_listed_with_the_time_of_its_state() {
    let at = "2026-11-04T03:04:05Z".parse().ok();
    let first = EvidenceSummary { complete: false, written_at: at, verdict: None, ..summary("x") };
    assert_eq!(summary_text(&first, None), "x  x  x as of 2026-11-04 03:04:05 UTC  no verdict then  x");
    let undated = EvidenceSummary { written_at: None, ..first };
    assert!(summary_text(&undated, None).contains("x as it was written  no verdict then"));
    assert_eq!(summary_text(&EvidenceSummary { complete: true, ..undated }, None), "x  x  x  -  x");
}

#[test]
fn what_is_listed_is_one_line_whatever_alerts_are_named() {
    let text = summary_text(&summary("x\nrollback_20990101_000000  forged\u{1b}[2J\u{202e}"), None);
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text}");
}

#[test]
fn a_snapshot_is_listed_as_what_it_is_and_told_from_a_ramp_by_its_member() {
    let snapshot = SnapshotSummary {
        snapshot: "spark-snapshot-20261104-030405".to_owned(),
        taken_at: SystemClock.now(),
        revision: None,
        stages: vec![25],
    };
    let listed = Listed::Snapshot(snapshot.clone());
    assert_eq!(listed_text(&listed, None), "spark-snapshot-20261104-030405  -  snapshot  stage: 25 %");
    let json = serde_json::to_value(&listed).expect("JSON");
    assert_eq!((json["snapshot"].as_str(), json.get("ramp")), (Some(snapshot.snapshot.as_str()), None));
    let forged = SnapshotSummary { revision: Some("v1\nforged".to_owned()), ..snapshot };
    assert_eq!(listed_text(&Listed::Snapshot(forged), None).lines().count(), 1);
}

/// Two folders and the place of a database, none of which is there yet.
fn site() -> (TempDir, Places) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let places = Places {
        directory: EvidenceDir::new(at("evidence")),
        fallback: Some(EvidenceDir::new(at("fallback"))),
        database: Some(at("backstop.db")),
    };
    (folder, places)
}

/// Writes a rollback's evidence; returns the incident's id.
fn write(dir: &EvidenceDir) -> String {
    let (rollout, now) = (RolloutName::new("r"), SystemClock.now());
    let mut incident =
        Incident::open(IncidentId::compose(&rollout, now, 1), rollout, now, opened_by_warning("x"));
    let begun =
        Event::RollbackStarted { reason: Reason::Manual, attempt: 1, due_at: None, cause: None, plan: None };
    incident.apply(now, &begun);
    dir.write(&incident, &EvidenceBlobs::default(), false, now, &[]).expect("written");
    incident.id.to_string()
}

fn with_database(places: &Places) {
    let path = places.database.as_deref().expect("a place");
    drop(store::SqliteStore::open(path).expect("opened"));
    // Its threads end a moment later, and write the log into the database as they close it.
    let log = path.with_extension("db-wal");
    for _ in 0..1_000 {
        if !log.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{} is still open", path.display());
}

#[test]
fn a_folder_that_can_not_be_read_does_not_hide_the_other_and_is_named() {
    for broken_is_fallback in [false, true] {
        let (_folder, places) = site();
        with_database(&places);
        let fallback = places.fallback.as_ref().expect("one");
        let (broken, whole) = match broken_is_fallback {
            true => (fallback, &places.directory),
            false => (&places.directory, fallback),
        };
        fs::write(broken.path(), "a file in the way").expect("written");
        let id = write(whole);
        let looked = places.look(EvidenceDir::list);
        assert_eq!((looked.read.len(), looked.read[0].1.len()), (1, 1));
        let said = looked.failed[0].in_full();
        assert!(said.contains(&format!("{} can't be read; move", broken.path().display())), "{said}");
        assert_eq!(list(&places, Output::Text), Outcome::Failed, "no whole answer");
        assert_eq!(show(&places, &id, Output::Text), Outcome::Done);
        assert_eq!(show(&places, "another", Output::Text), Outcome::Failed);
        assert_eq!(verify(&places, Output::Text), Outcome::Failed);
        let asked = Asked::database(places.database.as_deref());
        let json = reports_json(&places.look(|dir| dir.verify(&[])), &asked);
        assert_eq!((json["files"].as_u64(), json["unreadable"].as_array().map(Vec::len)), (Some(2), Some(1)));
    }
}

#[test]
fn verify_does_not_end_well_where_the_database_could_not_be_asked() {
    let (_folder, places) = site();
    assert_eq!(verify(&places, Output::Text), Outcome::NothingToDo, "nothing was ever written");
    write(&places.directory);
    assert_eq!(verify(&places, Output::Text), Outcome::Failed, "there is no database");
    with_database(&places);
    assert_eq!(verify(&places, Output::Text), Outcome::Done);
    let database = places.database.as_deref().expect("a place");
    fs::write(database, "no database, whatever its name says").expect("written");
    assert_eq!(verify(&places, Output::Text), Outcome::Failed);
    let asked = Asked::database(Some(database));
    let text = report_text(&places.directory, &places.directory.verify(&[]).expect("verified"), &asked);
    assert!(text.contains("manifest lines: every file is as the manifest lists it\n"), "{text}");
    assert!(asked.said.starts_with("THE DATABASE COULD NOT BE ASKED"), "{}", asked.said);
}

#[test]
fn a_folder_that_is_not_there_is_not_called_an_empty_one() {
    let (folder, _) = site();
    let directory = EvidenceDir::new(folder.path().join("mistyped"));
    let places = Places { directory, fallback: None, database: None };
    let asked = Asked::database(None);
    let said = || report_text(&places.directory, &places.directory.verify(&[]).expect("verified"), &asked);
    assert!(said().ends_with("mistyped: there is no such folder"), "{}", said());
    assert_eq!(verify(&places, Output::Text), Outcome::Failed);
    fs::create_dir(places.directory.path()).expect("made");
    assert!(said().contains("mistyped: 0 files, 0 manifest lines: there is nothing"), "{}", said());
    assert_eq!(verify(&places, Output::Text), Outcome::NothingToDo);
}
