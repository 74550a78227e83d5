//! What is written of a stage, and what becomes of an extra that can't be had.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::SteppedClock;
use crate::evidence::{EvidenceDir, EvidenceFolders, KnownFile, WrittenEarlier};
use crate::incident::{
    Bound, Criterion, CriterionName, Event, GateVerdict, OnFail, Question, RampEvent, RampPlan, RampStarted,
    RangeQuery, Revision, SeverityMap, StagePlan, StoredAs, Unit,
};
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::pipeline::fixtures::{Flag, name, rollout};
use crate::pipeline::{Journal, JournalParts, Observed, Rollouts, Rounds, Severities, ShareReader, Sources};
use crate::ramp::{Answer, Gate, Judge, RangeAnswer, Series, StageSpan, judge_answer};
use crate::randomness::Randomness;
use crate::store::{Batch, IncidentStore, MemoryStore};
use crate::verification::Application;

fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

fn id() -> RampId {
    RampId::new("spark-trading-ramp-20261124-030000")
}

fn criterion(name: &str) -> Criterion {
    Criterion {
        name: CriterionName::new(name),
        title: format!("{name} < 1 s"),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Query(RangeQuery {
            expression: name.to_owned(),
            bound: Bound::Below(1.0),
            unit: Unit::Seconds,
            window_seconds: 60,
            since_stage_began: false,
            samples: None,
            min_samples: 0,
        }),
    }
}

/// Two stages that ask for different things.
fn plan() -> RampPlan {
    let stage = |share, criteria: &[&str]| StagePlan {
        share: Share(share),
        duration_seconds: 900,
        needs_approval: false,
        criteria: criteria.iter().map(|name| criterion(name)).collect(),
    };
    RampPlan {
        revision: Revision::new("v1.4.0"),
        stages: vec![stage(5, &["p95"]), stage(100, &["p95", "lag"])],
        max_hold_seconds: 3_600,
        remind_every_seconds: 900,
        watch_after_seconds: 86_400,
        stable_down: false,
    }
}

/// Prometheus, once it is up: the same value at every point of time.
#[derive(Debug, Default)]
struct Constant {
    asked: AtomicUsize,
    /// So many questions have no answer first.
    down_for: usize,
}

#[async_trait]
impl Judge for Constant {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let is_down = self.asked.fetch_add(1, Ordering::SeqCst) < self.down_for;
        let answer = match &criterion.question {
            Question::Query(query) if !is_down => constant(query, span),
            _ => RangeAnswer::failed("connection refused".to_owned()),
        };
        let answer = Answer::Range(answer);
        Asked { judgement: judge_answer(&answer, criterion, span), answer, kept: None }
    }
}

fn constant(query: &RangeQuery, span: &StageSpan) -> RangeAnswer {
    let Some(grid) = span.grid(query) else { return RangeAnswer::default() };
    let step = usize::try_from(grid.step).expect("positive");
    #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
    let points = (grid.start..=grid.end).step_by(step).map(|at| (at as f64, 0.5)).collect();
    RangeAnswer { series: vec![Series { labels: BTreeMap::new(), points }], ..RangeAnswer::default() }
}

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
}

