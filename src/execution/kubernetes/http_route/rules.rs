//! The rules of an HTTPRoute: how much of each leads to the canary, and how they look with less.

use serde_json::{Map, Value};

use super::super::router::Route;
use crate::incident::Share;

/// The Services of both versions.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) namespace: String,
    pub(super) stable: String,
    pub(super) canary: String,
}

impl Services {
    fn leads_to(&self, backend: &Value, service: &str) -> bool {
        let is = |key: &str, expected: &str| match &backend[key] {
            Value::Null => true,
            value => value == expected,
        };
        backend["name"] == service
            && is("kind", "Service")
            && is("group", "")
            && is("namespace", &self.namespace)
    }

    fn is_stable(&self, backend: &Value) -> bool {
        self.leads_to(backend, &self.stable)
    }

    fn is_canary(&self, backend: &Value) -> bool {
        self.leads_to(backend, &self.canary)
    }

    /// Whether the rule divides requests between both versions.
    pub(super) fn names_both(&self, rule: &Value) -> bool {
        let backends = backends(rule);
        backends.iter().any(|one| self.is_stable(one)) && backends.iter().any(|one| self.is_canary(one))
    }

    /// The canary's share of one rule's requests; `None`: the rule doesn't name it.
    ///
    /// Rounded up, because a canary with one request in a thousand is not off. Without any weight above 0
    /// all of it counts as the canary's: a rule's only backend is used whatever its weight, and one of
    /// several answers 500 to everybody, which only a rollback mends.
    fn share(&self, backends: &[Value]) -> Option<Share> {
        let of_canary: u64 = backends.iter().filter(|one| self.is_canary(one)).map(weight).sum();
        if !backends.iter().any(|one| self.is_canary(one)) {
            return None;
        }
        let total: u64 = backends.iter().map(weight).sum();
        if total == 0 {
            return Some(Share::ALL);
        }
        Some(Share(u8::try_from((of_canary * 100).div_ceil(total)).unwrap_or(100)))
    }

    /// What the proxies make of the rules.
    pub(super) fn route(&self, rules: &[Value]) -> Route {
        let mut route = Route::of_share(Share::ZERO);
        let mut knows_any = false;
        for (number, rule) in rules.iter().enumerate() {
            let backends = backends(rule);
            knows_any |= backends.iter().any(|one| self.is_stable(one) || self.is_canary(one));
            let Some(share) = self.share(backends) else { continue };
            if share == Share::ALL && is_by_request(rule) {
                route.bypasses.push(label(number, rule));
            } else {
                route.share = route.share.max(share);
            }
        }
        if !knows_any {
            let Self { stable, canary, .. } = self;
            let obstacle = format!(
                "No rule of the HTTPRoute names the Service {stable} or {canary}, so nothing can be moved between them. Name both in its backendRefs."
            );
            return Route { obstacle: Some(obstacle), ..Route::of_share(Share::ALL) };
        }
        route
    }

    /// The rules with at most this share on the canary in each, and what is changed; `None`: they are so.
    pub(super) fn with_share(&self, rules: &[Value], share: Share) -> Option<(Vec<Value>, String)> {
        self.with(rules, share, |_, present| present > share)
    }

    /// The rules that name both with just this share on the canary in each; `None`: they have it. A rule that
    /// names one of them alone has nothing to divide.
    pub(super) fn with_exactly(&self, rules: &[Value], share: Share) -> Option<(Vec<Value>, String)> {
        self.with(rules, share, |rule, present| self.names_both(rule) && present != share)
    }

    /// The rules with this share on the canary in those that need it.
    fn with(
        &self,
        rules: &[Value],
        share: Share,
        needs_it: impl Fn(&Value, Share) -> bool,
    ) -> Option<(Vec<Value>, String)> {
        let port =
            rules.iter().flat_map(backends).find(|one| self.is_stable(one)).and_then(|one| one.get("port"));
        let mut words = Vec::new();
        let changed = rules.iter().enumerate().map(|(number, rule)| {
            let present = self.share(backends(rule));
            let Some(present) = present.filter(|present| needs_it(rule, *present)) else {
                return rule.clone();
            };
            // Some requests are led there by name: that ends when all others are off it, too.
            if share > Share::ZERO && present == Share::ALL && is_by_request(rule) {
                return rule.clone();
            }
            words.push(format!(
                "{}: canary {present} -> {share}, was {}",
                label(number, rule),
                weights(rule)
            ));
            let mut rule = rule.clone();
            let backends = std::mem::take(&mut rule["backendRefs"]);
            let Value::Array(backends) = backends else { return rule };
            rule["backendRefs"] = Value::Array(self.divided(backends, share, port));
            rule
        });
        let changed: Vec<_> = changed.collect();
        (!words.is_empty()).then(|| (changed, words.join("; ")))
    }

