//! A critical webhook to the traffic off the canary in a real cluster, as its API server acknowledges it,
//! against one commit and one bare PATCH of an object of the same kind and size.
//!
//! Both ends are dated by the same clock: when the webhook, or the bare PATCH, is sent, and when the API
//! server's audit log says that the answer went out.

use std::time::{Duration, Instant};

use backstop::clock::{Clock, SystemClock};
use chrono::{DateTime, Utc};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::Plan;
use crate::controlplane::{AuditEvent, shared, wait_for};
use crate::gateway::Gateway;
use crate::own_commit::OwnCommit;
use crate::report::{Report, Times};
use crate::rollouts::{Rollout, Router, Traffic, rules};
use crate::site::{OPERATOR, Served, Site, WEBHOOK, alert, body, single};
use crate::webhook::WARM_UP;

/// Longer than an observation is relied upon: so long ago was the last poll, in life.
const POLLED_BEFORE: Duration = Duration::from_millis(2_200);

/// By then the traffic is off. Whoever asks before takes the processor from what is measured: it is the API
/// server's, too.
const LOOKED_AT_AFTER: Duration = Duration::from_millis(100);

/// A process that has just begun to observe still opens connections.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// The object that the bare PATCH changes.
const BARE: &str = "bare";

const A_QUARTER: Traffic = Traffic::Weight(25);

/// A rollout whose canary comes back for each sample.
struct Scene {
    rollout: Rollout,
    namespace: &'static str,
    _site: Site,
    served: Served,
    api: reqwest::Client,
    own: OwnCommit,
    last: Option<(usize, Vec<u8>)>,
    /// Takes over what the route says, as a gateway does.
    _gateway: Option<Gateway>,
}

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let mut scene = Scene::set("bench-nginx", Router::Nginx).await;
    scene.memory_at_rest(report).await;
    for (what, polled_before, samples) in [
        ("critical -> weight 0, acknowledged by the API server", POLLED_BEFORE, plan.samples(30, 3)),
        ("the same, polled a moment before", Duration::ZERO, plan.samples(30, 3)),
    ] {
        let times = scene.sample(polled_before, samples).await;
        ratios(report, what, "an Ingress", &times);
    }
    scene.idle(plan, report).await;
    scene.ramp(plan, report).await;
}

pub(crate) async fn gateway(plan: &Plan, report: &mut Report) {
    let mut scene = Scene::set("bench-gateway", Router::Gateway).await;
    let times = scene.sample(POLLED_BEFORE, plan.samples(30, 3)).await;
    ratios(report, "critical -> HTTPRoute's weight 0, acknowledged", "an HTTPRoute", &times);
}

fn ratios(report: &mut Report, what: &str, object: &str, [floor, ours]: &[Times; 2]) {
    let p50 = format!("{what}, p50 (floor: commit of the store + bare PATCH of {object})");
    report.ratio(&p50, floor.p50(), ours.p50(), Some(1.5));
    report.ratio(&format!("{what}, p99"), floor.p99(), ours.p99(), Some(3.0));
}

impl Scene {
    async fn set(namespace: &'static str, router: Router) -> Self {
        let rollout = Rollout::new(namespace, router, 3).await;
        let gateway = (router == Router::Gateway).then(|| Gateway::of([&rollout]));
        match router {
            Router::Nginx => {
                let rules = json!([{ "host": "bare.test" }]);
                let ingress = json!({ "metadata": { "name": BARE }, "spec": { "rules": rules } });
                rollout.workloads.create::<Ingress>(ingress).await.expect("an Ingress");
            }
            Router::Gateway => rollout.create_route_named(BARE, A_QUARTER).await,
        }
        let workload = |name: &str| format!("{{ deployment = \"{name}\", service = \"{name}\" }}");
        let (kind, object) = match router {
            Router::Nginx => ("ingress-nginx", "canary_ingress"),
            Router::Gateway => ("gateway-api", "http_route"),
        };
        // There is no Watchdog, which a ramp waits for after three minutes.
        let site = Site::of(&format!(
            "auth.operator_token_files = [\"operator\"]\n\
             [alertmanager]\npoll_interval = \"20s\"\nwatchdog_timeout = \"1h\"\n\
             [[rollouts]]\nname = \"r0\"\nmatch = {{ rollout = \"r0\" }}\n\
             verify.window = \"5s\"\nverify.interval = \"100ms\"\nverify.guard = \"0s\"\n\
             [rollouts.traffic]\nkind = \"{kind}\"\nnamespace = \"{namespace}\"\n{object} = \"api\"\n\
             stable = {}\ncanary = {}\nkubeconfig = {:?}\ndrain = \"0s\"\n\
             [rollouts.ramp]\nstages = [1, 100]\nstage_duration = \"1h\"\ncriteria_files = [\"criteria.toml\"]\n",
            workload("stable"),
            workload("canary"),
            shared().await.kubeconfig(),
        ));
        std::fs::write(site.folder.path().join("operator"), OPERATOR).expect("written");
        let approval = "[[criteria]]\nname = \"feedback\"\nkind = \"approval\"\n";
        std::fs::write(site.folder.path().join("criteria.toml"), approval).expect("written");
        let served = site.serve().await;
        let own = OwnCommit::new(site.folder.path()).await;
        let api = reqwest::Client::new();
        Self { rollout, namespace, _site: site, served, api, own, last: None, _gateway: gateway }
    }

