//! Carries out one command and reports what came of it.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::observed_target::{ActedOn, ObservedTarget};
use super::worker::HEAD_START;
use super::{Rollout, Submission, Worker};
use crate::decision::{self, Command, Input, Next, due};
use crate::evidence::{EvidenceBlobs, Recorded};
use crate::execution::{StepLimits, run_step};
use crate::incident::{
    Alert, BlobRef, Epoch, Incident, IncidentId, RolloutName, SnapshotPoint, Step, StepRecord, sha256_hex,
};

/// The longest a reading of the share may delay a decision: a critical waits for it. Shorter than
/// a reading of 0 % is relied upon after it was asked for, or a slow one could never be.
pub(super) const READ_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The pause between two looks at a target while a rollback can't go on: what it waits for are pods,
/// which take seconds.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// After so long without an observation the rollback is called failed, so that people know; it is tried
/// again.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// The first and the longest pause before a result is submitted, or evidence written, again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How many raw webhook bodies go into the evidence.
const MAX_BODIES: usize = 8;

impl Worker {
    pub(super) async fn perform(&self, rollout: &Rollout, command: Command) {
        match command {
            Command::ReadShare => self.read_share(rollout).await,
            Command::RunStep { incident, attempt, step } => {
                self.run_step(rollout, incident, attempt, step).await
            }
            Command::Look { incident, attempt } => self.look(rollout, incident, attempt).await,
            Command::Verify { incident, attempt, since, until } => {
                self.verify(rollout, incident, attempt, since, until).await;
            }
            Command::Confirm { incident } => self.confirm(rollout, incident).await,
            Command::Snapshot { incident, when } => self.snapshot(rollout, incident, when).await,
            Command::WriteEvidence { incident, complete } => {
                self.write_evidence(rollout, incident, complete).await
            }
            Command::RunRampStep { ramp, step } => self.run_ramp_step(rollout, ramp, step).await,
            Command::WriteRampEvidence { ramp, stage } => {
                self.write_ramp_evidence(rollout, ramp, stage).await
            }
            Command::Deliver(message) => self.deliver(rollout, message).await,
            Command::Tick => self.report(&rollout.name, Input::Tick).await,
        }
    }

    /// Reads the share now and submits it.
    pub async fn read_share(&self, rollout: &Rollout) {
        if rollout.lane.target().can_observe() {
            self.observe_share(rollout).await;
        }
        self.report(&rollout.name, Input::ShareRead).await;
    }

    async fn observe_share(&self, rollout: &Rollout) {
        let asked_at = self.observed.moment();
        if let Err(error) = self.observe(rollout).await {
            tracing::warn!(rollout = %rollout.name, error, "the canary's share can't be read");
            self.observed.share(&rollout.name, asked_at, None);
        }
    }

    /// Observes the target within [`READ_TIMEOUT`] and records what was seen, or says why that was not
    /// possible.
    pub(super) async fn observe(&self, rollout: &Rollout) -> Result<(), String> {
        let clock = self.clock.as_ref();
        let target = ObservedTarget { rollout, observed: &self.observed, clock };
        match tokio::time::timeout(READ_TIMEOUT, target.observe()).await {
            Ok(observed) => observed.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", READ_TIMEOUT.as_secs_f64())),
        }
    }

    async fn run_step(&self, rollout: &Rollout, incident: IncidentId, attempt: u32, step: Step) {
        let command = Command::RunStep { incident: incident.clone(), attempt, step };
        let share_before = self.share_reader.before_acting(rollout).await;
        self.see_what_is_there(rollout).await;
        let Some(record) = self.act(rollout, &command, step, rollout.step_limits).await else {
            return self.tell_what_is_there(rollout).await;
        };
        let step = StepRecord { share_before, ..record };
        self.report(&rollout.name, Input::StepEnded { incident, attempt, step }).await;
        self.observed.step_ended(&rollout.name);
        self.report(&rollout.name, Input::ShareRead).await;
    }

    /// Carries the step out through the rollout's lane, for as long as the state asks for the command; `None`:
    /// it did not any more.
    pub(super) async fn act(
        &self,
        rollout: &Rollout,
        command: &Command,
        step: Step,
        limits: StepLimits,
    ) -> Option<StepRecord> {
        let permit = self.asks_for(rollout, command).and_then(|epoch| rollout.lane.enter(epoch));
        let Some(permit) = permit else {
            tracing::info!(step = step.as_str(), "it is not asked for any more: left");
            return None;
        };
        let clock = self.clock.as_ref();
        let target = ObservedTarget { rollout, observed: &self.observed, clock };
        let is_asked_for = || self.asks_for(rollout, command).is_some();
        let target = ActedOn { target, permit, is_asked_for };
        Some(run_step(&target, step, clock, limits, || self.randomness.jitter()).await)
    }

