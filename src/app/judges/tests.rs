use std::path::Path;

use chrono::TimeDelta;

use super::*;
use crate::incident::{Revision, Share};
use crate::notification::http_fixtures::Fake;

const FLAG: &str = "[[rollouts]]\nname = \"spark-trading\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }\nramp.criteria_files = []\n";

fn config(criteria: &str) -> Config {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    Config::parse(&format!("{FLAG}{criteria}"), Path::new("/etc/backstop/backstop.toml")).expect("valid")
}

fn criteria(config: &Config) -> Vec<Criterion> {
    let rollout = &config.rollouts[0];
    let all = rollout.ramp.criteria.load(rollout).expect("valid");
    all.of_stage(Share(25), Share(5), &Revision::new("v1.4.0")).expect("a plain revision")
}

#[tokio::test]
async fn each_criterion_is_asked_of_its_own_kind_and_what_is_not_configured_names_its_key() {
    let fake = Fake::start().await;
    let config = config(
        &"[[rollouts.ramp.criteria]]\nname = \"query\"\nquery = \"max(up)\"\nabove = 0\n\
         [[rollouts.ramp.criteria]]\nname = \"http\"\nkind = \"http\"\nurl = \"URL{revision}\"\n\
         [[rollouts.ramp.criteria]]\nname = \"logs\"\nkind = \"logs\"\nselector = '{app=\"x\"}'\n\
         [[rollouts.ramp.criteria]]\nname = \"command\"\nkind = \"command\"\nargv = [\"/bin/sh\", \"-c\", \"echo {stage} of {revision}\"]\n\
         [[rollouts.ramp.criteria]]\nname = \"approval\"\nkind = \"approval\"\n"
            .replace("URL", fake.url.as_str()),
    );
    let mut connections = Connections::default();
    let systems = Systems::new(&config, &mut connections, None, Arc::new(SystemClock)).expect("built");
    let judges = Judges::new(&config.rollouts[0], &mut connections, &systems).expect("built");
    let now = SystemClock.now();
    let span = StageSpan::new(now - TimeDelta::minutes(15), now, 900);
    let mut details = Vec::new();
    for criterion in criteria(&config) {
        details.push(judges.judged(&criterion, &span).await.detail);
    }
    for (detail, words) in details.iter().zip([
        "set prometheus.url",
        "status 404",
        "set loki.url",
        "it ended with 0: 25 of v1.4.0",
        "",
    ]) {
        assert!(detail.contains(words), "{detail} has no {words}");
    }
    assert_eq!(details.len(), 5);
    assert_eq!(fake.calls(), ["GET /v1.4.0"]);
}

#[test]
fn a_stored_command_is_one_of_the_configuration_by_its_name_and_all_that_is_run() {
    let one =
        "[[rollouts.ramp.criteria]]\nname = \"ci\"\nkind = \"command\"\nargv = [\"gh\", \"{revision}\"]\n";
    let stored = criteria(&config(one)).remove(0);
    let has = |toml: &str| InConfiguration(config(toml).rollouts.remove(0)).has(&stored);
    assert!(has(one));
    assert!(!has(""), "it was taken out");
    assert!(!has(&format!("{one}enabled = false\n")), "it was turned off");
    assert!(!has(&one.replace("ci", "other")));
    assert!(!has(&one.replace("gh", "sh")));
    assert!(!has(&format!("{one}directory = \"/tmp\"\n")));
}
