//! What our account has to be allowed in a rollout's namespace: one table, which `doctor` asks the API
//! server about, and which a test holds against the Role that is shipped.

use std::fmt;

use super::Claim;
use super::error::{Call, Verb};
use super::object::{
    ARGO_ROLLOUT, DEPLOYMENT, ENDPOINT_SLICE, EVENT, FLAGGER_CANARY, HORIZONTAL_POD_AUTOSCALER, HTTP_ROUTE,
    INGRESS, Kind, Object, SERVICE,
};
use crate::config::{KubernetesConfig, RouterConfig};
use crate::incident::Stance;

/// What is lost without a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A rollback can't be carried out, or not be read back.
    Rollback,
    /// Something beside it; in words, to be continued after "without it".
    Beside(&'static str),
    /// A look of doctor's alone, so that the shipped account has none of these; in words, to be continued after
    /// "it can't see".
    Doctor(&'static str),
}

/// One verb on one resource, as a Role grants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    call: Call,
    pub need: Need,
}

impl Right {
    /// Such as `patch`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.call.verb.as_str()
    }

    /// Such as `apps`; empty for the oldest resources.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.call.object.kind.group
    }

    /// Without its subresource, such as `deployments`.
    #[must_use]
    pub fn resource(&self) -> &'static str {
        self.call.object.kind.plural
    }

    /// Such as `scale`.
    #[must_use]
    pub fn subresource(&self) -> Option<&'static str> {
        self.call.subresource
    }

    /// Where it is needed.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.call.object.namespace
    }

    /// The only object on which it is needed; `None`: it can't be limited to names.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.call.is_named().then_some(self.call.object.name.as_str())
    }

    /// What to add to a Role, as it is written there.
    #[must_use]
    pub fn rule(&self) -> String {
        self.call.right()
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call)
    }
}

/// Every right that a rollout needs, in the order of what is lost without them.
#[must_use]
pub fn rights(config: &KubernetesConfig) -> Vec<Right> {
    let namespace = config.namespace.as_str();
    let named = |kind: Kind, name: &str, verb, subresource| Right {
        call: Call { verb, object: Object::new(kind, namespace, name), subresource },
        need: Need::Rollback,
    };
    let mut rights = Vec::new();
    for name in [&config.stable.deployment, &config.canary.deployment] {
        rights.push(named(DEPLOYMENT, name, Verb::Get, None));
        rights.push(named(DEPLOYMENT, name, Verb::Get, Some("scale")));
        rights.push(named(DEPLOYMENT, name, Verb::Patch, Some("scale")));
    }
    let (kind, router, write) = match &config.router {
        RouterConfig::IngressNginx { canary_ingress } => (INGRESS, canary_ingress, Verb::Patch),
        RouterConfig::GatewayApi { http_route } => (HTTP_ROUTE, http_route, Verb::Update),
    };
    rights.push(named(kind, router, Verb::Get, None));
    rights.push(named(kind, router, write, None));
    rights.push(named(ENDPOINT_SLICE, "of the Services", Verb::List, None));
    let beside = |right: Right, words| Right { need: Need::Beside(words), ..right };
    let for_doctor = |right: Right, words| Right { need: Need::Doctor(words), ..right };
    rights.push(beside(
        named(ENDPOINT_SLICE, "of the Services", Verb::Get, None),
        "a rollback waits for a list of them, up to a tenth of a second",
    ));
    rights.push(beside(
        named(EVENT, "of a rollback", Verb::Create, None),
        "kubectl describe says nothing of a rollback",
    ));
    rights.push(beside(
        named(HORIZONTAL_POD_AUTOSCALER, "of the Deployments", Verb::List, None),
        "an autoscaler that pulls stable down after a rollback is not foreseen",
    ));
    for kind in [ARGO_ROLLOUT, FLAGGER_CANARY] {
        rights.push(beside(
            named(kind, "of the namespace", Verb::List, None),
            "whether it carries the rollout out itself is not known, and Backstop might fight it",
        ));
    }
    for name in [&config.stable.service, &config.canary.service] {
        rights.push(for_doctor(named(SERVICE, name, Verb::Get, None), "whose pods the Services select"));
    }
    if kind == INGRESS {
        rights.push(for_doctor(
            named(INGRESS, "beside the canary's", Verb::List, None),
            "whether another Ingress serves the canary's host and path",
        ));
    }
    rights
}

/// The right to tell an owner to stop, where a rollback is to do that: which object it is only the cluster says.
pub(super) fn right_to_stop(claim: &Claim) -> Option<Right> {
    let call = Call { verb: Verb::Patch, object: claim.object.clone(), subresource: claim.stop.subresource };
    // One that is stopped today rolls out again with the next version.
    (claim.owner.stance != Stance::LeftAlone).then_some(Right { call, need: Need::Rollback })
}
