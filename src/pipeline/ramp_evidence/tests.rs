//! What is written of a stage, and what becomes of an extra that can't be had.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fixtures::{Constant, criterion, id, plan, start};
use super::*;
use crate::evidence::{EvidenceDir, EvidenceFolders, KnownFile, WrittenEarlier};
use crate::incident::{
    Criterion, Event, GateVerdict, HttpCheck, Question, RampEvent, RampStarted, SeverityMap, StoredAs,
};
use crate::outbound::Outbound;
use crate::pipeline::fixtures::{Flag, journal_parts, name, rollout};
use crate::pipeline::{Journal, Rollouts, Rounds, Severities, ShareReader, Sources};
use crate::ramp::{Answer, Gate, RangeAnswer, StageSpan, judge_answer};
use crate::store::{Batch, IncidentStore, MemoryStore};
use crate::tagging::Tagger;
use crate::verification::Application;

#[derive(Debug)]
struct NothingYet;

#[async_trait]
impl WrittenEarlier for NothingYet {
    async fn files(&self) -> Result<Vec<KnownFile>, String> {
        Ok(Vec::new())
    }
}

/// A process that starts over a ramp which has left its first stage.
struct Scene {
    worker: Worker,
    rollout: Arc<Rollout>,
    folder: TempDir,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Scene {
    async fn after(told: Vec<RampEvent>, judge: Constant) -> Self {
        Self::tagging(told, judge, None).await
    }

    async fn tagging(told: Vec<RampEvent>, judge: Constant, tagger: Option<Tagger>) -> Self {
        let store = Arc::new(MemoryStore::default());
        let started = RampStarted {
            plan: Arc::new(plan()),
            plan_sha256: "ab".repeat(32),
            actor: "ada".to_owned(),
            through: "command line".to_owned(),
            again_because: None,
            warnings: Vec::new(),
        };
        let begun = [RampEvent::Started(started), RampEvent::StageBegan { stage: 0 }];
        let stored = |(minutes, happened)| StoredAs {
            at: start() + TimeDelta::minutes(minutes),
            rollout: name(),
            incident: None,
            event: Event::Ramp { ramp: id(), happened },
        };
        let events = (0..).step_by(15).zip(begun.into_iter().chain(told)).map(stored).collect();
        store.append(Batch { events, ..Batch::default() }).await.expect("appended");

        let rollout = Rollout { judge: Arc::new(judge), tagger, ..rollout(Flag::new(Some(Share(5)))) };
        let rollouts = Rollouts::new([rollout]);
        let (parts, clock) = journal_parts(store.clone(), rollouts.clone(), start() + TimeDelta::hours(2));
        let (metrics, observed) = (parts.metrics.clone(), Arc::clone(&parts.observed));
        let randomness = parts.randomness.clone();
        let (journal, task) = Journal::new(parts, store.load().await.expect("memory"));
        let stop = CancellationToken::new();
        let tasks = JoinSet::from_iter([task.run(stop.clone())]);
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).join("evidence");
        let worker = Worker {
            journal,
            share_reader: ShareReader::new(&rollouts, Arc::clone(&observed), clock.clone()),
            rollouts: rollouts.clone(),
            observed,
            sources: Sources {
                alertmanagers: Vec::new(),
                prometheus: None,
                watchdog: crate::decision::Watchdog::named("Watchdog"),
                severities: Severities::new(SeverityMap::default(), metrics.clone()),
            },
            rounds: Rounds::default(),
            evidence: Arc::new(EvidenceFolders::new(at("one"), at("other"), Arc::new(NothingYet))),
            grafana: None,
            channels: Arc::default(),
            store,
            clock,
            randomness,
            metrics,
        };
        let rollout = Arc::clone(rollouts.get(&name()).expect("configured"));
        Self { worker, rollout, folder, stop, _tasks: tasks }
    }

    /// The stage as it was passed, by a criterion that passed.
    async fn passed(judge: Constant) -> Self {
        Self::after(vec![RampEvent::StagePassed { stage: 0, judgements: Vec::new() }], judge).await
    }

