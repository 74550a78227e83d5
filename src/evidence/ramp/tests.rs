//! A ramp's folder: written once, whole after any crash, and no change of it stays hidden.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;
use crate::evidence::directory::tests::{at, blobs, findings, folder, incident};
use crate::evidence::{Finding, KnownFile};
use crate::incident::fixtures::RampStory;
use crate::incident::{IncidentId, RampEvent, Revision, Share, Trigger};
use crate::ramp::StageSpan;

fn id() -> RampId {
    RampStory::started(&[1]).ramp().id.clone()
}

fn kept(name: &str, bytes: &str) -> KeptFile {
    KeptFile { name: name.to_owned(), bytes: bytes.as_bytes().to_vec() }
}

fn gates(percent: u8) -> KeptFile {
    let span = StageSpan::new(at(), at(), 900);
    let about = (id(), Revision::new("v1.4.0"), "ab".repeat(32));
    let file = GatesFile::new(about, (1, Share(percent)), span, Vec::new());
    KeptFile { name: format!("gates_stage_{percent}.json"), bytes: file.bytes().expect("JSON") }
}

/// What a stage is left with, as it is read by this try.
fn stage(percent: u8, again: &str) -> Vec<KeptFile> {
    vec![
        kept(&format!("rollout_stage_{percent}.txt"), &format!("up 1\n# {percent} {again}")),
        kept(&format!("contract_spot_stage_{percent}.txt"), again),
        gates(percent),
    ]
}

/// A ramp of two stages that were both begun, and that this has ended.
fn ended(by: RampEvent) -> Ramp {
    let written = |stage, percent| RampEvent::EvidenceWritten {
        stage: Some(stage),
        files: vec![EvidenceFile::new(format!("{}/rollout_stage_{percent}.txt", id()), "cd".repeat(32))],
        problems: vec!["grafana_screenshot_5.png is not kept: no renderer".to_owned()],
    };
    let mut story = RampStory::started(&[5, 100]);
    let told = [
        RampEvent::StageBegan { stage: 0 },
        RampEvent::StagePassed { stage: 0, judgements: Vec::new() },
        written(0, 5),
        RampEvent::NextStage { stage: 1, share: Share(100) },
        RampEvent::StageBegan { stage: 1 },
        written(1, 100),
        by,
    ];
    for happened in told {
        story.wait(60);
        story.tell(happened);
    }
    story.ramp().clone()
}

fn write(evidence: &EvidenceDir, files: &[KeptFile]) -> Recorded {
    evidence.write_ramp(&id(), files, at(), &[]).expect("written")
}

/// Both stages of a ramp and its record.
fn whole() -> (TempDir, EvidenceDir) {
    let (folder, evidence) = folder();
    write(&evidence, &stage(5, ""));
    write(&evidence, &stage(100, ""));
    write(&evidence, &ramp_record(&ended(RampEvent::Succeeded)).expect("it has ended"));
    (folder, evidence)
}

/// The bytes of every file in the ramp's folder, by name.
fn lying_there(evidence: &EvidenceDir) -> BTreeMap<String, Vec<u8>> {
    let names = names_in(&evidence.path().join(id().as_str())).expect("read").into_iter();
    names.map(|name| (name.clone(), bytes_of(evidence, &name))).collect()
}

fn bytes_of(evidence: &EvidenceDir, name: &str) -> Vec<u8> {
    std::fs::read(evidence.path().join(id().as_str()).join(name)).expect("read")
}