    /// Observes a target that says which revision is there, unless it has said so lately: a step may have been
    /// decided by a poll, and whoever deployed since did not ask for it. What can't be observed holds nothing
    /// back: the step itself reads what it depends on.
    async fn see_what_is_there(&self, rollout: &Rollout) {
        let now = self.clock.now();
        let Some((_, observed)) = self.observed.observation(&rollout.name, now) else { return };
        let seen_at = self.observed.revision_seen_at(&rollout.name, now);
        let is_of_now = seen_at.is_some_and(|at| at + decision::OBSERVATION_VALID >= now);
        if observed.revision.is_none() || is_of_now {
            return;
        }
        if let Err(error) = self.observe(rollout).await {
            tracing::warn!(rollout = %rollout.name, error, "it is acted upon as the last poll saw it");
        }
    }

    /// Where another revision was seen, the state knows nothing of it before somebody says so.
    async fn tell_what_is_there(&self, rollout: &Rollout) {
        if self.observed.observation(&rollout.name, self.clock.now()).is_some() {
            self.report(&rollout.name, Input::ShareRead).await;
        }
    }

    /// The decision that a command to act is for, if the state asks for it and nobody has seen another
    /// revision since.
    pub(super) fn asks_for(&self, rollout: &Rollout, command: &Command) -> Option<Epoch> {
        let states = self.journal.states();
        let state = states.get(&rollout.name)?;
        let now = self.clock.now();
        let observed = self.observed.observation(&rollout.name, now);
        let seen = observed.as_ref().map(|(_, observation)| observation.as_ref());
        let there = rollout.policy.revision_now(state, seen);
        let incident = state.open_incident().map(Incident::revision);
        let of_ramp = || state.running_ramp().map(|ramp| &ramp.plan.revision);
        let acts_on_it = incident.or_else(of_ramp).is_some_and(|revision| revision.may_be(there));
        let asks = acts_on_it && due(state, &rollout.policy, now).commands.contains(command);
        asks.then_some(state.epoch)
    }

