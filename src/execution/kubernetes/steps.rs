//! Carries one step out: reads what it depends on, decides, and sends a change that holds only for what was
//! read. Somebody else's change in between is a conflict, and everything is read and decided again.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::KubernetesTarget;
use super::error::CallError;
use super::just_read::Reading;
use super::object::Object;
use super::pods::{available, count};
use super::router::{Change, Route, Send};
use crate::execution::ActError;
use crate::incident::{Answer, Share, Step};

/// How often a step is decided again because somebody changed the object.
const MAX_ROUNDS: u32 = 5;

/// No round begins after this long: who runs the step has a deadline of its own.
pub(super) const ROUNDS_WITHIN: Duration = Duration::from_secs(10);

/// Why a round ended without what it was for.
pub(super) enum Ended {
    /// In the words of the API server.
    Conflict(String),
    Error(ActError),
}

/// What it takes to a share.
struct Planned {
    route: Route,
    /// `None`: it is so already, or can't be changed.
    change: Option<Change>,
    /// The stable version's ready endpoints.
    ready: u16,
}

impl Planned {
    fn leads_to_a_change(&self, needed: u16) -> bool {
        self.ready >= needed && self.route.obstacle.is_none() && self.change.is_some()
    }
}

impl KubernetesTarget {
    /// Decides the step again after a conflict while `is_last` says that no later one was begun.
    ///
    /// # Errors
    /// See [`ActError`].
    pub(super) async fn carry_out(&self, step: Step, is_last: impl Fn() -> bool) -> Result<Answer, ActError> {
        let started = Instant::now();
        let mut conflict = String::new();
        for _ in 0..MAX_ROUNDS {
            match self.round(step).await {
                Ok(answer) => return Ok(answer),
                Err(Ended::Error(error)) => return Err(error),
                Err(Ended::Conflict(words)) => conflict = words,
            }
            if !is_last() {
                let text = format!("a later step was begun, and this one met {conflict}");
                return Err(ActError::NotNow(Answer { status: None, text }));
            }
            if started.elapsed() >= ROUNDS_WITHIN {
                break;
            }
        }
        // Without the status, which says of other systems that it would be the same again.
        let text = format!("somebody else changes it again and again: {conflict}");
        Err(ActError::Retry { answer: Answer { status: None, text }, after: None })
    }

    async fn round(&self, step: Step) -> Result<Answer, Ended> {
        match step {
            Step::StableUp { replicas } => self.stable_up(step, replicas).await,
            Step::TrafficOff => self.shift(step, Share::ZERO, 1).await,
            Step::Shift { share, ready_at_least } => self.shift(step, share, ready_at_least).await,
            Step::CanaryDown { ready_at_least } => self.canary_down(step, ready_at_least).await,
            Step::CanaryUp { replicas } => self.canary_up(step, replicas).await,
            Step::SetShare { share, ready_at_least } => self.set_share(step, share, ready_at_least).await,
            Step::StableDown { ready_at_least } => self.stable_down(step, ready_at_least).await,
            Step::StopOwner => self.stop_owner(step).await,
        }
    }

    async fn stable_up(&self, step: Step, replicas: u16) -> Result<Answer, Ended> {
        let (scale, unowned) = tokio::join!(self.caller.get(&self.stable, Some("scale")), self.is_unowned());
        let scale: Scale = scale.map_err(before)?;
        let present = replicas_of(&scale);
        if present >= replicas {
            return Ok(unchanged(format!("{} has {present} replicas already", self.stable)));
        }
        unowned?;
        self.set_replicas(step, &self.stable, &scale, replicas).await?;
        Ok(changed(format!("{}: replicas {present} -> {replicas}", self.stable)))
    }

    async fn shift(&self, step: Step, share: Share, ready_at_least: u16) -> Result<Answer, Ended> {
        let needed = ready_at_least.max(1);
        let (planned, unowned) = tokio::join!(self.planned_now(share, needed), self.is_unowned());
        let Planned { route, change, ready } = planned?;
        // An obstacle that isn't in the way of what is so already is the observation's to tell.
        if change.is_none() && route.obstacle.is_none() {
            let moved = format!("{}: {} already", self.router.object(), words(&route));
            return Ok(unchanged(moved));
        }
        unowned?;
        if ready < needed {
            let service = &self.stable_service;
            return Err(not_now(format!(
                "the Service {service} has {ready} ready endpoints, and the step needs {needed}"
            )));
        }
        let (None, Some(change)) = (&route.obstacle, change) else {
            return Err(not_now(route.obstacle.unwrap_or_default()));
        };
        self.move_traffic(step, change).await
    }

