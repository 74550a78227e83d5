//! Asks the API server who else acts, and says once what keeps it from knowing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::super::caller::Caller;
use super::super::error::CallError;
use super::super::object::{
    ARGO_ROLLOUT, DEPLOYMENT, FLAGGER_CANARY, HORIZONTAL_POD_AUTOSCALER, Kind, Object,
};
use super::owner::{argo, flagger};
use super::{Claim, Findings, autoscaler};
use crate::config::{KubernetesConfig, OwnerPolicy};
use crate::incident::Stance;

/// A kind that the cluster doesn't have is not asked for again before this long: nobody installs one daily.
const ABSENT_FOR: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Reader {
    caller: Caller,
    stable: Object,
    /// Of the stable version, as a rollback wants them.
    replicas: u16,
    /// All that others may own, such as `Ingress api-canary`.
    ours: Vec<String>,
    policy: OwnerPolicy,
    /// Kinds that the cluster hasn't, and when that was last asked.
    absent: Mutex<HashMap<&'static str, Instant>>,
    /// What the log says already.
    said: Mutex<Vec<String>>,
}

/// What a list could say.
enum Listed<T> {
    All(Vec<T>),
    /// Nobody can act on this kind's account, or nobody may know.
    None,
    /// It is as it was, as far as anybody knows.
    Unread,
}

impl Reader {
    pub(super) fn new(caller: Caller, router: &Object, config: &KubernetesConfig) -> Self {
        let KubernetesConfig { namespace, stable, canary, replicas, owner, .. } = config;
        let of = |kind: &str, name: &str| format!("{kind} {name}");
        let mut ours = vec![router.to_string()];
        for one in [stable, canary] {
            ours.extend([of("Deployment", &one.deployment), of("Service", &one.service)]);
        }
        Self {
            caller,
            stable: Object::new(DEPLOYMENT, namespace, &stable.deployment),
            replicas: *replicas,
            ours,
            policy: *owner,
            absent: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// What can't be read is taken to be as it was.
    pub(super) async fn read(&self, before: Findings) -> Findings {
        let (scalers, rollouts, canaries) = tokio::join!(
            self.list(HORIZONTAL_POD_AUTOSCALER),
            self.list::<Value>(ARGO_ROLLOUT),
            self.list::<Value>(FLAGGER_CANARY),
        );
        let autoscaler = match scalers {
            Listed::All(all) => autoscaler::of(&all, &self.stable.name),
            Listed::None => None,
            Listed::Unread => before.autoscaler,
        };
        let mut findings = Findings { autoscaler, ..Findings::default() };
        let (namespace, ours) = (&self.stable.namespace, &self.ours);
        let mut claims: Vec<Claim> = Vec::new();
        for (listed, claim) in [(&rollouts, argo::claim as Classify), (&canaries, flagger::claim)] {
            match listed {
                Listed::All(all) => {
                    claims.extend(all.iter().filter_map(|one| claim(one, namespace, ours, self.policy)));
                }
                Listed::None => {}
                Listed::Unread => findings.is_partial = true,
            }
        }
        if findings.is_partial {
            claims.extend(before.owner);
        }
        // Who is left alone keeps everything as it is, whatever another one would do.
        claims.sort_by_key(|claim| claim.owner.stance);
        findings.owner = claims.into_iter().next();

        let scaler = findings.autoscaler.as_ref();
        findings
            .warnings
            .extend(scaler.and_then(|one| autoscaler::warning(one, &self.stable, self.replicas)));
        findings.warnings.extend(findings.owner.as_ref().and_then(Claim::warning));
        if let Listed::All(all) = &canaries {
            findings.warnings.extend(all.iter().filter_map(|one| flagger::suspended(one, namespace, ours)));
        }
        findings.warnings.iter().for_each(|warning| self.say(warning));
        if let Some(claim) = findings.owner.as_ref().filter(|claim| claim.owner.stance == Stance::LeftAlone) {
            self.say(&claim.obstacle().unwrap_or_default());
        }
        findings
    }

    async fn list<T: DeserializeOwned>(&self, kind: Kind) -> Listed<T> {
        let known_absent = self.absent().get(kind.plural).is_some_and(|at| at.elapsed() < ABSENT_FOR);
        if known_absent {
            return Listed::None;
        }
        match self.caller.list(kind, &self.stable.namespace).await {
            Ok(all) => Listed::All(all),
            Err(error) => self.unread(kind, &error),
        }
    }

    /// Without the right to list them it can't be known, and a rollback is worth more than the doubt.
    fn unread<T>(&self, kind: Kind, error: &CallError) -> Listed<T> {
        match error.status() {
            Some(404) => {
                self.absent().insert(kind.plural, Instant::now());
                Listed::None
            }
            Some(403) => {
                self.say(&format!("{}. Until then it is taken that there are none", error.words()));
                Listed::None
            }
            _ => {
                tracing::debug!(error = error.words(), "who else acts on the rollout can't be read");
                Listed::Unread
            }
        }
    }

    /// Into the log, once for as long as we run.
    fn say(&self, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.iter().any(|known| known == text) {
            tracing::warn!(namespace = self.stable.namespace, "{text}");
            said.push(text.to_owned());
        }
    }

    fn absent(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Instant>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Classify = fn(&Value, &str, &[String], OwnerPolicy) -> Option<Claim>;