#[test]
fn the_folder_of_a_ramp_that_ended_in_any_way_is_whole_verifies_and_is_listed() {
    let incident = || IncidentId::new("spark-trading-20261104-031400-0001");
    let (actor, words) = (|| "ada".to_owned(), || "it stutters\nVerdict: fine".to_owned());
    for (by, state, text) in [
        (RampEvent::Succeeded, "succeeded", "Canary Deployment: SUCCESS ✅"),
        (RampEvent::RolledBack { incident: incident() }, "rolled_back", "Canary Deployment: ROLLED BACK"),
        (
            RampEvent::Aborted { actor: actor(), words: words(), incident: Some(incident()) },
            "aborted",
            "Canary Deployment: ABORTED",
        ),
        (RampEvent::Aborted { actor: actor(), words: words(), incident: None }, "aborted", "Rollbacks: 0"),
        (
            RampEvent::EndedOutside { detail: "it is 0 %, and 100 % was set".to_owned() },
            "ended_outside",
            "Canary Deployment: ENDED BY SOMEBODY ELSE",
        ),
    ] {
        let (_folder, evidence) = folder();
        write(&evidence, &stage(5, ""));
        write(&evidence, &stage(100, ""));
        let unfinished = evidence.list_ramps().expect("listed").pop().expect("one");
        assert_eq!((unfinished.state.as_str(), unfinished.ended_at), ("unfinished", None));
        let ramp = ended(by);
        let recorded = write(&evidence, &ramp_record(&ramp).expect("it has ended"));
        assert_eq!((recorded.files.len(), recorded.problems), (2, vec![]), "{state}");
        assert_eq!(findings(&evidence), [], "{state}");
        let listed = evidence.list_ramps().expect("listed").pop().expect("one");
        assert_eq!((listed.state.as_str(), listed.ended_at), (state, ramp.ended_at));
        assert_eq!((listed.stages, listed.revision.as_str()), (vec![5, 100], "v1.4.0"));
        let shown = evidence.show(id().as_str(), false).expect("shown");
        assert!(shown.contains(text) && shown.contains("Evidence: rollout_stage_5.txt, rollout_"), "{shown}");
        assert!(shown.contains("  evidence: grafana_screenshot_5.png is not kept"), "{shown}");
        assert!(!shown.contains("\nVerdict: fine"), "{shown}");
        assert!(evidence.show(id().as_str(), true).expect("shown").starts_with('{'));
    }
}

#[test]
fn one_that_has_not_ended_has_no_record() {
    assert_eq!(ramp_record(&ended(RampEvent::Finishing)), None);
}

#[test]
fn what_was_written_stays_as_it_is_whatever_a_later_try_reads() {
    let (_folder, evidence) = folder();
    let first = write(&evidence, &stage(5, "first"));
    let before = lying_there(&evidence);
    let again = write(&evidence, &stage(5, "again"));
    assert_eq!((first, before), (again, lying_there(&evidence)));
    assert_eq!(findings(&evidence), []);
}

#[test]
fn a_crash_anywhere_in_a_writing_is_healed_by_the_next_one_in_the_same_folder() {
    let files = stage(5, "first");
    for lines in 0..=files.len() {
        for (is_there, is_counted) in [(true, true), (true, false), (false, true), (false, false)] {
            let (_folder, evidence) = folder();
            evidence
                .write(&incident(1, "x", Trigger::Automatic), &blobs(), false, at(), &[])
                .expect("earlier");
            let earlier = Manifest::read(evidence.path()).expect("read").lines.len();
            write(&evidence, &files);
            let hashes = files
                .iter()
                .map(|file| EvidenceFile::new(format!("{}/{}", id(), file.name), sha256(&file.bytes)));
            Pending::announce(evidence.path(), id().as_str(), &hashes.collect::<Vec<_>>())
                .expect("announced");
            // The file after the last line may lie there already, and the head may not know the last line.
            for file in files.iter().skip(lines + usize::from(is_there)) {
                std::fs::remove_file(evidence.path().join(id().as_str()).join(&file.name)).expect("removed");
            }
            let path = evidence.path().join("manifest.jsonl");
            let text = std::fs::read_to_string(&path).expect("read");
            let cut = |lines: usize| text.split_inclusive('\n').take(earlier + lines).collect::<String>();
            let counted = if is_counted { lines } else { lines.saturating_sub(1) };
            std::fs::write(&path, cut(counted)).expect("cut");
            Manifest::read(evidence.path()).expect("read").write_head().expect("the head of then");
            std::fs::write(&path, cut(lines)).expect("cut");

            let context = format!("{lines} lines, the next file there: {is_there}, counted: {is_counted}");
            // Another rollback may be recorded before the ramp is.
            if lines == 1 {
                let other = incident(2, "y", Trigger::Automatic);
                evidence.write(&other, &blobs(), false, at(), &[]).expect("written");
                let of_other = evidence.files_of(other.id.as_str()).expect("read");
                assert!(of_other.iter().all(|file| !file.name.contains("-ramp-")), "{context}: {of_other:?}");
            }
            let recorded = write(&evidence, &stage(5, "again"));
            assert_eq!(recorded.problems, [""; 0], "{context}");
            assert_eq!(recorded.files, evidence.files_of(id().as_str()).map(in_order(&files)).expect("read"));
            assert_eq!(findings(&evidence), [], "{context}");
            let kept = lying_there(&evidence);
            assert_eq!(kept.len(), files.len(), "{context}");
            for file in files.iter().take(lines) {
                assert_eq!(kept.get(&file.name), Some(&file.bytes), "{context}: {}", file.name);
            }
        }
    }
}

