//! ingress-nginx: a second Ingress whose annotations say which share of the first one's requests it gets.
//!
//! What the annotations mean is read off the controller's source, 1.9 to 1.15: the annotations' parser
//! (`internal/ingress/annotations/canary/main.go`) and the balancer (`rootfs/etc/nginx/lua/balancer.lua`).
//! It is another program than F5's `nginx.org/…`, which has other annotations.

mod doubts;

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use serde_json::{Map, Value, json};

use super::changes::Fields;
use super::object::{INGRESS, Object};
use super::router::{Change, Route, Router, Send};
use crate::finding::{Check, Finding};
use crate::incident::Share;
use crate::text::kept_within;

const CANARY: &str = "nginx.ingress.kubernetes.io/canary";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";
const WEIGHT_TOTAL: &str = "nginx.ingress.kubernetes.io/canary-weight-total";
const HEADER: &str = "nginx.ingress.kubernetes.io/canary-by-header";
const HEADER_VALUE: &str = "nginx.ingress.kubernetes.io/canary-by-header-value";
const HEADER_PATTERN: &str = "nginx.ingress.kubernetes.io/canary-by-header-pattern";
const COOKIE: &str = "nginx.ingress.kubernetes.io/canary-by-cookie";

/// The balancer asks these first: weight 0 doesn't stop them.
const RULES: [&str; 4] = [HEADER, HEADER_VALUE, HEADER_PATTERN, COOKIE];

/// The weight, or else any of the canary's annotations: a weight that is gone is nobody's.
const FIELDS: Fields = &[
    &["f:metadata", "f:annotations", "f:nginx.ingress.kubernetes.io/canary-weight"],
    &["f:metadata", "f:annotations", "f:nginx.ingress.kubernetes.io/canary*"],
];

/// The longest value of an annotation that evidence repeats.
const MAX_VALUE_CHARS: usize = 100;

/// The canary's Ingress.
#[derive(Debug)]
pub(super) struct IngressNginx {
    object: Object,
    stable_service: String,
}

impl IngressNginx {
    pub(super) fn new(namespace: &str, canary_ingress: &str, stable_service: &str) -> Self {
        Self {
            object: Object::new(INGRESS, namespace, canary_ingress),
            stable_service: stable_service.to_owned(),
        }
    }
}

impl Router for IngressNginx {
    fn object(&self) -> &Object {
        &self.object
    }

    fn route(&self, object: &Value) -> Result<Route, String> {
        parse(object).map(|ingress| route(&ingress, &self.stable_service))
    }

    fn with_share(&self, object: &Value, share: Share) -> Result<Option<Change>, String> {
        let ingress = parse(object)?;
        Ok(annotations(&ingress, share).map(|changed| change(&ingress, changed)))
    }

    fn with_exactly(&self, object: &Value, share: Share) -> Result<Option<Change>, String> {
        let ingress = parse(object)?;
        let differs = is_canary(&ingress) && self::share(&ingress) != share;
        Ok(differs.then(|| {
            let (weight, words) = weight(&ingress, share);
            change(&ingress, (Map::from_iter([(WEIGHT.to_owned(), weight)]), words))
        }))
    }

    fn describe(&self, share: Share) -> String {
        let rules = if share == Share::ZERO { ", no header or cookie rule" } else { "" };
        format!("PATCH {}: canary-weight for {share}{rules}", self.object.typed())
    }

    fn fields(&self) -> Fields {
        FIELDS
    }

    fn doubts(&self, check: Check<'_>, object: &Value, canary_service: &str) -> Vec<Finding> {
        doubts::of(check, object, &self.stable_service, canary_service)
    }

    fn doubts_beside(&self, check: Check<'_>, object: &Value, all: &[Ingress]) -> Vec<Finding> {
        doubts::beside(check, object, &self.stable_service, all)
    }
}

fn parse(object: &Value) -> Result<Ingress, String> {
    serde_json::from_value(object.clone()).map_err(|error| format!("not an Ingress: {error}"))
}

/// An annotation's text; an empty one is none.
fn text<'a>(ingress: &'a Ingress, name: &str) -> Option<&'a str> {
    let annotations = ingress.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str).filter(|text| !text.trim().is_empty())
}

