//! Configurations, good and bad.

use std::path::Path;
use std::time::Duration;

use super::{Config, Level, Problem, REFERENCE};

const GOOD: &str = r#"
[server]
listen = "127.0.0.1:8080"
auth.webhook_token_files = ["secrets/webhook-token"]
auth.operator_token_files = ["secrets/operator-token"]
[store]
kind = "sqlite"
path = "data/backstop.db"
[evidence]
directory = "evidence"
[alertmanager]
urls = ["http://127.0.0.1:9093"]
[prometheus]
url = "http://127.0.0.1:9090"
[slack]
token_file = "secrets/slack-token"
channel = "\#spark-incidents"
api_url = "https://slack.com/api"
signing_secret_file = "secrets/slack-signing"
[pagerduty]
routing_key_file = "secrets/pagerduty-key"
url = "https://events.pagerduty.com"
[[rollouts]]
name = "spark-trading"
mode = "armed"
match = { rollout = "spark-trading", canary_rollback = "true" }
grace = "5m"
verify.healthz_url = "http://localhost:4001/api/healthz"
verify.metrics_url = "http://localhost:4001/api/public/metrics.prom"
verify.stable_version = "v1.3.9"
[rollouts.traffic]
kind = "feature-flag"
url = "http://localhost:4001/api/features/rollout"
feature = "v1.4.0"
read_url = "http://localhost:4001/api/features/rollout?feature=v1.4.0"
read_pointer = "/percentage"
"#;

fn good() -> String {
    GOOD.replace("\\#", "#")
}

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/etc/backstop/backstop.toml")).map_err(|report| report.problems)
}

/// The good configuration with one text replaced, and its errors.
fn with(from: &str, to: &str) -> Vec<Problem> {
    let text = good();
    assert!(text.contains(from), "{from:?} is in the configuration");
    let problems = parse(&text.replace(from, to)).err().unwrap_or_default();
    problems.into_iter().filter(|problem| problem.level == Level::Error).collect()
}

#[test]
fn the_designs_example_is_valid_and_paths_are_relative_to_its_folder() {
    let config = parse(&good()).expect("valid");
    assert_eq!(config.store.path, Path::new("/etc/backstop/data/backstop.db"));
    assert_eq!(config.rollouts[0].grace, Duration::from_secs(300));
    assert_eq!(config.rollouts[0].revision, "v1.4.0");
    assert_eq!(config.server.external_url, "http://127.0.0.1:8080");
    let warned: Vec<_> = config.warnings.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(warned, ["slack.operators"], "who may press a button is not said");
}

#[test]
fn a_label_that_old_servers_refuse_is_a_warning_and_a_watchdog_may_be_pinned() {
    let text = good()
        .replace("match = { rollout =", "match = { \"deploy.rollout\" =")
        .replace("[prometheus]", "watchdog_match = { \"k8s.cluster\" = \"eu\" }\n[prometheus]");
    let config = parse(&text).expect("valid");
    assert_eq!(config.alertmanager.watchdog.matching.get("k8s.cluster").map(String::as_str), Some("eu"));
    let warned: Vec<_> = config.warnings.iter().filter(|problem| problem.message.contains("3.0")).collect();
    let keys: Vec<_> = warned.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["alertmanager.watchdog_match", "rollouts[0].match"]);
    assert!(warned[1].message.contains("deploy.rollout") && warned[1].message.contains("0.27"));
}