    /// Observes until the next step can be decided on, or why it can't has to be recorded.
    async fn look(&self, rollout: &Rollout, id: IncidentId, attempt: u32) {
        let began = tokio::time::Instant::now();
        let mut error = None;
        // What was asked for with the alert, and may be on its way still, is as good as another answer.
        let mut is_known = self.share_reader.before_acting(rollout).await.is_some();
        while rollout.lane.target().can_observe() {
            let was_known = std::mem::take(&mut is_known);
            if !was_known {
                error = self.observe(rollout).await.err();
            }
            let Some(incident) = self.incident(&rollout.name, &id) else { return };
            let now = self.clock.now();
            let observed = self.observed.observation(&rollout.name, now);
            let observed = observed.as_ref().map(|(at, observation)| (*at, observation.as_ref()));
            match decision::next(&incident, observed, now) {
                None => return,
                Some(Next::Wait { reason, .. }) if incident.progress.waiting == Some(reason) => {}
                // From before the last step, for instance.
                Some(Next::Look) if was_known => continue,
                Some(Next::Look) => {
                    if error.is_some() && began.elapsed() >= LOOK_PATIENCE {
                        break;
                    }
                }
                Some(Next::Do(_) | Next::Wait { .. } | Next::Stuck(_) | Next::Undone(_) | Next::Done) => {
                    error = None;
                    break;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.report(&rollout.name, Input::Looked { incident: id, attempt, error }).await;
    }

    async fn confirm(&self, rollout: &Rollout, id: IncidentId) {
        let Some(incident) = self.incident(&rollout.name, &id) else { return };
        let alerts: Vec<Alert> = incident.alerts.iter().map(|attached| attached.alert.clone()).collect();
        let ((), (answer, answers)) = tokio::join!(
            async {
                if rollout.lane.target().can_observe() {
                    self.observe_share(rollout).await;
                }
            },
            self.sources.confirm(&rollout.policy.matching, &alerts, self.clock.as_ref()),
        );
        let asked = alerts.into_iter().map(|alert| (alert.fingerprint, alert.starts_at)).collect();
        self.report(&rollout.name, Input::Confirmation { incident: id, asked, answer, answers }).await;
    }

    async fn snapshot(&self, rollout: &Rollout, incident: IncidentId, when: SnapshotPoint) {
        // Asked for at once, and stored when the step has been sent: a commit takes the disk and the processor.
        let head_start = async {
            if when == SnapshotPoint::Before {
                tokio::time::sleep(HEAD_START).await;
            }
        };
        let (text, ()) = tokio::join!(rollout.application.metrics(), head_start);
        let mut blobs = Vec::new();
        let body = text.map(|text| {
            let blob = blob_ref(&text);
            blobs.push((blob.clone(), Arc::from(text)));
            blob
        });
        let body = body.map_err(|error| error.to_string());
        let inputs = vec![(rollout.name.clone(), Input::Snapshot { incident, when, body })];
        self.report_all(inputs, blobs).await;
    }

    async fn write_evidence(&self, rollout: &Rollout, id: IncidentId, complete: bool) {
        let write = || async {
            // None: it is closed and its evidence complete.
            let Some(incident) = self.incident(&rollout.name, &id) else { return Ok(None) };
            self.try_write_evidence(incident, complete).await.map(Some)
        };
        let failed = |error: &String, _| {
            self.metrics.evidence_written(false, false);
            tracing::error!(incident = %id, error, "evidence not written; the rollback goes on, and this is tried again");
        };
        if let Ok(Some(Recorded { files, problems })) = write.retry(untiring()).notify(failed).await {
            self.metrics.evidence_written(true, problems.is_empty());
            for problem in &problems {
                tracing::error!(incident = %id, problem, "evidence is written, but not all is well with it");
            }
            let input = Input::EvidenceWritten { incident: id, complete, files, problems };
            self.report(&rollout.name, input).await;
        }
    }

    async fn try_write_evidence(&self, incident: Arc<Incident>, complete: bool) -> Result<Recorded, String> {
        let mut blobs = EvidenceBlobs::default();
        for (when, body, _) in &incident.snapshots {
            let Some(body) = body else { continue };
            let bytes = self.blob(body, complete).await?;
            match when {
                SnapshotPoint::Before => blobs.before = bytes,
                SnapshotPoint::After => blobs.after = bytes,
            }
        }
        let mut seen = Vec::new();
        for body in incident.alerts.iter().filter_map(|attached| attached.body.as_ref()) {
            if seen.len() < MAX_BODIES && !seen.contains(&&body.sha256) {
                seen.push(&body.sha256);
                blobs.webhooks.extend(self.blob(body, complete).await?);
            }
        }
        let written = self.evidence.record(incident, blobs, complete, self.clock.now()).await;
        written.map_err(|error| error.in_full())
    }

    /// Bytes that go beside the evidence. The first evidence doesn't wait for a store that can't be
    /// read: the last one brings them.
    async fn blob(&self, body: &BlobRef, complete: bool) -> Result<Option<Vec<u8>>, String> {
        if let Some(held) = self.journal.held_blob(&body.sha256) {
            return Ok(Some(held.to_vec()));
        }
        match self.store.blob(&body.sha256).await {
            Ok(bytes) => Ok(bytes),
            Err(error) if complete => Err(crate::logging::chain(&error)),
            Err(error) => {
                tracing::warn!(
                    error = crate::logging::chain(&error),
                    sha256 = body.sha256,
                    "left out of the first evidence"
                );
                Ok(None)
            }
        }
    }

    pub(super) fn incident(&self, rollout: &RolloutName, id: &IncidentId) -> Option<Arc<Incident>> {
        let states = self.journal.states();
        let state = states.get(rollout)?;
        let current = state.incident.as_ref().filter(|incident| incident.id == *id);
        current.or_else(|| state.unfinished.get(id)).cloned()
    }

    /// Submits a result until it is accepted: what was done must not be forgotten, and what is not
    /// recorded would be done again. What the journal holds while the store can't be written counts.
    pub(super) async fn report(&self, rollout: &RolloutName, input: Input) {
        self.report_all(vec![(rollout.clone(), input)], Vec::new()).await;
    }

    async fn report_all(&self, inputs: Vec<(RolloutName, Input)>, blobs: Vec<(BlobRef, Arc<[u8]>)>) {
        let submit = || async {
            let submission = Submission { inputs: inputs.clone(), blobs: blobs.clone() };
            match self.journal.report(submission).await {
                Ok(_) | Err(super::JournalError::ShuttingDown) => Ok(()),
                Err(error) => Err(error),
            }
        };
        let failed = |error: &super::JournalError, _| tracing::warn!(%error, "a result waits to be taken");
        // Ends only with a success.
        let _taken = submit.retry(untiring()).notify(failed).await;
    }
}

/// Tries until it works, at growing gaps.
pub(super) fn untiring() -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_delay(LONGEST_PAUSE).without_max_times()
}

/// The SHA-256 and the length of bytes that are stored beside the events.
#[must_use]
pub fn blob_ref(bytes: &[u8]) -> BlobRef {
    BlobRef { sha256: sha256_hex(bytes), bytes: bytes.len() as u64 }
}