/// As the controller reads numbers: what is none is 0.
fn number(ingress: &Ingress, name: &str) -> i64 {
    text(ingress, name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// In which units the weight counts. The balancer takes less than 100 for 100.
fn weight_total(ingress: &Ingress) -> i64 {
    number(ingress, WEIGHT_TOTAL).max(100)
}

/// Whether the controller takes it for a canary; what Go's `strconv.ParseBool` takes for true.
fn is_canary(ingress: &Ingress) -> bool {
    text(ingress, CANARY).is_some_and(|text| ["1", "t", "T", "true", "TRUE", "True"].contains(&text))
}

/// What ingress-nginx makes of the Ingress.
fn route(ingress: &Ingress, stable_service: &str) -> Route {
    if is_canary(ingress) {
        return Route { bypasses: bypasses(ingress), ..Route::of_share(share(ingress)) };
    }
    // An ordinary Ingress then, whatever its weight says: all of its requests go to its backends.
    let backends = backends(ingress);
    if !backends.is_empty() && backends.iter().all(|backend| backend == stable_service) {
        return Route::of_share(Share::ZERO);
    }
    let name = ingress.metadata.name.as_deref().unwrap_or_default();
    let named = backends.into_iter().collect::<Vec<_>>().join(", ");
    let leads = if named.is_empty() {
        "it leads to no Service".to_owned()
    } else {
        format!("all of it goes to {named}")
    };
    let obstacle = format!(
        "Ingress {name} has no {CANARY}: \"true\", so ingress-nginx ignores its weight and {leads}. Point its backend at the Service {stable_service} by hand; setting canary: \"true\" helps only where another Ingress serves the same host and path."
    );
    Route { obstacle: Some(obstacle), ..Route::of_share(Share::ALL) }
}

/// Rounded up, because a canary with one request in a thousand is not off.
fn share(ingress: &Ingress) -> Share {
    let total = weight_total(ingress);
    let weight = number(ingress, WEIGHT).clamp(0, total);
    let percent = (i128::from(weight) * 100 + i128::from(total) - 1) / i128::from(total);
    Share(u8::try_from(percent).unwrap_or(100).min(100))
}

/// A value or a pattern says for which header, and does nothing without one.
fn bypasses(ingress: &Ingress) -> Vec<String> {
    let has_header = text(ingress, HEADER).is_some();
    let leads = |name: &&str| text(ingress, name).is_some() && (has_header || *name == COOKIE);
    RULES.into_iter().filter(leads).map(str::to_owned).collect()
}

/// The Services that it leads to, and what else it does by its kind.
fn backends(ingress: &Ingress) -> BTreeSet<String> {
    let Some(spec) = &ingress.spec else { return BTreeSet::new() };
    let rules = spec.rules.iter().flatten().filter_map(|rule| rule.http.as_ref());
    let of_paths = rules.flat_map(|http| &http.paths).map(|path| &path.backend);
    of_paths.chain(&spec.default_backend).map(name).collect()
}

fn name(backend: &IngressBackend) -> String {
    if let Some(service) = &backend.service {
        return service.name.clone();
    }
    let resource = backend.resource.as_ref();
    resource.map_or_else(|| "nothing".to_owned(), |resource| format!("{} {}", resource.kind, resource.name))
}

/// The weight for a share, and what becomes of what. Rounded down: never more than was asked for.
fn weight(ingress: &Ingress, share: Share) -> (Value, String) {
    let weight = (i128::from(share.0) * i128::from(weight_total(ingress)) / 100).to_string();
    let words = format!("canary-weight {} -> {weight}", text(ingress, WEIGHT).unwrap_or("none"));
    (Value::String(weight), words)
}

fn change(ingress: &Ingress, (annotations, words): (Map<String, Value>, String)) -> Change {
    let version = &ingress.metadata.resource_version;
    let patch = json!({ "metadata": { "resourceVersion": version, "annotations": annotations } });
    Change { send: Send::MergePatch(patch), words }
}

/// The annotations that lower the share to this, as a merge patch takes them, and what is changed.
fn annotations(ingress: &Ingress, share: Share) -> Option<(Map<String, Value>, String)> {
    if !is_canary(ingress) {
        return None;
    }
    let mut patch = Map::new();
    let mut words = Vec::new();
    if self::share(ingress) > share {
        let (weight, changed) = weight(ingress, share);
        words.push(changed);
        patch.insert(WEIGHT.to_owned(), weight);
    }
    if share == Share::ZERO {
        for rule in RULES {
            let Some(value) = ingress.metadata.annotations.as_ref().and_then(|all| all.get(rule)) else {
                continue;
            };
            words.push(format!("removed {rule}: {:?}", kept_within(value, MAX_VALUE_CHARS)));
            patch.insert(rule.to_owned(), Value::Null);
        }
    }
    (!patch.is_empty()).then(|| (patch, words.join(", ")))
}

#[cfg(test)]
mod tests;
