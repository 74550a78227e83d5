//! An API server of a few objects, for the answers that a real one gives too rarely to test with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower_test::mock;

use super::super::KubernetesTarget;
use super::super::cluster::Cluster;
use crate::clock::SystemClock;
use crate::config::{KubernetesConfig, OwnerPolicy, RevisionSource, RouterConfig, WorkloadConfig};

const NAMESPACE: &str = "spark";

pub(super) const STABLE: &str = "deployments/stable";
pub(super) const CANARY: &str = "deployments/canary";
pub(super) const INGRESS: &str = "ingresses/api";
pub(super) const AUTOSCALERS: &str = "horizontalpodautoscalers";
pub(super) const ROLLOUT: &str = "rollouts/api";
pub(super) const FLAGGER: &str = "canaries/api";
pub(super) const SLICES: &str = "endpointslices";
/// Of the stable version, by its name.
pub(super) const SLICE: &str = "stable-x7k2p";

/// Kinds that are listed.
const OWNERS: [&str; 2] = ["rollouts", "canaries"];

/// What the next request that fits gets instead of an answer.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    Status(u16),
    /// With a header `Retry-After`, in seconds, and a body that is no `Status`.
    Later(u16, u64),
    /// 403, though the account has the right.
    Denied,
    /// No answer, ever.
    Hang,
    /// The connection ends.
    Break,
}

#[derive(Debug, Default)]
pub(super) struct World {
    objects: BTreeMap<&'static str, Value>,
    /// Method, the path's end, and how often.
    faults: Vec<(&'static str, &'static str, Fault, u32)>,
    /// So many writes meet an object that somebody else has changed just before.
    pub(super) foreign_changes: u32,
    pub(super) requests: Vec<(String, String, Value)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Fake(Arc<Mutex<World>>);

impl Fake {
    /// The canary has 25 %, and of three pods of stable so many are ready.
    pub(super) fn new(ready: usize) -> Self {
        let fake = Self::default();
        fake.put(STABLE, deployment("stable", 3, ready));
        fake.put(CANARY, deployment("canary", 3, 3));
        fake.put(SLICES, slices(ready));
        fake.put(INGRESS, ingress("25"));
        fake
    }

    pub(super) fn world<T>(&self, with: impl FnOnce(&mut World) -> T) -> T {
        with(&mut self.0.lock().expect("unpoisoned"))
    }

    pub(super) fn put(&self, end: &'static str, object: Value) {
        self.world(|world| world.objects.insert(end, object));
    }

    pub(super) fn get(&self, end: &str, pointer: &str) -> Value {
        self.world(|world| world.objects[end].pointer(pointer).cloned().unwrap_or_default())
    }

    /// The next `times` requests like this fail so.
    pub(super) fn fail(&self, method: &'static str, end: &'static str, fault: Fault, times: u32) {
        self.world(|world| world.faults.push((method, end, fault, times)));
    }

    /// The requests of this method so far: path and body. Events are left out.
    pub(super) fn asked(&self, method: &str) -> Vec<(String, Value)> {
        self.world(|world| {
            let fitting = world.requests.iter().filter(|(one, ..)| one == method);
            fitting.map(|(_, path, body)| (path.clone(), body.clone())).collect()
        })
    }

    /// A target before it. It answers while the set lives.
    pub(super) fn target(&self, serving: &mut JoinSet<()>) -> KubernetesTarget {
        self.target_with(OwnerPolicy::Refuse, serving)
    }

    pub(super) fn target_with(&self, owner: OwnerPolicy, serving: &mut JoinSet<()>) -> KubernetesTarget {
        let (service, mut handle) = mock::pair::<http::Request<Body>, http::Response<Body>>();
        let fake = self.clone();
        serving.spawn(async move {
            let mut hanging = Vec::new();
            while let Some((request, answer)) = handle.next_request().await {
                match fake.answer(request).await {
                    Ok(Some(response)) => answer.send_response(response),
                    Ok(None) => hanging.push(answer),
                    Err(error) => answer.send_error(error),
                }
            }
        });
        let cluster = Arc::new(Cluster::of_client(Client::new(service, NAMESPACE)));
        let workload = |name: &str| WorkloadConfig { deployment: name.to_owned(), service: name.to_owned() };
        let config = KubernetesConfig {
            namespace: NAMESPACE.to_owned(),
            router: RouterConfig::IngressNginx { canary_ingress: "api".to_owned() },
            stable: workload("stable"),
            replicas: 3,
            canary: workload("canary"),
            revision: RevisionSource::ImageTag,
            owner,
            kubeconfig: None,
            critical_after: Duration::ZERO,
            warning_after: Duration::ZERO,
            drain: Duration::ZERO,
            timeout: Duration::from_millis(500),
        };
        KubernetesTarget::new(cluster, &config, Arc::new(SystemClock))
    }

    async fn answer(
        &self,
        request: http::Request<Body>,
    ) -> Result<Option<http::Response<Body>>, std::io::Error> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        let method = parts.method.as_str();
        let path = parts.uri.path().to_owned();
        self.world(|world| {
            world.requests.push((method.to_owned(), parts.uri.to_string(), body));
            let body = world.requests.last().expect("pushed").2.clone();
            if let Some(fault) = world.fault(method, &path) {
                return match fault {
                    Fault::Hang => Ok(None),
                    Fault::Break => Err(std::io::ErrorKind::ConnectionReset.into()),
                    Fault::Status(code) => Ok(Some(status(code))),
                    Fault::Denied => Ok(Some(json_response(
                        403,
                        &json!({ "kind": "Status", "code": 403, "message": "ValidatingAdmissionPolicy 'freeze' denied request: friday" }),
                    ))),
                    Fault::Later(code, seconds) => {
                        let response = http::Response::builder().status(code).header("retry-after", seconds);
                        Ok(Some(
                            response.body(Body::from(b"Too many requests".to_vec())).expect("a response"),
                        ))
                    }
                };
            }
            Ok(Some(world.handle(method, &path, &body)))
        })
    }
}

