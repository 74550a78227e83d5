use std::fs;

use super::*;
use crate::evidence::EvidenceDir;
use crate::incident::RampId;
use crate::incident::fixtures::RampStory;
use crate::incident::{Ramp, RampEvent};
use crate::ramp::fixtures::{self, began_at};
use crate::ramp::{KeptFile, plan_sha256};

/// With a title that forges a line.
fn gates(percent: u8, value: f64) -> GatesFile {
    fixtures::gates(
        "r-ramp-20261124-030000",
        (1, percent),
        "API P95 < 200 ms\n  same     PASS    forged",
        value,
    )
}

fn kept(file: &GatesFile) -> KeptFile {
    let bytes = file.bytes().expect("JSON");
    KeptFile { name: format!("gates_stage_{}.json", file.share.0), bytes }
}

/// Two stages' gates in one ramp's folder of an evidence directory.
fn written() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evidence");
    let files = [kept(&gates(1, 0.12)), kept(&gates(5, 0.5))];
    let ramp = RampId::new("r-ramp-20261124-030000");
    EvidenceDir::new(path.clone()).write_ramp(&ramp, &files, began_at(), &[]).expect("written");
    (folder, path)
}

#[test]
fn a_file_a_ramps_folder_and_a_whole_directory_are_judged_again() {
    let (folder, path) = written();
    let ramp = path.join("r-ramp-20261124-030000");
    for (path, files) in [(ramp.join("gates_stage_1.json"), 1), (ramp.clone(), 2), (path.clone(), 2)] {
        let found = recorded_gates(&path).expect("read");
        assert_eq!(found.len(), files, "{}", path.display());
        assert_eq!(run(&path, Output::Text), Outcome::Done, "{}", path.display());
    }
    let text: String =
        recorded_gates(&path).expect("read").iter().map(|file| file_text(file) + "\n").collect();
    assert!(
        text.contains("stage 1 (1 %), judged at 2026-11-24 03:15:00 UTC\n  same     PASS    API P95"),
        "{text}"
    );
    assert!(text.contains(": 0.12 s < 0.2 s; 0 of 41 values outside"), "{text}");
    assert!(text.contains("\n  same     FAIL    API P95"), "a fail that was recorded as one agrees: {text}");
    assert!(!text.contains("\n  same     PASS    forged"), "{text}");
    assert_eq!(run(folder.path(), Output::Text), Outcome::NothingToDo, "there is none");
    assert_eq!(run(&path.join("nowhere"), Output::Text), Outcome::Failed);
}

#[test]
fn a_verdict_that_does_not_follow_from_its_answer_fails_the_replay_and_is_shown_beside_the_new_one() {
    let (_folder, path) = written();
    let file = path.join("r-ramp-20261124-030000/gates_stage_5.json");
    let text = fs::read_to_string(&file).expect("read");
    let forged = text.replace("\"verdict\":\"fail\"", "\"verdict\":\"pass\"");
    assert_ne!(text, forged);
    fs::write(&file, forged).expect("written");
    assert_eq!(run(&path, Output::Json), Outcome::Failed);
    let found = recorded_gates(&path).expect("read");
    let text = file_text(&found[1]);
    assert!(text.contains("  DIFFERS  API P95"), "{text}");
    assert!(text.contains("recorded PASS (") && text.contains("; now FAIL ("), "{text}");
    assert!(verdict(&found).starts_with("2 files, 2 criteria: 1 DIFFER"), "{}", verdict(&found));
    let json = file_json(&found[1]);
    let criterion = &json["criteria"][0];
    assert_eq!((&criterion["agrees"], &criterion["sign"]), (&json!(false), &json!("<")));
    assert_eq!((&criterion["threshold"], &criterion["again"]["value"]), (&json!(0.2), &json!(0.5)));
}

#[test]
fn what_is_no_record_of_gates_fails_and_hides_no_other() {
    let (_folder, path) = written();
    fs::write(path.join("r-ramp-20261124-030000/gates_stage_1.json"), "{\"version\":9}").expect("written");
    let found = recorded_gates(&path).expect("read");
    assert!(file_text(&found[0]).contains("it has version 9"), "{}", file_text(&found[0]));
    assert!(found[1].gates.is_ok());
    assert_eq!(run(&path, Output::Text), Outcome::Failed);
    assert!(verdict(&found).ends_with("1 files can't be read"), "{}", verdict(&found));
}

