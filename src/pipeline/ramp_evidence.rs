//! Gathers what a stage of a ramp was left with, and has it written; at the end, the record of the whole.
//!
//! The gates are what counts, and were answered by then; everything else is an extra that may be missing. What
//! is missing is named in the record, and holds no ramp up for longer than its own limit.

#[cfg(test)]
mod fixtures;
mod panels;
mod pods;
mod snapshot;
mod success_tag;

use std::sync::Arc;
use std::time::Duration;

use backon::Retryable;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

pub use snapshot::StageSnapshot;

use super::perform::untiring;
use super::{Rollout, Worker};
use crate::decision::Input;
use crate::evidence::{Recorded, ramp_record};
use crate::incident::{GateReason, Ramp, RampId, RolloutName, Share, StageRecord};
use crate::picture;
use crate::ramp::{Asked, GatesFile, KeptFile, Round};
use crate::signals::{RENDER_TIMEOUT, Shown};

/// The longest that a snapshot of Grafana may take, which is two renderings: the ramp's end waits for its last
/// stage's.
const SCREENSHOT_WITHIN: Duration = RENDER_TIMEOUT;

/// The longest that answers for panels are waited for that no gate of the stage has asked for, and the drawing.
const PICTURE_WITHIN: Duration = Duration::from_secs(30);

/// How many of them are asked for together: few enough that a hundred ramps are no storm on one Prometheus.
const AT_ONCE: usize = 4;

/// How often lost answers are asked for anew while nobody answers, and the pause before each: a Prometheus that
/// is started together with Backstop needs a moment.
const ASKED_AGAIN: u32 = 5;
const PAUSE: Duration = Duration::from_secs(5);

/// What is read longer after a stage was left is of another moment.
const READ_AT_ONCE: TimeDelta = TimeDelta::seconds(30);

/// The longest metrics that are kept: a Prometheus that scraped ten times as much would be reconfigured.
const MAX_METRICS_BYTES: usize = 8 << 20;

/// What there is of a stage, in the order in which it is written: the gates come last, so that they say that
/// all the rest is there.
#[derive(Debug, Default)]
struct Gathered {
    files: Vec<KeptFile>,
    /// What is missing or came otherwise, in sentences.
    problems: Vec<String>,
}

impl Gathered {
    /// Takes a file, or says why there is none.
    fn take(&mut self, name: String, bytes: Result<Vec<u8>, String>) {
        match bytes {
            Ok(bytes) => self.files.push(KeptFile { name, bytes }),
            Err(why) => self.problems.push(format!("{name} is missing: {why}")),
        }
    }
}

/// That these files, which can only be read as they are now, are of another moment than the stage's end: after a
/// restart, for instance. The picture is of the stage, whenever it is drawn.
fn read_late(files: &[KeptFile], left_at: DateTime<Utc>, read_at: DateTime<Utc>) -> Option<String> {
    let is_of_now = |name: &&str| !name.starts_with("stage_") && !name.starts_with("grafana_screenshot_");
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).filter(is_of_now).collect();
    let is_late = !names.is_empty() && read_at - left_at > READ_AT_ONCE;
    let at = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    is_late.then(|| {
        format!("read at {}, and the stage was left at {}: {}", at(read_at), at(left_at), names.join(", "))
    })
}

/// A stage of a ramp that is over.
#[derive(Debug, Clone, Copy)]
struct Left<'a> {
    rollout: &'a Rollout,
    ramp: &'a Ramp,
    record: &'a StageRecord,
    /// When it was passed, or the ramp ended.
    at: DateTime<Utc>,
    /// It is not over: somebody wants to see how it is.
    is_snapshot: bool,
}

