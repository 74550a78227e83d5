use super::*;
use crate::evidence::directory::tests::{at, folder};
use crate::incident::RampId;
use crate::ramp::{KeptFile, fixtures};

fn metrics(percent: u8) -> KeptFile {
    KeptFile { name: format!("rollout_stage_{percent}.txt"), bytes: b"up 1\n".to_vec() }
}

fn write(evidence: &EvidenceDir, id: &str, files: &[KeptFile]) {
    evidence.write_ramp(&RampId::new(id), files, at(), &[]).expect("written");
}

#[test]
fn a_snapshot_is_listed_as_one_with_or_without_gates_and_as_no_ramp() {
    let (_folder, evidence) = folder();
    let with_gates = "spark-snapshot-20261104-030405";
    let gates = fixtures::gates(with_gates, (3, 25), "API P95 < 200 ms", 0.1).bytes().expect("JSON");
    let gates = KeptFile { name: "gates_stage_25.json".to_owned(), bytes: gates };
    write(&evidence, with_gates, &[metrics(25), gates]);
    write(&evidence, "spark-snapshot-20261103-030405", &[metrics(5)]);
    let listed = evidence.list_snapshots().expect("listed");
    let summary = |snapshot: &str, taken_at: &str, revision: Option<&str>, stage| SnapshotSummary {
        snapshot: snapshot.to_owned(),
        taken_at: taken_at.parse().expect("a time"),
        revision: revision.map(str::to_owned),
        stages: vec![stage],
    };
    assert_eq!(
        listed,
        [
            summary("spark-snapshot-20261103-030405", "2026-11-03T03:04:05Z", None, 5),
            summary(with_gates, "2026-11-04T03:04:05Z", Some("v1.4.0"), 25),
        ]
    );
    assert_eq!(evidence.list_ramps().expect("listed"), []);
}

#[test]
fn a_ramp_of_a_rollout_that_is_called_so_is_no_snapshot() {
    let (_folder, evidence) = folder();
    let ramp = "the-snapshot-service-ramp-20261104-030405";
    let gates = fixtures::gates(ramp, (1, 1), "API P95 < 200 ms", 0.1).bytes().expect("JSON");
    write(&evidence, ramp, &[KeptFile { name: "gates_stage_1.json".to_owned(), bytes: gates }]);
    assert_eq!(evidence.list_snapshots().expect("listed"), []);
    let ramps: Vec<_> = evidence.list_ramps().expect("listed").into_iter().map(|ramp| ramp.ramp).collect();
    assert_eq!(ramps, [ramp]);
}

#[test]
fn what_has_no_record_of_its_own_is_shown_by_its_files() {
    let (_folder, evidence) = folder();
    let name = "spark-snapshot-20261103-030405";
    write(&evidence, name, &[metrics(5)]);
    let shown = evidence.show(name, false).expect("shown");
    assert!(
        shown.starts_with("spark-snapshot-20261103-030405: a snapshot of one stage, without a ramp"),
        "{shown}"
    );
    assert!(shown.ends_with("\n  rollout_stage_5.txt\n"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&evidence.show(name, true).expect("shown")).expect("JSON");
    assert_eq!(json["files"], serde_json::json!(["rollout_stage_5.txt"]));
    write(&evidence, "spark-ramp-20261103-030405", &[metrics(1)]);
    let shown = evidence.show("spark-ramp-20261103-030405", false).expect("shown");
    assert!(shown.contains("no record of the whole: it runs, or its record is gone"), "{shown}");
    assert!(evidence.show("spark-snapshot-20201103-030405", false).is_err(), "there is none");
}