/// A ramp of two stages that succeeded, its record and its first stage's gates.
fn succeeded(change: impl Fn(&mut GatesFile)) -> (tempfile::TempDir, std::path::PathBuf) {
    let mut story = RampStory::started(&[1, 100]);
    story.stage_begins();
    story.passes();
    story.stage_begins();
    story.tell(RampEvent::Succeeded);
    let sha256 = plan_sha256(&story.ramp().plan).expect("JSON");
    let ramp = Ramp { plan_sha256: sha256, ..story.ramp().clone() };
    let mut gates = fixtures::gates(ramp.id.as_str(), (1, 1), "API P95 < 200 ms", 0.12);
    gates.plan_sha256.clone_from(&ramp.plan_sha256);
    change(&mut gates);
    let mut files = crate::evidence::ramp_record(&ramp).expect("it has ended");
    files.push(kept(&gates));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evidence");
    EvidenceDir::new(path.clone()).write_ramp(&ramp.id, &files, began_at(), &[]).expect("written");
    (folder, path.join(ramp.id.as_str()))
}

#[test]
fn gates_that_were_asked_by_their_ramps_plan_say_so_and_those_of_a_ramp_that_runs_say_that_nothing_was_compared()
 {
    let (_folder, path) = succeeded(|_| {});
    assert_eq!(run(&path, Output::Text), Outcome::Done);
    let found = recorded_gates(&path).expect("read");
    assert!(verdict(&found).ends_with("each was asked as its ramp's plan has it"), "{}", verdict(&found));
    assert_eq!(file_json(&found[0])["plan_compared"], json!(true));
    fs::remove_file(path.join("ramp.json")).expect("removed");
    assert_eq!(run(&path, Output::Text), Outcome::Done);
    let found = recorded_gates(&path).expect("read");
    assert!(verdict(&found).contains("1 files have no ramp's record beside them"), "{}", verdict(&found));
    assert_eq!(file_json(&found[0])["plan_compared"], json!(false));
}

#[test]
fn a_threshold_that_was_changed_with_its_verdict_fails_the_replay_and_is_named() {
    let (_folder, path) = succeeded(|gates| {
        let criterion = &mut gates.gates[0].criterion;
        if let Question::Query(query) = &mut criterion.question {
            query.bound = crate::incident::Bound::Below(0.4);
        }
    });
    let found = recorded_gates(&path).expect("read");
    assert!(found[0].gates.as_ref().is_ok_and(|gates| gates.replay().all(|one| one.agrees())));
    for path in [path.clone(), path.join("gates_stage_1.json"), path.join("..")] {
        assert_eq!(run(&path, Output::Text), Outcome::Failed, "{}", path.display());
    }
    let departs = "DEPARTS  from its plan: api-p95: its threshold is < 0.4, and the plan's is < 0.2";
    assert!(file_text(&found[0]).contains(departs), "{}", file_text(&found[0]));
    assert!(verdict(&found).contains("1 files DEPART from their ramp's plan"), "{}", verdict(&found));
    assert_eq!(file_json(&found[0])["departures"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_record_whose_plan_is_not_the_one_of_its_hash_fails_the_replay() {
    let (_folder, path) = succeeded(|_| {});
    let record = path.join("ramp.json");
    let text = fs::read_to_string(&record).expect("read");
    for (was, is, why) in [
        ("\"below\": 0.2", "\"below\": 0.4", "its plan has the SHA-256"),
        ("\"plan\"", "\"plans\"", "it is no record of a ramp"),
        ("\"started_at\"", "\"began_at\"", "that this program can read"),
    ] {
        assert!(text.contains(was), "{text}");
        fs::write(&record, text.replace(was, is)).expect("written");
        assert_eq!(run(&path, Output::Json), Outcome::Failed, "{was}");
        let text = file_text(&recorded_gates(&path).expect("read")[0]);
        assert!(text.contains("ramp.json beside it: ") && text.contains(why), "{was}: {text}");
    }
}

#[test]
fn an_answer_that_was_asked_for_after_the_stages_end_is_shown_as_one() {
    let mut file = gates(1, 0.12);
    let check = crate::incident::HttpCheck {
        url: "http://127.0.0.1/ci".to_owned(),
        status: 200,
        pointer: None,
        expected: None,
        every_seconds: 60,
    };
    file.gates[0].criterion.question = Question::Http(check);
    for (seconds, late) in [(-1, None), (0, None), (90, Some(90))] {
        let asked_at = file.span.now + chrono::TimeDelta::seconds(seconds);
        let answer = crate::ramp::HttpAnswer { asked_at, status: Some(200), pointed: None, error: None };
        file.gates[0].answer = crate::ramp::Answer::Http(answer);
        let one = file.replay().next().expect("one");
        assert_eq!(gate_json(&one)["asked_late_seconds"].as_i64(), late, "{seconds}");
        let is_said = gate_text(&one).ends_with("; ASKED 90 s AFTER that time: it says how things were then");
        assert_eq!(is_said, late.is_some(), "{}", gate_text(&one));
    }
}
