use std::path::Path;

use super::*;
use crate::config::Config;
use crate::incident::CheckName::{AlertExpression, CanaryRequests, StablePods, StableVersion, TrafficShare};

fn config(metrics: &str) -> Config {
    let text = format!(
        "[[rollouts]]\nname = \"x\"\nrevision = \"v1\"\n[rollouts.metrics]\n{metrics}\n[rollouts.traffic]\n\
         kind = \"feature-flag\"\nurl = \"http://127.0.0.1:1/\"\nfeature = \"v1\"\n"
    );
    Config::parse(&text, Path::new("backstop.toml")).expect("valid")
}

#[test]
fn each_kind_of_target_is_read_back_by_what_it_can_have() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let config = config("");
    let cluster = PlanPolicy::Workloads {
        replicas: 3,
        critical_after_seconds: 30,
        warning_after_seconds: 300,
        drain_seconds: 5,
    };
    for (plan, names) in [
        (PlanPolicy::TrafficOnly, &[TrafficShare, StableVersion, AlertExpression, CanaryRequests][..]),
        (cluster, &[TrafficShare, StablePods, StableVersion, AlertExpression, CanaryRequests]),
    ] {
        let outbound = Outbound::new(Duration::from_secs(1), None).expect("a client");
        let verifier = verifier(&config.rollouts[0], plan, outbound, None);
        assert_eq!(verifier.probes.iter().map(|probe| probe.name()).collect::<Vec<_>>(), names);
        let essential = verifier.probes.iter().filter(|probe| probe.is_essential());
        assert_eq!(essential.map(|probe| probe.name()).collect::<Vec<_>>(), [TrafficShare]);
    }
}

#[test]
fn the_canarys_requests_are_those_of_the_configured_metrics() {
    let metrics = "selector = 'job=\"api\"'\ncanary = 'variant=\"v2\"'\nuser_requests = 'route!=\"/ping\"'\nrequests = \"hits\"";
    let of = |part: &str| format!("hits{{job=\"api\",{part},route!=\"/ping\"}}");
    let expected = RequestCounter {
        canary: of("variant=\"v2\""),
        labelled: of("variant=\"v2\",variant!=\"\""),
        stable: Some(of("variant!=\"v2\"")),
        targets: "up{job=\"api\",variant=~\"v2|\"}".to_owned(),
    };
    assert_eq!(counter(&config(metrics).rollouts[0].metrics), Some(expected));
    assert_eq!(counter(&config("requests = \"none\"").rollouts[0].metrics), None);
}