impl Worker {
    /// Writes the evidence of a stage that is over, or the record of the whole, and reports it. It is tried
    /// until it works; what was read is not read again meanwhile.
    pub(super) async fn write_ramp_evidence(&self, rollout: &Rollout, id: RampId, stage: Option<usize>) {
        let Some(ramp) = self.ramp(&rollout.name, &id) else { return };
        let Some(Gathered { files, mut problems }) = self.gather(rollout, &ramp, stage).await else { return };
        let files: Arc<[KeptFile]> = files.into();
        let write = || async {
            let written = self.evidence.record_ramp(id.clone(), Arc::clone(&files), self.clock.now()).await;
            written.map_err(|error| error.in_full())
        };
        let failed = |error: &String, _| {
            self.metrics.evidence_written(false, false);
            tracing::error!(ramp = %id, error, "a ramp's evidence is not written; this is tried again");
        };
        // Ends only with a success.
        let Ok(Recorded { files, problems: found }) = write.retry(untiring()).notify(failed).await else {
            return;
        };
        self.metrics.evidence_written(true, found.is_empty());
        problems.extend(found);
        if stage.is_none() {
            // Unreported, it is all done again by the next process; each part changes nothing then.
            let Ok(untagged) = success_tag::tag_success(rollout, &ramp, success_tag::patience()).await else {
                return;
            };
            problems.extend(untagged);
        }
        for problem in &problems {
            tracing::warn!(ramp = %id, problem, "a ramp's evidence is written, but not all is well with it");
        }
        self.report(&rollout.name, Input::RampEvidenceWritten { ramp: id, stage, files, problems }).await;
    }

    fn ramp(&self, rollout: &RolloutName, id: &RampId) -> Option<Arc<Ramp>> {
        self.journal.states().get(rollout)?.ramp.clone().filter(|ramp| ramp.id == *id)
    }

    /// `None`: it is written, or there is nothing to write yet.
    async fn gather(&self, rollout: &Rollout, ramp: &Ramp, stage: Option<usize>) -> Option<Gathered> {
        let Some(stage) = stage else {
            return Some(Gathered { files: ramp_record(ramp)?, problems: Vec::new() });
        };
        let record = ramp.record_of(stage)?;
        let at = record.passed_at.or(ramp.ended_at).filter(|_| record.evidence.is_empty())?;
        Some(self.gather_stage(Left { rollout, ramp, record, at, is_snapshot: false }).await)
    }

    async fn gather_stage(&self, left: Left<'_>) -> Gathered {
        let mut gathered = Gathered::default();
        let percent = left.record.share.0;
        let read_at = self.clock.now();
        // The metrics first, and beside all else: they change as the next share is set.
        let (metrics, (round, picture), screenshot) = tokio::join!(
            self.metrics_text(left.rollout),
            async {
                let round = self.round(left, &mut gathered.problems).await;
                let picture = match &round {
                    Some(round) if panels::are_wanted(left.ramp) => Some(self.picture(left, round).await),
                    Some(_) | None => None,
                };
                (round, picture)
            },
            self.screenshot(left),
        );
        gathered.take(format!("rollout_stage_{percent}.txt"), metrics);
        if left.record.share == Share::ALL
            && let Some(pods) = self.pods(left.rollout).await
        {
            gathered.take("pods_stage_100.txt".to_owned(), pods);
        }
        if let Some(picture) = picture {
            gathered.take(format!("stage_{percent}.png"), picture);
        }
        if let Some(screenshot) = screenshot {
            gathered.take(format!("grafana_screenshot_{percent}.png"), screenshot);
        }
        if !left.is_snapshot {
            gathered.problems.extend(read_late(&gathered.files, left.at, read_at));
        }
        // Of a snapshot that asks nobody the gates say nothing.
        let Some(round) = round.filter(|round| !left.is_snapshot || !round.gates.is_empty()) else {
            return gathered;
        };
        gathered.files.extend(round.kept.iter().cloned());
        let gates = gates_file(left, round).bytes().map_err(|error| error.to_string());
        gathered.take(format!("gates_stage_{percent}.json"), gates);
        gathered
    }

    async fn metrics_text(&self, rollout: &Rollout) -> Result<Vec<u8>, String> {
        let text = rollout.application.metrics().await.map_err(|error| error.to_string())?;
        if text.len() > MAX_METRICS_BYTES {
            return Err(format!("it has {} bytes, and {MAX_METRICS_BYTES} are the most", text.len()));
        }
        Ok(text)
    }

