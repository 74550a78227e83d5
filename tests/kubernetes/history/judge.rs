//! What must never have been so, looked for in every state that there was.
//!
//! Read by rules of its own, not by the product's: a mistake there must not hide itself here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Change;

/// So many ready pods carry everything.
const REPLICAS: u64 = 3;

/// How one namespace's rollout was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) stable_wanted: u64,
    pub(crate) canary_wanted: u64,
    pub(crate) stable_ready: u64,
    pub(crate) canary_ready: u64,
    /// The canary's share by the router's object, in per cent.
    pub(crate) share: u64,
    /// The same by the last form of it that a gateway has taken over; nginx takes each at once.
    pub(crate) followed: u64,
}

/// What became of a namespace, and what in it must not have been.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) first: State,
    pub(crate) last: State,
    /// How many states there were between.
    pub(crate) states: usize,
    /// Each once, with the first state in which it was so.
    pub(crate) violations: BTreeMap<&'static str, State>,
}

/// Replays changes, which come in their order; what was before `begins_at` is where it starts from.
pub(super) fn judge<'a>(changes: impl Iterator<Item = &'a Change>, begins_at: u64) -> Judged {
    let mut world = World::default();
    let mut judged = Judged::default();
    for change in changes {
        let before = world.state();
        world.takes(change);
        let now = world.state();
        if change.version <= begins_at {
            judged.first = now.clone();
            judged.last = now;
            continue;
        }
        judged.states += 1;
        world.had_stable |= before.stable_ready > 0 || now.stable_ready > 0;
        for violation in wrong(&judged.first, &before, &now, world.had_stable) {
            judged.violations.entry(violation).or_insert_with(|| now.clone());
        }
        judged.last = now;
    }
    judged
}

fn wrong(first: &State, before: &State, now: &State, had_stable: bool) -> Vec<&'static str> {
    let ready = now.stable_ready.min(REPLICAS);
    let uncarried = ((REPLICAS - ready) * 100).div_ceil(REPLICAS);
    let is_shifted = now.share < first.share || (first.share == 0 && had_stable);
    let found = [
        (is_shifted && now.stable_ready == 0, "traffic was shifted onto no ready pod of stable"),
        (
            now.share < before.share && now.share < uncarried,
            "more was shifted than stable's ready pods carry",
        ),
        (
            now.canary_wanted == 0 && now.share.max(now.followed) > 0,
            "the canary went down with traffic on it",
        ),
        (now.stable_ready + now.canary_ready == 0, "no version had a ready pod"),
        (now.stable_wanted < before.stable_wanted, "stable was lowered"),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect()
}

#[derive(Default)]
struct World {
    wanted: BTreeMap<String, u64>,
    /// By slice: the Service and its ready addresses.
    slices: BTreeMap<String, (String, BTreeSet<String>)>,
    share: u64,
    followed: u64,
    had_stable: bool,
}

impl World {
    fn takes(&mut self, change: &Change) {
        let name = change.object.metadata.name.clone().unwrap_or_default();
        let data = &change.object.data;
        match change.kind {
            "Deployment" if change.is_gone => drop(self.wanted.remove(&name)),
            "Deployment" => {
                // As the API server stores it, it is always said.
                self.wanted.insert(name, data["spec"]["replicas"].as_u64().expect("replicas"));
            }
            "EndpointSlice" if change.is_gone => drop(self.slices.remove(&name)),
            "EndpointSlice" => {
                let labels = change.object.metadata.labels.clone().unwrap_or_default();
                let service = labels.get("kubernetes.io/service-name").cloned().unwrap_or_default();
                self.slices.insert(name, (service, ready(data)));
            }
            "Ingress" => {
                self.share = share_of_ingress(change);
                self.followed = self.share;
            }
            _ => {
                self.share = share_of_route(data);
                if is_taken_over(change) {
                    self.followed = self.share;
                }
            }
        }
    }

    fn state(&self) -> State {
        let wanted = |name: &str| self.wanted.get(name).copied().unwrap_or(0);
        let ready = |service: &str| {
            let of_it = self.slices.values().filter(|(of, _)| of == service).flat_map(|(_, ready)| ready);
            of_it.collect::<BTreeSet<_>>().len() as u64
        };
        State {
            stable_wanted: wanted("stable"),
            canary_wanted: wanted("canary"),
            stable_ready: ready("stable"),
            canary_ready: ready("canary"),
            share: self.share,
            followed: self.followed,
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn ready(slice: &Value) -> BTreeSet<String> {
    let ready = list(&slice["endpoints"]).filter(|endpoint| {
        endpoint["conditions"]["ready"] != false && endpoint["conditions"]["terminating"] != true
    });
    ready.filter_map(|endpoint| endpoint["addresses"][0].as_str()).map(str::to_owned).collect()
}

/// Without the mark it is an Ingress like any other, and all goes to its backend.
fn share_of_ingress(change: &Change) -> u64 {
    let annotations = change.object.metadata.annotations.clone().unwrap_or_default();
    let text = |name: &str| annotations.get(&format!("nginx.ingress.kubernetes.io/{name}")).cloned();
    if text("canary").as_deref() == Some("true") {
        return text("canary-weight").and_then(|weight| weight.parse().ok()).unwrap_or(0);
    }
    let backend = &change.object.data["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"];
    if backend == "canary" { 100 } else { 0 }
}

fn share_of_route(route: &Value) -> u64 {
    let of_rule = |rule: &Value| {
        let weight = |one: &Value| one["weight"].as_u64().unwrap_or(1);
        let backends: Vec<_> = list(&rule["backendRefs"]).collect();
        if let [only] = backends.as_slice() {
            return if only["name"] == "canary" { 100 } else { 0 };
        }
        let total: u64 = backends.iter().map(|one| weight(one)).sum();
        let canary: u64 = backends.iter().filter(|one| one["name"] == "canary").map(|one| weight(one)).sum();
        (canary * 100).div_ceil(total.max(1))
    };
    list(&route["spec"]["rules"]).map(of_rule).max().unwrap_or(0)
}

fn is_taken_over(change: &Change) -> bool {
    let generation = change.object.metadata.generation;
    let accepted =
        list(&change.object.data["status"]["parents"]).flat_map(|parent| list(&parent["conditions"]));
    accepted.into_iter().any(|condition| condition["observedGeneration"].as_i64() == generation)
}