    /// Backends of which the canary gets at most the share, and stable what it had besides. Others keep
    /// what they have.
    fn divided(&self, mut backends: Vec<Value>, share: Share, port: Option<&Value>) -> Vec<Value> {
        let names_stable = backends.iter().any(|one| self.is_stable(one));
        if share == Share::ZERO && !names_stable {
            // An only backend's weight means nothing, and without any weight nobody would be served.
            let is_unweighted = backends.len() == 1 || backends.iter().map(weight).sum::<u64>() == 0;
            for one in backends.iter_mut().filter(|one| self.is_canary(one)) {
                self.point_to_stable(one, port);
                if is_unweighted {
                    set(one, "weight", None);
                }
            }
            return backends;
        }
        if !names_stable && let Some(canary) = backends.iter().find(|one| self.is_canary(one)) {
            let mut stable = canary.clone();
            self.point_to_stable(&mut stable, port);
            set(&mut stable, "weight", Some(Value::from(0)));
            backends.push(stable);
        }
        let ours = |one: &&Value| self.is_stable(one) || self.is_canary(one);
        let pair: u64 = backends.iter().filter(ours).map(weight).sum();
        let total: u64 = backends.iter().map(weight).sum();
        let has_others = !backends.iter().all(|one| ours(&one));
        let (canary, stable) = if has_others && pair > 0 {
            let canary = total * u64::from(share.0) / 100;
            (canary.min(pair), pair - canary.min(pair))
        } else {
            (u64::from(share.0), 100 - u64::from(share.0.min(100)))
        };
        // Of several that lead to one Service the first gets all of it.
        let (mut canary, mut stable) = (Some(canary), Some(stable));
        for one in &mut backends {
            let left = if self.is_canary(one) {
                &mut canary
            } else if self.is_stable(one) {
                &mut stable
            } else {
                continue;
            };
            set(one, "weight", Some(Value::from(left.take().unwrap_or(0))));
        }
        backends
    }

    fn point_to_stable(&self, backend: &mut Value, port: Option<&Value>) {
        set(backend, "name", Some(Value::from(self.stable.as_str())));
        if let Some(port) = port {
            set(backend, "port", Some(port.clone()));
        }
    }
}

fn backends(rule: &Value) -> &[Value] {
    rule["backendRefs"].as_array().map_or(&[], Vec::as_slice)
}

/// 1 where it isn't said.
fn weight(backend: &Value) -> u64 {
    backend["weight"].as_u64().unwrap_or(1)
}

fn set(backend: &mut Value, key: &str, value: Option<Value>) {
    let Some(members) = backend.as_object_mut() else { return };
    match value {
        Some(value) => members.insert(key.to_owned(), value),
        None => members.remove(key),
    };
}

/// Whether only requests that say so themselves fall under the rule: each of its matches asks for a header
/// or a query parameter. Without matches all requests do.
fn is_by_request(rule: &Value) -> bool {
    let matches = rule["matches"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    !matches.is_empty() && matches.iter().all(|one| conditions(one).next().is_some())
}

/// Such as `header x-canary`.
fn conditions(one: &Value) -> impl Iterator<Item = String> + '_ {
    [("headers", "header"), ("queryParams", "query parameter")].into_iter().flat_map(move |(key, kind)| {
        let all = one[key].as_array().into_iter().flatten();
        all.map(move |condition| format!("{kind} {}", condition["name"].as_str().unwrap_or("unnamed")))
    })
}

/// The rule by its name or its place, and whom it is for.
fn label(number: usize, rule: &Value) -> String {
    let place = match rule["name"].as_str() {
        Some(name) => format!("rule {name}"),
        None => format!("spec.rules[{number}]"),
    };
    let mut matched: Vec<_> = rule["matches"].as_array().into_iter().flatten().flat_map(conditions).collect();
    matched.sort();
    matched.dedup();
    if matched.is_empty() { place } else { format!("{place} ({})", matched.join(", ")) }
}

/// Such as `api-stable=75 api-canary=25`.
fn weights(rule: &Value) -> String {
    let empty = Map::new();
    let each = backends(rule).iter().map(|one| {
        let members = one.as_object().unwrap_or(&empty);
        let name = members.get("name").and_then(Value::as_str).unwrap_or("unnamed");
        format!("{name}={}", weight(one))
    });
    each.collect::<Vec<_>>().join(" ")
}