impl World {
    fn fault(&mut self, method: &str, path: &str) -> Option<Fault> {
        let fits = |(of, end, _, left): &&mut (&str, &str, Fault, u32)| {
            *of == method && path.ends_with(*end) && *left > 0
        };
        let (_, _, fault, left) = self.faults.iter_mut().find(fits)?;
        *left -= 1;
        Some(fault.clone())
    }

    fn handle(&mut self, method: &str, path: &str, body: &Value) -> http::Response<Body> {
        if method == "POST" {
            return json_response(201, body);
        }
        if let Some(kind) = OWNERS.iter().find(|kind| path.ends_with(**kind)) {
            let owners = self.objects.iter().filter(|(end, _)| end.starts_with(kind));
            let items: Vec<_> = owners.map(|(_, object)| object.clone()).collect();
            // As of a cluster that hasn't the kind.
            return if items.is_empty() {
                status(404)
            } else {
                json_response(200, &json!({ "items": items }))
            };
        }
        if let Some((_, name)) = path.split_once("/endpointslices/") {
            let slice = self.objects[SLICES]["items"].as_array().into_iter().flatten();
            let slice = slice.into_iter().find(|slice| slice["metadata"]["name"] == name);
            return slice.map_or_else(|| status(404), |slice| json_response(200, slice));
        }
        let is_scale = path.ends_with("/scale");
        let place = path.trim_end_matches("/scale").trim_end_matches("/status");
        let Some(end) = self.objects.keys().copied().find(|end| place.ends_with(*end)) else {
            return status(404);
        };
        let object = self.objects.get_mut(end).expect("found");
        if method != "GET" {
            if self.foreign_changes > 0 {
                self.foreign_changes -= 1;
                bump(object);
            }
            if body["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
                return status(409);
            }
            merge(object, body);
            bump(object);
        }
        if !is_scale {
            return json_response(200, object);
        }
        let mut scale =
            json!({ "metadata": { "resourceVersion": object["metadata"]["resourceVersion"] }, "spec": {} });
        // As Go does: 0 is left out.
        if object["spec"]["replicas"] != 0 {
            scale["spec"]["replicas"] = object["spec"]["replicas"].clone();
        }
        json_response(200, &scale)
    }
}

fn bump(object: &mut Value) {
    let version: u64 =
        object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("a version");
    object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
}

/// RFC 7386.
fn merge(object: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else { return *object = patch.clone() };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in members {
        if value.is_null() {
            object.as_object_mut().expect("an object").remove(name);
        } else {
            merge(&mut object[name], value);
        }
    }
}

fn json_response(code: u16, body: &Value) -> http::Response<Body> {
    let body = Body::from(body.to_string().into_bytes());
    http::Response::builder().status(code).body(body).expect("a response")
}

fn status(code: u16) -> http::Response<Body> {
    let message = match code {
        403 => "it is forbidden: User \"system:serviceaccount:spark:backstop\" cannot do it".to_owned(),
        _ => format!("because of {code}"),
    };
    json_response(code, &json!({ "kind": "Status", "status": "Failure", "code": code, "message": message }))
}

pub(super) fn deployment(name: &str, replicas: usize, available: usize) -> Value {
    json!({
        "metadata": { "name": name, "uid": format!("uid-{name}"), "generation": 1, "resourceVersion": "1" },
        "spec": { "replicas": replicas, "selector": {}, "template": { "spec": { "containers": [{ "name": "api", "image": "api:v1.4.0" }] } } },
        "status": { "observedGeneration": 1, "availableReplicas": available },
    })
}

pub(super) fn slices(ready: usize) -> Value {
    let endpoints: Vec<_> = (0..ready)
        .map(|one| json!({ "addresses": [format!("10.0.0.{one}")], "conditions": { "ready": true } }))
        .collect();
    json!({ "metadata": {}, "items": [{
        "addressType": "IPv4",
        "metadata": { "name": SLICE, "labels": { "kubernetes.io/service-name": "stable" } },
        "endpoints": endpoints,
    }] })
}

pub(super) fn ingress(weight: &str) -> Value {
    json!({
        "metadata": { "name": "api", "uid": "uid-api", "resourceVersion": "1", "annotations": {
            "nginx.ingress.kubernetes.io/canary": "true",
            "nginx.ingress.kubernetes.io/canary-weight": weight,
        } },
        "spec": {},
    })
}

/// A Rollout of Argo's that is under way, and owns the Ingress.
pub(super) fn rollout() -> Value {
    json!({
        "metadata": { "name": "api", "resourceVersion": "1" },
        "spec": { "strategy": { "canary": { "trafficRouting": { "nginx": { "stableIngress": "api" } } } } },
        "status": { "currentPodHash": "new", "stableRS": "old" },
    })
}

/// A Canary of Flagger's that is under way, and owns the canary's Deployment.
pub(super) fn canary() -> Value {
    json!({
        "metadata": { "name": "api", "resourceVersion": "1" },
        "spec": { "targetRef": { "kind": "Deployment", "name": "canary" }, "service": {} },
        "status": { "phase": "Progressing" },
    })
}
