//! A cluster's settings, good and bad.

use std::path::Path;
use std::time::Duration;

use super::super::{Config, Level, TrafficConfig};
use super::*;

/// One rollout of each kind, to be added to a configuration.
pub(in crate::config) const BOTH_KINDS: &str = r#"
[[rollouts]]
name = "on-nginx"
revision = "v1.4.0"
[rollouts.traffic]
kind = "ingress-nginx"
namespace = "spark"
canary_ingress = "spark-trading"
stable = { deployment = "spark-trading-api-stable", service = "spark-trading-api-stable", replicas = 3 }
canary = { deployment = "spark-trading-api-canary", service = "spark-trading-api-canary" }
[[rollouts]]
name = "on-the-gateway"
revision = "v1.4.0"
[rollouts.traffic]
kind = "gateway-api"
namespace = "spark"
http_route = "spark-trading"
stable = { deployment = "stable", service = "stable.v1", replicas = 5 }
canary = { deployment = "canary", service = "canary" }
revision = "label:app.kubernetes.io/version"
owner = "abort"
kubeconfig = "cluster.kubeconfig"
critical_after = "10s"
warning_after = "1m"
drain = "0s"
timeout = "2s"
"#;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/etc/backstop/backstop.toml")).map_err(|report| report.problems)
}

fn cluster(config: &Config, rollout: usize) -> &KubernetesConfig {
    match &config.rollouts[rollout].traffic {
        TrafficConfig::Kubernetes(cluster) => cluster,
        TrafficConfig::FeatureFlag(_) => panic!("a cluster"),
    }
}

#[test]
fn both_kinds_are_valid_with_the_protocols_defaults() {
    let config = parse(BOTH_KINDS).expect("valid");
    let nginx = cluster(&config, 0);
    assert_eq!(nginx.router, RouterConfig::IngressNginx { canary_ingress: "spark-trading".to_owned() });
    assert_eq!((nginx.replicas, nginx.canary.service.as_str()), (3, "spark-trading-api-canary"));
    assert_eq!((&nginx.revision, &nginx.kubeconfig), (&RevisionSource::ImageTag, &None));
    let seconds = [nginx.critical_after, nginx.warning_after, nginx.drain].map(|span| span.as_secs());
    assert_eq!(seconds, [30, 300, 5]);
    let gateway = cluster(&config, 1);
    assert_eq!(gateway.router, RouterConfig::GatewayApi { http_route: "spark-trading".to_owned() });
    assert_eq!(gateway.revision, RevisionSource::Label("app.kubernetes.io/version".to_owned()));
    assert_eq!((nginx.owner, gateway.owner), (OwnerPolicy::Refuse, OwnerPolicy::Abort));
    assert_eq!(gateway.kubeconfig.as_deref(), Some(Path::new("/etc/backstop/cluster.kubeconfig")));
    assert_eq!((gateway.replicas, gateway.timeout), (5, Duration::from_secs(2)));
    let unread = config.check_kubeconfigs();
    let [problem] = unread.as_slice() else { panic!("one: {unread:?}") };
    assert_eq!((problem.key.as_str(), problem.level), ("rollouts[1].traffic.kubeconfig", Level::Error));
    assert!(problem.message.contains("/etc/backstop/cluster.kubeconfig"), "{problem}");
}

#[test]
fn each_mistake_names_its_key_and_remedy() {
    for (from, to, key, remedy) in [
        ("canary_ingress", "canary_ingres", "rollouts[0].traffic.canary_ingres", "\"canary_ingress\""),
        (
            "canary_ingress = \"spark-trading\"\n",
            "",
            "rollouts[0].traffic.canary_ingress",
            "add canary_ingress",
        ),
        ("http_route = \"spark-trading\"\n", "", "rollouts[1].traffic.http_route", "add http_route"),
        (
            "namespace = \"spark\"",
            "namespace = \"../kube-system\"",
            "rollouts[0].traffic.namespace",
            "kubectl get",
        ),
        ("service = \"stable.v1\", ", "", "rollouts[1].traffic.stable.service", "add service"),
        ("replicas = 3", "replicas = 0", "rollouts[0].traffic.stable.replicas", "between 1 and"),
        ("replicas = 3", "replicas = \"3\"", "rollouts[0].traffic.stable.replicas", "replicas = 3"),
        ("replicas = 3", "replica = 3", "rollouts[0].traffic.stable.replica", "\"replicas\""),
        (
            "deployment = \"canary\"",
            "deployment = \"stable\"",
            "rollouts[1].traffic.canary.deployment",
            "canary's own",
        ),
        ("\"label:app.kubernetes.io/version\"", "\"tag\"", "rollouts[1].traffic.revision", "label:"),
        ("\"label:app.kubernetes.io/version\"", "\"label:\"", "rollouts[1].traffic.revision", "image-tag"),
        (
            "kind = \"gateway-api\"",
            "kind = \"gateway-api\"\nurl = \"http://127.0.0.1\"",
            "rollouts[1].traffic.url",
            "remove it",
        ),
        ("owner = \"abort\"", "owner = \"fight\"", "rollouts[1].traffic.owner", "told to stop"),
        ("drain = \"0s\"", "drain = 5", "rollouts[1].traffic.drain", "\"5s\""),
    ] {
        assert!(BOTH_KINDS.contains(from), "{from}");
        let problems = parse(&BOTH_KINDS.replacen(from, to, 1)).expect_err("a mistake");
        let named = problems.iter().find(|problem| problem.key == key);
        let named = named.unwrap_or_else(|| panic!("{to:?}: nothing at {key} in {problems:?}"));
        assert!(named.remedy.contains(remedy) && named.line.is_some(), "{to:?}: {named}");
    }
}