#[test]
fn each_mistake_is_named_with_its_key_line_and_remedy() {
    for (from, to, key, line, remedy) in [
        ("listen = \"127.0.0.1:8080\"", "listne = \"127.0.0.1:8080\"", "server.listne", 3, "\"listen\""),
        ("\"127.0.0.1:8080\"", "\"0.0.0.0:8080\"", "server.listen", 3, "behind_proxy"),
        ("\"127.0.0.1:8080\"", "8080", "server.listen", 3, "listen = "),
        ("\"sqlite\"", "\"kubernetes\"", "store.kind", 7, "sqlite"),
        ("\"armed\"", "\"amred\"", "rollouts[0].mode", 25, "\"armed\" or \"shadow\" or \"off\""),
        ("grace = \"5m\"", "grace = 300", "rollouts[0].grace", 27, "300s"),
        ("grace = \"5m\"", "grace = \"5 minits\"", "rollouts[0].grace", 27, "5m"),
        ("grace = \"5m\"", "grace = \"2h\"", "rollouts[0].grace", 27, "between"),
        ("\"spark-trading\"\nmode", "\"Spark Trading\"\nmode", "rollouts[0].name", 24, "a-z"),
        (
            "match = { rollout = \"spark-trading\", canary_rollback = \"true\" }",
            "match = {}",
            "rollouts[0].match",
            26,
            "leave it out",
        ),
        ("http://127.0.0.1:9090", "ftp://127.0.0.1", "prometheus.url", 14, "http"),
        ("http://127.0.0.1:9090", "http://127.0.0.1:9090/?tenant=a", "prometheus.url", 14, "headers"),
        ("http://127.0.0.1:9093", "http://127.0.0.1:9093?key=s3cret", "alertmanager.urls", 12, "headers"),
        ("http://127.0.0.1:9090", "http://me:pw@127.0.0.1", "prometheus.url", 14, "bearer_token_file"),
        ("\"/percentage\"", "\"percentage\"", "rollouts[0].traffic.read_pointer", 36, "/percentage"),
        (
            "\"feature-flag\"",
            "\"istio\"",
            "rollouts[0].traffic.kind",
            32,
            "\"feature-flag\", \"ingress-nginx\" or",
        ),
    ] {
        let problems = with(from, to);
        let found = problems.iter().find(|problem| problem.key == key);
        let problem = found.unwrap_or_else(|| panic!("{to}: no problem at {key}: {problems:?}"));
        assert_eq!(problem.line, Some(line), "{to}: {problem}");
        assert!(problem.remedy.contains(remedy), "{to}: {problem}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (from, key) in [
        ("name = \"spark-trading\"\n", "rollouts[0].name"),
        ("feature = \"v1.4.0\"\n", "rollouts[0].traffic.feature"),
        ("kind = \"feature-flag\"\n", "rollouts[0].traffic.kind"),
        ("verify.stable_version = \"v1.3.9\"\n", "rollouts[0].verify.healthz_url"),
    ] {
        let problems = with(from, "");
        assert!(problems.iter().any(|problem| problem.key == key), "{key}: {problems:?}");
    }
    let nothing = parse("").expect_err("no rollouts");
    assert!(nothing.iter().any(|problem| problem.key == "rollouts"));
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = good()
        .replace("\"armed\"", "\"on\"")
        .replace("[store]", "[stoer]")
        .replace("grace = \"5m\"", "grace = \"soon\"");
    let problems = parse(&text).expect_err("three errors");
    let keys: Vec<_> = problems.iter().filter(|p| p.level == Level::Error).map(|p| p.key.as_str()).collect();
    assert_eq!(keys, ["stoer", "rollouts[0].mode", "rollouts[0].grace"]);
    assert!(problems.iter().any(|problem| problem.remedy.contains("\"store\"")));
}

#[test]
fn broken_toml_names_line_and_column() {
    let problems = parse("[server]\nlisten = \n").expect_err("broken");
    assert_eq!((problems.len(), problems[0].line), (1, Some(2)), "{problems:?}");
}

#[test]
fn a_public_address_needs_tokens_and_a_proxy() {
    let public =
        good().replace("listen = \"127.0.0.1:8080\"", "listen = \"0.0.0.0:8080\"\nbehind_proxy = true");
    assert!(parse(&public).is_ok());
    let open = public.replace("auth.webhook_token_files = [\"secrets/webhook-token\"]\n", "");
    let problems = parse(&open).expect_err("no token");
    assert!(problems.iter().any(|problem| problem.key == "server.auth.webhook_token_files"));
}

#[test]
fn two_rollouts_that_one_alert_would_hit_are_refused() {
    let again = good()
        .split_once("[[rollouts]]")
        .map(|(_, rollout)| format!("[[rollouts]]{rollout}"))
        .expect("a rollout");
    let problems = parse(&format!("{}{again}", good())).expect_err("twice the same");
    assert_eq!(problems.iter().filter(|problem| problem.key == "rollouts").count(), 2);
}

#[test]
fn missing_secret_files_are_reported_with_path_and_remedy() {
    let config = parse(&good()).expect("valid");
    let problems = config.check_secrets();
    assert_eq!(problems.len(), 5);
    let text = problems[0].to_string();
    assert!(text.contains("/etc/backstop/secrets/webhook-token") && text.contains("create"), "{text}");
}

#[test]
fn a_file_that_is_missing_is_placed_where_its_own_key_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let rollout = |name: &str, file: &str| {
        format!(
            "[[rollouts]]\nname = \"{name}\"\nmatch = {{ rollout = \"{name}\" }}\n[rollouts.traffic]\n\
             kind = \"feature-flag\"\nurl = \"http://127.0.0.1:1/\"\nfeature = \"v1.4.0\"\n\
             # bearer_token_file = \"another\"\nbearer_token_file = \"{file}\"\n"
        )
    };
    let text = format!(
        "[server]\nauth.webhook_token_files = [\"there\", \"gone\"]\n{}{}",
        rollout("one", "there"),
        rollout("two", "gone")
    );
    std::fs::write(folder.path().join("there"), "a-long-token").expect("written");
    let path = folder.path().join("backstop.toml");
    std::fs::write(&path, &text).expect("written");
    let problems = Config::load(&path).expect_err("a file is missing").problems;
    let lines: Vec<_> = text.lines().collect();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem.key.as_str(), problem.line, lines[problem.line.expect("a line") - 1]))
        .collect();
    assert_eq!(
        places,
        [
            ("server.auth.webhook_token_files", Some(2), lines[1]),
            ("rollouts[1].traffic.bearer_token_file", Some(20), "bearer_token_file = \"gone\""),
        ]
    );
}