    /// The floor's times and ours, one of each in turns and out of the same rest: whoever has just asked an API
    /// server finds it faster, and a rollback that is being verified asks it ten times a second.
    async fn sample(&mut self, rest: Duration, samples: usize) -> [Times; 2] {
        let (mut commits, mut bare, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..samples {
            self.canary_is_back().await;
            tokio::time::sleep(rest).await;
            commits.push(self.own.commit("critical", WARM_UP + number).await);
            bare.push(SystemClock.now());
            self.bare_patch(number).await;

            tokio::time::sleep(rest).await;
            let critical = single("r0", "critical", number);
            let mut wire = self.served.connect().await;
            sent.push(SystemClock.now());
            assert_eq!(wire.post(WEBHOOK, &critical).await.0, 200);
            self.last = Some((number, critical));
            tokio::time::sleep(LOOKED_AT_AFTER).await;
            self.rolled_back().await;
        }
        let ours = self.acknowledged("api", "fieldManager=backstop", &sent).await;
        let patches = self.acknowledged(BARE, "", &bare).await;
        let (mut floors, mut all) = (Times::new(), Times::new());
        for ((commit, patch), ours) in commits.into_iter().zip(patches).zip(ours) {
            floors.add(commit + patch);
            all.add(ours);
        }
        [floors, all]
    }

    /// Of each of these requests, how long after the moment the API server had answered the first change of
    /// this object that followed.
    async fn acknowledged(&self, object: &str, by: &str, since: &[DateTime<Utc>]) -> Vec<Duration> {
        let changes = |events: Vec<AuditEvent>| {
            let is_change = |event: &AuditEvent| {
                ["patch", "update"].contains(&event.verb.as_str())
                    && event
                        .object_ref
                        .as_ref()
                        .is_some_and(|known| known.name == object && known.subresource.is_empty())
                    && event.request_uri.contains(by)
            };
            events.into_iter().filter(is_change).map(|event| event.stage_timestamp).collect::<Vec<_>>()
        };
        let first_after = |ends: &[DateTime<Utc>], since: DateTime<Utc>| {
            let end = ends.iter().filter(|end| **end >= since).min()?;
            (*end - since).to_std().ok()
        };
        wait_for("the audit log", || async {
            let ends = changes(shared().await.audit(self.namespace));
            since.iter().map(|since| first_after(&ends, *since)).collect()
        })
        .await
    }

    async fn bare_patch(&self, number: usize) {
        match self.rollout.router {
            Router::Nginx => {
                let annotations = json!({ "nginx.ingress.kubernetes.io/canary-weight": number.to_string() });
                let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
                let ingresses = self.rollout.workloads.api::<Ingress>();
                ingresses.patch(BARE, &PatchParams::default(), &patch).await.expect("patched");
            }
            Router::Gateway => {
                let weight = u8::try_from(number % 100).expect("under a hundred");
                self.route(BARE, Traffic::Weight(weight)).await;
            }
        }
    }

    /// The next version is on canary, the last alert has ended, and Backstop has seen both.
    async fn canary_is_back(&mut self) {
        let mut wire = self.served.connect().await;
        if let Some((number, body)) = self.last.take() {
            let ended = String::from_utf8(body).expect("text").replace("\"firing\"", "\"resolved\"");
            let ended = ended.replace("0001-01-01T00:00:00Z", &SystemClock.now().to_rfc3339());
            assert_eq!(wire.post(WEBHOOK, ended.as_bytes()).await.0, 200, "{number}");
        }
        let version = format!("v{}", SystemClock.now().timestamp_millis());
        let containers = json!([{ "name": "api", "image": format!("registry.example.test/api:{version}") }]);
        let canary =
            json!({ "spec": { "replicas": 1, "template": { "spec": { "containers": containers } } } });
        let deployments = self.rollout.workloads.api::<Deployment>();
        let patched = deployments.patch("canary", &PatchParams::default(), &Patch::Strategic(canary)).await;
        patched.expect("a new version");
        self.traffic_is_back().await;
        self.rollout.pods_are(3, 1).await;
        // A webhook whose list was cut makes it look at once.
        let cut = String::from_utf8(body(&[alert("of-nobody", "warning", 0)])).expect("text");
        let cut = cut.replace("\"truncatedAlerts\":0", "\"truncatedAlerts\":1");
        assert_eq!(wire.post(WEBHOOK, cut.as_bytes()).await.0, 200);
        wait_for("the new version to be seen", || async {
            let rollout = &self.read("/api/v1/rollouts").await[0];
            let firing = rollout["firing_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
            (rollout["share_percent"] == 25 && rollout["revision"] == version.as_str() && !firing)
                .then_some(())
        })
        .await;
    }

    /// A quarter of it, as it was.
    async fn traffic_is_back(&self) {
        match self.rollout.router {
            Router::Nginx => self.rollout.annotate(&[("x/canary-weight", "25")]).await,
            Router::Gateway => self.route("api", A_QUARTER).await,
        }
    }

    async fn route(&self, name: &str, traffic: Traffic) {
        let patch = Patch::Merge(json!({ "spec": { "rules": rules(traffic) } }));
        self.rollout.routes().patch(name, &PatchParams::default(), &patch).await.expect("patched");
    }

    async fn rolled_back(&self) {
        wait_for("the rollback's end", || async {
            let incident = &self.read("/api/v1/incidents?limit=1").await[0];
            (incident["state"] == "rolled_back").then_some(())
        })
        .await;
    }

    /// What it costs while nothing happens.
    async fn idle(&self, plan: &Plan, report: &mut Report) {
        let shown = self.requests_a_minute(plan).await;
        report.row(["API requests per minute while idle (a poll each 20 s)", "", &shown, "", "", ""]);
        let memory = self.served.memory("VmRSS");
        report.size("memory at rest with a cluster, after these rollbacks", memory, None);
    }

    /// What it takes before anything has happened, once it has observed its rollout.
    async fn memory_at_rest(&self, report: &mut Report) {
        wait_for("an observation", || async {
            let rollout = &self.read("/api/v1/rollouts").await[0];
            rollout["share_percent"].is_u64().then_some(())
        })
        .await;
        tokio::time::sleep(SETTLED_AFTER).await;
        report.size("memory at rest with a cluster", self.served.memory("VmRSS"), Some(20 << 20));
    }

    /// What the API server is asked while a ramp waits in its first stage.
    async fn ramp(&mut self, plan: &Plan, report: &mut Report) {
        self.canary_is_back().await;
        match self.rollout.router {
            Router::Nginx => self.rollout.annotate(&[("x/canary-weight", "0")]).await,
            Router::Gateway => self.route("api", Traffic::Weight(0)).await,
        }
        let rollout = async || self.read("/api/v1/rollouts").await[0].clone();
        let revision = wait_for("the canary at 0 %", || async {
            let rollout = rollout().await;
            (rollout["share_percent"] == 0).then(|| rollout["revision"].clone())
        });
        let revision = revision.await;
        self.served.start_ramp("r0", revision.as_str().expect("a revision")).await;
        wait_for("the first stage", || async { (rollout().await["share_percent"] == 1).then_some(()) }).await;
        let shown = self.requests_a_minute(plan).await;
        report.row(["API requests per minute while a ramp waits", "", &shown, "", "", ""]);
    }

    async fn requests_a_minute(&self, plan: &Plan) -> String {
        let window = Duration::from_secs(plan.samples(40, 20) as u64);
        let began = (SystemClock.now(), Instant::now());
        tokio::time::sleep(window).await;
        let asked = shared().await.audit(self.namespace);
        let asked = asked.iter().filter(|event| event.stage_timestamp >= began.0).count();
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let each_minute = asked as f64 * 60.0 / began.1.elapsed().as_secs_f64();
        format!("{each_minute:.0}")
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.api.get(self.served.url(path)).bearer_auth(OPERATOR).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }
}