impl Scene {
    async fn after(told: Vec<RampEvent>, judge: Constant) -> Self {
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

        let clock = Arc::new(SteppedClock::starting_at(start() + TimeDelta::hours(2)));
        let rollout = Rollout { judge: Arc::new(judge), ..rollout(Flag::new(Some(Share(5)))) };
        let rollouts = Rollouts::new([rollout]);
        let metrics = Metrics::new(&[name()], &[]);
        let watchdog = crate::decision::Watchdog::named("Watchdog");
        let observed = Arc::new(Observed::new(clock.clone(), watchdog.clone()));
        let parts = JournalParts {
            store: store.clone(),
            rollouts: rollouts.clone(),
            observed: Arc::clone(&observed),
            clock: clock.clone(),
            randomness: Randomness::seeded(0),
            metrics: metrics.clone(),
        };
        let (journal, task) = Journal::new(parts, store.load().await.expect("memory"));
        let stop = CancellationToken::new();
        tokio::spawn(task.run(stop.clone()));
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
                watchdog,
                severities: Severities::new(SeverityMap::default(), metrics.clone()),
            },
            rounds: Rounds::default(),
            evidence: Arc::new(EvidenceFolders::new(at("one"), at("other"), Arc::new(NothingYet))),
            grafana: None,
            channels: Arc::default(),
            store,
            clock,
            randomness: Randomness::seeded(0),
            metrics,
        };
        let rollout = Arc::clone(rollouts.get(&name()).expect("configured"));
        Self { worker, rollout, folder, stop }
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
    let span = StageSpan {
        began_at: start() + TimeDelta::minutes(15),
        now: start() + TimeDelta::minutes(30),
        duration_seconds: 900,
        step_seconds: 15,
    };
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
async fn the_metrics_are_kept_as_the_application_serves_them() {
    let served = axum::Router::new().route("/metrics.prom", axum::routing::get(|| async { "up 1\n" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/metrics.prom", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move { axum::serve(listener, served).await });
    let mut scene = Scene::passed(Constant::default()).await;
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let application = Application::new(outbound, Some(url.parse().expect("a URL")));
    scene.rollout = Arc::new(Rollout { application, ..Rollout::clone(&scene.rollout) });
    let ramp = scene.write(Some(0)).await;
    server.abort();
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
    let writing = tokio::spawn(async move { worker.write_ramp_evidence(&rollout, id(), Some(0)).await });
    let has_failed = async {
        while scene.worker.metrics.is_evidence_healthy() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), has_failed).await.expect("it fails");
    assert!(scene.worker.ramp(&name(), &id()).expect("the ramp").stages[0].evidence.is_empty());
    std::fs::remove_file(&blockers[0]).expect("removed");
    tokio::time::timeout(Duration::from_secs(30), writing).await.expect("it works then").expect("no panic");
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

#[test]
fn every_question_to_prometheus_has_a_panel_in_every_stage_with_what_its_stage_says_of_it() {
    let ramp = ramp_of(plan());
    let span = StageSpan {
        began_at: start(),
        now: start() + TimeDelta::minutes(15),
        duration_seconds: 900,
        step_seconds: 15,
    };
    let answer = |criterion: &Criterion| match &criterion.question {
        Question::Query(query) => Answer::Range(constant(query, &span)),
        _ => unreachable!("all ask Prometheus"),
    };
    let gate = |criterion: Criterion| {
        let answer = answer(&criterion);
        Gate { judgement: judge_answer(&answer, &criterion, &span), answer, criterion }
    };
    let round = Round { span: span.clone(), gates: vec![gate(criterion("p95"))], kept: Vec::new() };
    let others = panels::not_asked(&ramp, &round);
    assert_eq!(others.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["lag"]);
    let others: Vec<_> = others.into_iter().map(|one| (one, answer(one))).collect();
    let picture = panels::picture(&ramp, &ramp.stages[0], &round, &others);
    let panels: Vec<_> =
        picture.panels.iter().map(|panel| (panel.title.as_str(), panel.note.as_deref())).collect();
    let passes = Some("passes: 0.5 s < 1 s; 0 of 57 values outside");
    assert_eq!(panels, [("p95 < 1 s", passes), ("lag < 1 s", Some("not asked in this stage"))]);
    assert_eq!(picture.title, "spark-trading-ramp-20261124-030000: stage 1 of 2");
    assert!(picture::draw(&picture).expect("drawn").starts_with(b"\x89PNG"));
}

#[test]
fn a_counter_is_drawn_by_what_it_is_judged_by() {
    let span = StageSpan {
        began_at: start(),
        now: start() + TimeDelta::seconds(60),
        duration_seconds: 900,
        step_seconds: 15,
    };
    let Question::Query(query) = criterion("errors").question else { unreachable!("it is a query") };
    let query = RangeQuery { since_stage_began: true, window_seconds: 0, ..query };
    let first = start().timestamp();
    #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
    let series = |values: &[f64]| Series {
        labels: BTreeMap::new(),
        points: (0..).map(|number: i64| (first + number * 15) as f64).zip(values.iter().copied()).collect(),
    };
    let series = vec![series(&[700.0, 700.0, 702.0, 702.0, 1.0])];
    let answer = RangeAnswer { series, ..RangeAnswer::default() };
    let grown = crate::ramp::judged_growth(&answer, &query, &span).expect("a counter");
    assert_eq!(grown.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0.0, 0.0, 2.0, 2.0, 3.0]);
    let not_a_counter = RangeQuery { since_stage_began: false, ..query };
    assert_eq!(crate::ramp::judged_growth(&answer, &not_a_counter, &span), None);
}

fn ramp_of(plan: RampPlan) -> Ramp {
    let started = RampStarted {
        plan: Arc::new(plan),
        plan_sha256: String::new(),
        actor: "ada".to_owned(),
        through: "command line".to_owned(),
        again_because: None,
        warnings: Vec::new(),
    };
    let mut state = crate::incident::RolloutState::default();
    let event = Event::Ramp { ramp: id(), happened: RampEvent::Started(started) };
    state.apply(&StoredAs { at: start(), rollout: name(), incident: None, event });
    Ramp::clone(&state.ramp.expect("a ramp"))
}

#[test]
fn the_pods_of_the_last_stage_are_named_with_who_changed_them() {
    use crate::incident::{Autoscaler, LastChange, Observation, Pods, Workloads};
    let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
    let observed = Observation {
        workloads: Some(Workloads { stable: pods(3, 3), canary: pods(4, 2) }),
        revision: Some(Revision::new("v1.4.0")),
        autoscaler: Some(Autoscaler {
            object: "HorizontalPodAutoscaler api".to_owned(),
            min_replicas: 3,
            max_replicas: 9,
        }),
        changes: vec![LastChange {
            object: "Deployment api-canary".to_owned(),
            manager: "kubectl\nRead: x".to_owned(),
            at: Some(start()),
        }],
        ..Observation::of_share(Share::ALL)
    };
    let expected = "Read: 2026-11-24T03:00:00Z
Traffic On Canary: 100 %
Version On Canary: v1.4.0
        WANTED  AVAILABLE  READY
stable  3       3          3
canary  4       2          2
Autoscaler: HorizontalPodAutoscaler api, 3 to 9 replicas
Last Changed: Deployment api-canary by kubectl\\nRead: x at 2026-11-24T03:00:00Z
";
    assert_eq!(pods::text(start(), &observed).as_deref(), Some(expected));
    assert_eq!(pods::text(start(), &Observation::of_share(Share::ALL)), None);
}