    /// Sends a change of the router's object.
    pub(super) async fn move_traffic(&self, step: Step, change: Change) -> Result<Answer, Ended> {
        self.events.started(step);
        self.router_version.forget();
        let object = self.router.object();
        let sent = match change.send {
            Send::MergePatch(patch) => self.caller.merge_patch(object, None, &patch).await,
            Send::Replace(whole) => self.caller.replace(object, &whole).await,
        };
        sent.map_err(after)?;
        Ok(changed(format!("{object}: {}", change.words)))
    }

    /// What it takes to this share, by what was read a moment ago if that leads to a change, or else by what is
    /// read now. A change is refused where its object is another by now; nothing would tell that "it is so
    /// already", or that too few are ready, holds no longer.
    async fn planned_now(&self, share: Share, needed: u16) -> Result<Planned, Ended> {
        let known = self.just_read.take().and_then(|reading| self.planned(&reading, share).ok());
        if let Some(planned) = known.filter(|planned| planned.leads_to_a_change(needed)) {
            return Ok(planned);
        }
        let (object, ready) = tokio::join!(self.router_object(), self.ready_endpoints(needed));
        self.planned(
            &Reading { router_object: object.map_err(before)?, ready: ready.map_err(before)? },
            share,
        )
    }

    fn planned(&self, reading: &Reading, share: Share) -> Result<Planned, Ended> {
        let route = self.route(&reading.router_object)?;
        let change = self.router.with_share(&reading.router_object, share).map_err(not_understood)?;
        Ok(Planned { route, change, ready: reading.ready })
    }

    async fn canary_down(&self, step: Step, ready_at_least: u16) -> Result<Answer, Ended> {
        let needed = ready_at_least.max(1);
        let (scale, object, stable, ready, unowned) = tokio::join!(
            self.caller.get::<Scale>(&self.canary, Some("scale")),
            self.router_object(),
            self.caller.get::<Deployment>(&self.stable, None),
            self.ready_endpoints(needed),
            self.is_unowned(),
        );
        let scale = scale.map_err(before)?;
        let present = replicas_of(&scale);
        if present == 0 {
            return Ok(unchanged(format!("{} has no replicas already", self.canary)));
        }
        unowned?;
        let route = self.route(&object.map_err(before)?)?;
        if !route.is_off() {
            return Err(not_now(format!("the canary still has traffic: {}", words(&route))));
        }
        let (available, ready) = (available(&stable.map_err(before)?), ready.map_err(before)?);
        if available < needed || ready < needed {
            let Self { stable, stable_service, .. } = self;
            return Err(not_now(format!(
                "{stable} has {available} available replicas and the Service {stable_service} {ready} ready endpoints, and the step needs {needed} of both"
            )));
        }
        self.set_replicas(step, &self.canary, &scale, 0).await?;
        Ok(changed(format!("{}: replicas {present} -> 0", self.canary)))
    }

    pub(super) async fn set_replicas(
        &self,
        step: Step,
        deployment: &Object,
        read: &Scale,
        replicas: u16,
    ) -> Result<(), Ended> {
        self.events.started(step);
        let version = &read.metadata.resource_version;
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "replicas": replicas } });
        self.caller.merge_patch(deployment, Some("scale"), &patch).await.map_err(after)
    }

    pub(super) fn route(&self, object: &Value) -> Result<Route, Ended> {
        self.router.route(object).map_err(not_understood)
    }
}

/// None on a Scale means 0, unlike on a Deployment: Go leaves zeros out.
pub(super) fn replicas_of(scale: &Scale) -> u16 {
    count(scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0))
}

/// The traffic as the router's object has it, in words.
pub(super) fn words(route: &Route) -> String {
    let share = format!("canary {}", route.share);
    let rules = (!route.bypasses.is_empty()).then(|| format!("and {}", route.bypasses.join(", ")));
    [Some(share), rules, route.not_in_effect.clone()].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) fn changed(text: String) -> Answer {
    Answer { status: Some(200), text: crate::text::kept(&text) }
}

/// Nothing was sent, so there is no status.
pub(super) fn unchanged(text: String) -> Answer {
    Answer { status: None, text: crate::text::kept(&text) }
}

pub(super) fn not_now(text: String) -> Ended {
    Ended::Error(ActError::NotNow(Answer { status: None, text }))
}

pub(super) fn not_understood(text: String) -> Ended {
    Ended::Error(ActError::Refused(Answer { status: None, text }))
}

pub(super) fn before(error: CallError) -> Ended {
    Ended::Error(error.before_a_change())
}

pub(super) fn after(error: CallError) -> Ended {
    if error.is_conflict() { Ended::Conflict(error.words()) } else { Ended::Error(error.of_a_change()) }
}