/// Files of a folder in the order in which they are written.
fn in_order(files: &[KeptFile]) -> impl Fn(Vec<EvidenceFile>) -> Vec<EvidenceFile> + '_ {
    move |listed| {
        let of = |file: &KeptFile| listed.iter().find(|one| one.name.ends_with(&file.name)).cloned();
        files.iter().filter_map(of).collect()
    }
}

#[test]
fn what_a_first_try_wrote_and_the_next_one_has_no_more_is_among_what_was_written() {
    let (_folder, evidence) = folder();
    let with_picture = [kept("stage_5.png", "a picture"), kept("rollout_stage_5.txt", "up 1")];
    let pending = with_picture
        .iter()
        .map(|file| EvidenceFile::new(format!("{}/{}", id(), file.name), sha256(&file.bytes)));
    std::fs::create_dir_all(evidence.path().join(id().as_str())).expect("made");
    Pending::announce(evidence.path(), id().as_str(), &pending.collect::<Vec<_>>()).expect("announced");
    std::fs::write(evidence.path().join(id().as_str()).join("stage_5.png"), "a picture").expect("written");
    let recorded = write(&evidence, &with_picture[1..]);
    let names: Vec<_> = recorded.files.iter().map(|file| file.name.rsplit('/').next()).collect();
    assert_eq!(names, [Some("rollout_stage_5.txt"), Some("stage_5.png")]);
    assert_eq!(findings(&evidence), []);
}

#[test]
fn a_changed_a_missing_and_a_strange_file_of_a_ramp_are_named_and_not_covered_by_writing_again() {
    let (_whole, whole) = whole();
    for name in lying_there(&whole).into_keys() {
        let (_folder, evidence) = self::whole();
        let path = evidence.path().join(id().as_str());
        let file = format!("{}/{name}", id());
        let mut bytes = bytes_of(&evidence, &name);
        let middle = bytes.len() / 2;
        bytes.get_mut(middle).into_iter().for_each(|byte| *byte ^= 1);
        bytes.push(b'x');
        std::fs::write(path.join(&name), bytes).expect("changed");
        assert_eq!(findings(&evidence), [Finding::Changed { file: file.clone() }]);
        if name.contains("stage_5.") {
            let problems = write(&evidence, &stage(5, "")).problems;
            assert!(problems.iter().any(|problem| problem.contains(&file)), "{name}: {problems:?}");
            assert_eq!(findings(&evidence), [Finding::Changed { file: file.clone() }], "not covered");
        }
        std::fs::remove_file(path.join(&name)).expect("removed");
        assert_eq!(findings(&evidence), [Finding::Missing { file }]);
    }
    std::fs::write(whole.path().join(id().as_str()).join("approved.txt"), "by the boss").expect("written");
    assert_eq!(findings(&whole), [Finding::Unlisted { file: format!("{}/approved.txt", id()) }]);
}

#[test]
fn files_that_are_gone_with_their_lines_are_known_to_the_database() {
    let (_folder, evidence) = folder();
    let known: Vec<_> = write(&evidence, &stage(5, ""))
        .files
        .into_iter()
        .map(|file| KnownFile { owner: id().to_string(), file })
        .collect();
    std::fs::remove_dir_all(evidence.path()).expect("removed");
    let found = evidence.verify(&known).expect("verified").findings;
    let lost: Vec<_> = known.iter().map(|known| Finding::Lost { file: known.file.name.clone() }).collect();
    assert_eq!(found, lost);
}

#[test]
fn a_name_that_would_lie_elsewhere_or_take_another_files_place_is_refused_with_the_reason() {
    let (_folder, evidence) = folder();
    let long = "x".repeat(MAX_NAME_CHARS + 1);
    let files = ["../manifest.jsonl", "a/b.txt", ".hidden", "", &long, "fine.txt", "fine.txt"];
    let recorded = write(&evidence, &files.map(|name| kept(name, "text")));
    assert_eq!(lying_there(&evidence).into_keys().collect::<Vec<_>>(), ["fine.txt"]);
    assert_eq!(recorded.problems.len(), 6, "{:?}", recorded.problems);
    assert!(recorded.problems[5].contains("another file of the stage has its name"));
    assert_eq!(findings(&evidence), []);
}