#[test]
fn the_reference_lists_every_key_that_is_read_and_no_other() {
    let others = [super::kubernetes::tests::BOTH_KINDS, super::freeze::tests::BOTH_FORMS];
    let apis = "[[rollouts.apis]]\n";
    let text = [&good(), others[0], others[1], super::criteria::tests::ONE, apis].concat();
    let document = toml_edit::Document::parse(text.as_str()).expect("TOML");
    let reader = super::Reader::new(Path::new("x"), &text, document.as_table());
    super::ServerConfig::read(&reader.table("server"));
    let store = super::StoreConfig::read(&reader.table("store"));
    super::EvidenceConfig::read(&reader.table("evidence"), &store);
    super::AlertmanagerConfig::read(&reader.table("alertmanager"));
    super::PrometheusConfig::read(&reader.table("prometheus"));
    super::LokiConfig::read(&reader.table("loki"));
    super::PeopleConfig::read_all(&reader);
    super::ReportConfig::read(&reader.table("report"));
    for table in reader.tables("rollouts") {
        super::RolloutConfig::read(&table);
    }
    let tables = [
        "server",
        "server.auth",
        "server.auth.webhook_basic_auth",
        "server.tls",
        "store",
        "evidence",
        "alertmanager",
        "prometheus",
        "loki",
        "notifications",
        "slack",
        "slack.mentions",
        "pagerduty",
        "pagerduty.level_routing_keys",
        "status_page",
        "status_page.open",
        "status_page.update",
        "status_page.find",
        "status_page.statuses",
        "grafana",
        "webhook",
        "teams",
        "report",
        "rollouts",
        "rollouts.verify",
        "rollouts.metrics",
        "rollouts.ramp",
        "rollouts.ramp.git_tag",
        "rollouts.ramp.criteria",
        "rollouts.apis",
        "rollouts.freeze",
        "rollouts.traffic",
        "rollouts.traffic.stable",
        "rollouts.traffic.canary",
    ];
    let asked = reader.asked().into_iter();
    let asked: Vec<_> =
        asked.filter(|key| !tables.contains(&key.as_str()) && !key.ends_with(".basic_auth")).collect();
    let systems = [
        "alertmanager",
        "prometheus",
        "pagerduty",
        "status_page",
        "grafana",
        "webhook",
        "teams",
        "rollouts.traffic",
        "rollouts.verify",
        "rollouts.apis",
        "loki",
    ];
    let of_each = |key: &str| systems.map(|system| key.replace("SYSTEM", system)).to_vec();
    let mut listed: Vec<_> = REFERENCE.iter().flat_map(|entry| of_each(entry.key)).collect();
    listed.sort();
    listed.dedup();
    assert_eq!(asked, listed);
}

#[test]
fn tls_allows_a_public_address_makes_the_url_https_and_needs_both_files() {
    let tls = "tls.cert_file = \"cert.pem\"\ntls.key_file = \"key.pem\"";
    let public = |tls: &str| {
        good().replace("listen = \"127.0.0.1:8080\"", &format!("listen = \"0.0.0.0:8443\"\n{tls}"))
    };
    let config = parse(&public(tls)).expect("valid");
    assert_eq!(config.server.external_url, "https://0.0.0.0:8443");
    let files = config.server.tls.expect("TLS");
    assert_eq!(files.cert_file, Path::new("/etc/backstop/cert.pem"));
    for (missing, key) in
        [("cert_file", "tls.key_file = \"key.pem\""), ("key_file", "tls.cert_file = \"cert.pem\"")]
    {
        let problems = parse(&public(key)).expect_err("half of it");
        let named = problems.iter().find(|problem| problem.key == format!("server.tls.{missing}"));
        assert!(named.is_some_and(|problem| problem.line == Some(4)), "{problems:?}");
    }
}