    /// The round that the stage was left with. After a restart it is asked for anew, as of then.
    async fn round(&self, left: Left<'_>, problems: &mut Vec<String>) -> Option<Round> {
        let Left { rollout, ramp, record, at, is_snapshot } = left;
        if is_snapshot {
            return self.ask_again(rollout, ramp, record.stage, at).await;
        }
        if let Some(round) = self.rounds.of(&rollout.name, &ramp.id, record.stage) {
            return Some(Round::clone(&round));
        }
        let mut round = self.ask_again(rollout, ramp, record.stage, at).await?;
        for _ in 0..ASKED_AGAIN {
            let has_answers = round.gates.iter().all(|gate| gate.judgement.reason != GateReason::NoAnswer);
            if has_answers {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            round = self.ask_again(rollout, ramp, record.stage, at).await?;
        }
        problems.push(format!(
            "the answers that the stage was left with at {} were lost in a restart: its gates were asked again as of then{}",
            at.format("%H:%M:%S UTC"),
            differing(record, &round)
        ));
        problems.extend(asked_late(&round));
        Some(round)
    }

    /// The stage's panels, drawn.
    async fn picture(&self, left: Left<'_>, round: &Round) -> Result<Vec<u8>, String> {
        let asked = async {
            let others = panels::not_asked(left.ramp, round);
            let judge = left.rollout.judge.as_ref();
            let questions: Vec<_> =
                others.iter().map(|criterion| judge.ask(criterion, &round.span)).collect();
            let asked: Vec<Asked> = stream::iter(questions).buffered(AT_ONCE).collect().await;
            let others: Vec<_> =
                others.into_iter().zip(asked.into_iter().map(|asked| asked.answer)).collect();
            let drawn = panels::picture(left.ramp, left.record, round, &others);
            let drawing = tokio::task::spawn_blocking(move || picture::draw(&drawn)).await;
            match drawing {
                Ok(drawn) => drawn.map_err(|error| error.to_string()),
                Err(error) => Err(format!("the drawing broke off: {error}")),
            }
        };
        let late = |_| Err(format!("it was not drawn within {} s", PICTURE_WITHIN.as_secs()));
        tokio::time::timeout(PICTURE_WITHIN, asked).await.unwrap_or_else(late)
    }

    /// `None`: nobody wants one.
    async fn screenshot(&self, left: Left<'_>) -> Option<Result<Vec<u8>, String>> {
        let grafana = self.grafana.as_ref()?;
        let from = left.record.began_at.unwrap_or(left.at);
        let variables = [("rollout".to_owned(), left.rollout.name.to_string())];
        let shown = Shown { from, to: left.at, variables: &variables };
        let late = |_| Err(format!("it was not rendered within {} s", SCREENSHOT_WITHIN.as_secs()));
        let rendered = async { grafana.render(&shown).await.map_err(|error| error.to_string()) };
        Some(tokio::time::timeout(SCREENSHOT_WITHIN, rendered).await.unwrap_or_else(late))
    }

    /// `None`: the target knows nothing of pods.
    async fn pods(&self, rollout: &Rollout) -> Option<Result<Vec<u8>, String>> {
        rollout.policy.plan.replicas()?;
        if let Err(error) = self.observe(rollout).await {
            return Some(Err(error));
        }
        let seen = self.observed.observation(&rollout.name, self.clock.now());
        let text = seen.and_then(|(at, observed)| pods::text(at, &observed));
        Some(text.map(String::into_bytes).ok_or_else(|| "no pods were read".to_owned()))
    }
}

fn gates_file(left: Left<'_>, round: Round) -> GatesFile {
    let Left { ramp, record, .. } = left;
    let about = (ramp.id.clone(), ramp.plan.revision.clone(), ramp.plan_sha256.clone());
    GatesFile::new(about, (record.stage + 1, record.share), round.span, round.gates)
}

/// Whose answers say nothing of the stage, in a sentence.
fn asked_late(round: &Round) -> Option<String> {
    let late = round.gates.iter().filter(|gate| gate.asked_late_by(&round.span).is_some());
    let named: Vec<_> = late
        .filter_map(|gate| {
            let at = gate.answer.asked_at()?.format("%Y-%m-%d %H:%M:%S UTC");
            Some(format!("{} at {at}", crate::text::shown(gate.criterion.name.as_str())))
        })
        .collect();
    let many = "can only say how things are, and were asked after the stage's end";
    (!named.is_empty()).then(|| {
        format!(
            "APIs and programs {many}: {}; what the stage was left on is in the ramp's own record",
            named.join(", ")
        )
    })
}

/// Which verdicts are others than those that the stage was left with, for the end of a sentence.
fn differing(record: &StageRecord, round: &Round) -> String {
    let differs = round.gates.iter().map(|gate| &gate.judgement).filter(|again| {
        record.judgements.get(&again.criterion).is_some_and(|known| known.verdict != again.verdict)
    });
    let names: Vec<_> = differs.map(|again| crate::text::shown(again.criterion.as_str())).collect();
    if names.is_empty() { String::new() } else { format!(", and {} got another verdict", names.join(", ")) }
}

#[cfg(test)]
mod tests;