    async fn write(&self, stage: Option<usize>) -> Arc<Ramp> {
        self.worker.write_ramp_evidence(&self.rollout, id(), stage).await;
        self.worker.ramp(&name(), &id()).expect("the ramp")
    }

    fn evidence(&self) -> EvidenceDir {
        EvidenceDir::new(self.folder.path().join("one/evidence"))
    }

    fn read(&self, file: &str) -> Vec<u8> {
        let path = self.evidence().path().join(id().as_str()).join(file);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The names without the folder.
fn names(record: &StageRecord) -> Vec<&str> {
    record.evidence.iter().filter_map(|file| file.name.strip_prefix(&format!("{}/", id()))).collect()
}

#[tokio::test]
async fn after_a_restart_a_stages_gates_are_asked_again_as_of_when_it_was_left_and_that_is_said() {
    let scene = Scene::passed(Constant::default()).await;
    let ramp = scene.write(Some(0)).await;
    let record = &ramp.stages[0];
    assert_eq!(names(record), ["stage_5.png", "gates_stage_5.json"]);
    let problems = record.evidence_problems.join("\n");
    assert!(problems.contains("left with at 03:30:00 UTC were lost in a restart"), "{problems}");
    assert!(problems.contains("rollout_stage_5.txt is missing: verify.metrics_url"), "{problems}");
    let gates = GatesFile::read(&scene.read("gates_stage_5.json")).expect("gates");
    assert_eq!((gates.stage, gates.share, gates.span.now), (1, Share(5), start() + TimeDelta::minutes(30)));
    let replayed: Vec<_> = gates.replay().collect();
    assert_eq!(replayed.len(), 1);
    assert!(replayed.iter().all(|one| one.agrees() && one.again.verdict == GateVerdict::Pass));
    assert!(scene.read("stage_5.png").starts_with(b"\x89PNG"));
    let report = scene.evidence().verify(&[]).expect("verified");
    assert_eq!((report.files, report.findings), (2, vec![]));
}

#[tokio::test]
async fn the_round_that_a_stage_was_left_with_is_its_evidence_with_what_its_criteria_kept() {
    let scene = Scene::passed(Constant::default()).await;
    let span = StageSpan::new(start() + TimeDelta::minutes(15), start() + TimeDelta::minutes(30), 900);
    let answer = Answer::Range(RangeAnswer::failed("it was too slow".to_owned()));
    let judgement = judge_answer(&answer, &criterion("p95"), &span);
    let gate = Gate { criterion: criterion("p95"), answer, judgement };
    let kept = KeptFile { name: "contract_spot_stage_5.txt".to_owned(), bytes: b"12 of 12 pass\n".to_vec() };
    let round = Round { span, gates: vec![gate.clone()], kept: vec![kept] };
    scene.worker.rounds.record(&name(), &id(), 0, round);
    let ramp = scene.write(Some(0)).await;
    let written = names(&ramp.stages[0]);
    assert_eq!(written, ["stage_5.png", "contract_spot_stage_5.txt", "gates_stage_5.json"]);
    assert_eq!(scene.read("contract_spot_stage_5.txt"), b"12 of 12 pass\n");
    assert_eq!(GatesFile::read(&scene.read("gates_stage_5.json")).expect("gates").gates, [gate]);
    let problems = ramp.stages[0].evidence_problems.join("\n");
    assert!(!problems.contains("restart"), "{problems}");
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_starts_late_is_waited_for_and_one_that_never_does_holds_nothing_up() {
    for (down_for, verdict) in [(3, GateVerdict::Pass), (usize::MAX, GateVerdict::Unknown)] {
        let scene = Scene::passed(Constant { down_for, ..Constant::default() }).await;
        scene.write(Some(0)).await;
        let gates = GatesFile::read(&scene.read("gates_stage_5.json")).expect("gates").gates;
        let verdicts: Vec<_> = gates.iter().map(|gate| gate.judgement.verdict).collect();
        assert_eq!(verdicts, [verdict], "down for {down_for} questions");
    }
}

#[tokio::test]
async fn a_verdict_that_is_another_one_when_it_is_asked_again_is_named() {
    let scene = Scene::passed(Constant::default()).await;
    let ramp = scene.worker.ramp(&name(), &id()).expect("the ramp");
    let mut record = ramp.stages[0].clone();
    let round = scene.worker.ask_again(&scene.rollout, &ramp, 0, start() + TimeDelta::minutes(30)).await;
    let round = round.expect("it began");
    assert_eq!(differing(&record, &round), "");
    let known = crate::incident::Judgement { verdict: GateVerdict::Fail, ..round.judgements()[0].clone() };
    record.judgements.insert(known.criterion.clone(), known);
    assert_eq!(differing(&record, &round), ", and p95 got another verdict");
}

#[tokio::test]
async fn an_api_that_is_asked_after_its_stages_end_is_a_problem_of_the_record_with_its_time() {
    let scene = Scene::passed(Constant::default()).await;
    let mut ramp = Ramp::clone(&scene.worker.ramp(&name(), &id()).expect("the ramp"));
    let mut plan = plan();
    let question = Question::Http(HttpCheck {
        url: "http://127.0.0.1/ci".to_owned(),
        status: 200,
        pointer: None,
        expected: None,
        every_seconds: 60,
    });
    plan.stages[0].criteria.push(Criterion { question, ..criterion("ci") });
    ramp.plan = Arc::new(plan);
    let record = ramp.record_of(0).expect("it began").clone();
    let at = record.passed_at.expect("passed");
    let left = Left { rollout: &scene.rollout, ramp: &ramp, record: &record, at, is_snapshot: false };
    let mut problems = Vec::new();
    let round = scene.worker.round(left, &mut problems).await.expect("asked");
    let late: Vec<_> = round.gates.iter().map(|gate| gate.asked_late_by(&round.span)).collect();
    assert_eq!(late, [None, Some(TimeDelta::minutes(90))]);
    let said = "were asked after the stage's end: ci at 2026-11-24 05:00:00 UTC;";
    assert!(problems.iter().any(|problem| problem.contains(said)), "{problems:?}");

    scene.worker.rounds.record(&name(), &id(), 0, Round { gates: vec![round.gates[0].clone()], ..round });
    let mut problems = Vec::new();
    scene.worker.round(left, &mut problems).await.expect("known");
    assert_eq!(problems, Vec::<String>::new(), "nothing was asked late");
}

#[tokio::test]
async fn the_metrics_are_kept_as_the_application_serves_them() {
    let served = axum::Router::new().route("/metrics.prom", axum::routing::get(|| async { "up 1\n" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/metrics.prom", listener.local_addr().expect("bound"));
    let server = JoinSet::from_iter([async move { axum::serve(listener, served).await }]);
    let mut scene = Scene::passed(Constant::default()).await;
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let application = Application::new(outbound, Some(url.parse().expect("a URL")));
    scene.rollout = Arc::new(Rollout { application, ..Rollout::clone(&scene.rollout) });
    let ramp = scene.write(Some(0)).await;
    drop(server);
    assert_eq!(names(&ramp.stages[0])[0], "rollout_stage_5.txt");
    assert_eq!(scene.read("rollout_stage_5.txt"), b"up 1\n");
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_is_tried_until_it_can_be() {
    let scene = Scene::passed(Constant::default()).await;
    let blockers = ["one", "other"].map(|name| scene.folder.path().join(name));
    for blocker in &blockers {
        std::fs::write(blocker, "in the way").expect("written");
    }
    let (worker, rollout) = (scene.worker.clone(), Arc::clone(&scene.rollout));
    let mut writing = JoinSet::new();
    writing.spawn(async move { worker.write_ramp_evidence(&rollout, id(), Some(0)).await });
    let has_failed = async {
        while scene.worker.metrics.is_evidence_healthy() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), has_failed).await.expect("it fails");
    assert!(scene.worker.ramp(&name(), &id()).expect("the ramp").stages[0].evidence.is_empty());
    std::fs::remove_file(&blockers[0]).expect("removed");
    let written = tokio::time::timeout(Duration::from_secs(30), writing.join_next()).await;
    written.expect("it works then").expect("a task").expect("no panic");
    let ramp = scene.worker.ramp(&name(), &id()).expect("the ramp");
    assert_eq!(names(&ramp.stages[0]), ["stage_5.png", "gates_stage_5.json"]);
}

#[tokio::test]
async fn a_ramp_that_ended_gets_its_stages_and_then_its_record_in_one_folder() {
    let ended = RampEvent::EndedOutside { detail: "it is 0 %".to_owned() };
    let scene = Scene::after(vec![ended], Constant::default()).await;
    scene.write(Some(0)).await;
    let ramp = scene.write(None).await;
    let record: Vec<_> =
        ramp.evidence.iter().map(|file| file.name.rsplit('/').next().unwrap_or_default()).collect();
    assert_eq!(record, ["ramp.json", "canary_ended_outside_20261124_033000.txt"]);
    let text = String::from_utf8(scene.read(record[1])).expect("text");
    assert!(text.contains("Evidence: stage_5.png, gates_stage_5.json\n"), "{text}");
    assert!(text.contains("  evidence: rollout_stage_5.txt is missing"), "{text}");
    assert_eq!(scene.evidence().verify(&[]).expect("verified").findings, []);
    assert_eq!(scene.evidence().list_ramps().expect("listed").len(), 1);
    // A second worker that is asked for the same finds nothing to do.
    assert_eq!(scene.write(Some(0)).await.evidence, ramp.evidence);
}

#[tokio::test]
async fn with_the_record_of_a_success_its_tag_is_at_the_remote_and_with_a_stages_evidence_it_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"];
        let output = command.current_dir(folder.path()).args(identity).args(arguments).output().expect("git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet", "--bare", "origin"]);
    git(&["init", "--quiet", "repository"]);
    git(&["-C", "repository", "commit", "--quiet", "--allow-empty", "--message", "first"]);
    git(&["-C", "repository", "tag", "v1.4.0"]);
    git(&["-C", "repository", "remote", "add", "origin", "../origin"]);
    let commands = crate::commands::Commands::default();
    let tagger = Tagger { commands, repository: folder.path().join("repository"), push: true };
    let passed = RampEvent::StagePassed { stage: 0, judgements: Vec::new() };
    let told = vec![passed, RampEvent::Succeeded];
    let scene = Scene::tagging(told, Constant::default(), Some(tagger)).await;
    let at_the_remote = || git(&["-C", "origin", "tag", "--list"]);
    scene.write(Some(0)).await;
    assert_eq!(at_the_remote(), "");
    let ramp = scene.write(None).await;
    assert!(!ramp.evidence.is_empty());
    assert_eq!(at_the_remote(), "v1.4.0");
}

#[test]
fn what_was_read_long_after_its_stage_says_so_and_a_picture_of_the_stage_does_not() {
    let files = |names: &[&str]| -> Vec<KeptFile> {
        names.iter().map(|name| KeptFile { name: (*name).to_owned(), bytes: Vec::new() }).collect()
    };
    let all = files(&[
        "rollout_stage_100.txt",
        "pods_stage_100.txt",
        "stage_100.png",
        "grafana_screenshot_100.png",
    ]);
    let late = |files: &[KeptFile], seconds| read_late(files, start(), start() + TimeDelta::seconds(seconds));
    assert_eq!(late(&all, 30), None, "at once");
    let said = late(&all, 2_400).expect("said");
    let expected = "read at 2026-11-24 03:40:00 UTC, and the stage was left at 2026-11-24 03:00:00 UTC: rollout_stage_100.txt, pods_stage_100.txt";
    assert_eq!(said, expected);
    assert_eq!(
        late(&files(&["stage_100.png"]), 2_400),
        None,
        "the metrics are missing, which is said already"
    );
}
