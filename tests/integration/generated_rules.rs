//! `backstop rules generate`, judged by promtool and amtool, and what `check-config` asks Prometheus.

use std::path::Path;

use backstop::config::Config;
use backstop::demo::trading_api::TradingApi;
use backstop::rules;
use tokio::process::Command;

use crate::support::alerting::configure;
use crate::support::measured::Measured;
use crate::support::{Site, binary, project, rollout_toml};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Runs a tool on a file, which has to be content with it.
async fn accepted(program: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(file).output().await.expect("run");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

/// Two applications that name everything otherwise, and share their alerts' names.
async fn unusual() -> (Site, [TradingApi; 2]) {
    let apis = [
        TradingApi::start(25, 10).await.expect("started"),
        TradingApi::start(25, 10).await.expect("started"),
    ];
    let first = rollout_toml("checkout", r#"{ app = "checkout", env = "prod's" }"#, "5m", &apis[0]);
    let second = rollout_toml("spark-trading", r#"{ rollout = "spark-trading" }"#, "5m", &apis[1]);
    let metrics = r#"
[rollouts.metrics]
selector = 'service="checkout"'
canary = 'variant=~"v1[.]4[.].*",zone!="dr"'
stable = 'variant="v1.3.9"'
pgbouncer_selector = 'job="pgbouncer"'
status_labels = ["code"]
server_errors = "5xx|504"
requests = "checkout_requests_total"
request_duration = "checkout_request_seconds"
staleness = "none"
csp_violations = "none"
database_duration = "db:query_seconds"
"#;
    (Site::new("", &format!("{first}{metrics}{second}")), apis)
}

#[test]
fn the_shipped_files_are_what_the_example_configuration_gives() {
    let read = |path: &str| std::fs::read_to_string(project().join(path)).expect("read");
    let config =
        Config::parse(&read("deploy/backstop.example.toml"), Path::new("backstop.toml")).expect("valid");
    let remedy = "run: backstop rules generate --config deploy/backstop.example.toml --directory alert-rules";
    for file in rules::files(&config.rollouts) {
        assert_eq!(read(&format!("alert-rules/{}", file.name)), file.text(), "{}: {remedy}", file.name);
    }
    let routes = rules::alertmanager::configuration(&config, &config.rollouts);
    assert_eq!(
        read("alert-rules/alertmanager/alertmanager.yml"),
        routes,
        "the same with --format alertmanager"
    );
}

#[test]
fn the_shipped_objects_for_the_operator_are_what_the_shipped_configuration_of_a_cluster_gives() {
    let folder = project().join("deploy/kubernetes");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).expect("read");
    let config = Config::parse(&read("base/backstop.toml"), Path::new("backstop.toml")).expect("valid");
    let remedy = "run: backstop rules generate --config deploy/kubernetes/base/backstop.toml --format";
    for (file, format, text) in [
        ("prometheus-rule.yaml", "prometheusrule", rules::prometheus_rule(&config, &config.rollouts)),
        (
            "alertmanager-config.yaml",
            "alertmanagerconfig",
            rules::alertmanager_config::configuration(&config, &config.rollouts),
        ),
    ] {
        assert_eq!(read(&format!("monitoring/{file}")), text, "{file}: {remedy} {format}");
    }
}

#[tokio::test]
async fn rules_of_unusual_applications_pass_their_own_tests_in_promtool() {
    let (site, _apis) = unusual().await;
    let folder = site.folder.path().join("rules");
    let directory = folder.display().to_string();
    let (code, _, stderr) = run(&site, &["rules", "generate", "--tests", "--directory", &directory]).await;
    assert_eq!(code, 0, "{stderr}");
    for name in ["critical.yml", "warning.yml", "backstop.yml"] {
        accepted("promtool", &["check", "rules"], &folder.join(name)).await;
    }
    let said = accepted("promtool", &["test", "rules"], &folder.join("tests/generated.yml")).await;
    assert!(said.contains("SUCCESS"), "{said}");
    let text = std::fs::read_to_string(folder.join("critical.yml")).expect("read");
    assert!(text.contains(r#"checkout_requests_total{service="checkout",variant=~"v1[.]4[.].*""#), "{text}");
    let of_checkout = text.split("spark-trading-critical").next().expect("the first group");
    assert!(!of_checkout.contains("BistStaleness") && !of_checkout.contains("CspViolation"), "{of_checkout}");
    // An alert belongs to a rollout by all labels of its `match`.
    assert!(
        of_checkout.contains("app: \"checkout\"") && of_checkout.contains("env: \"prod's\""),
        "{of_checkout}"
    );
}

#[tokio::test]
async fn generated_tests_fail_for_rules_that_are_not_the_generated_ones() {
    let (site, _apis) = unusual().await;
    let folder = site.folder.path().join("rules");
    let directory = folder.display().to_string();
    run(&site, &["rules", "generate", "--tests", "--directory", &directory]).await;
    let critical = folder.join("critical.yml");
    let text = std::fs::read_to_string(&critical).expect("read");
    std::fs::write(&critical, text.replace("> 0.03", "> 0.3")).expect("written");
    let tests = folder.join("tests/generated.yml");
    let output = Command::new("promtool").args(["test", "rules"]).arg(tests).output().await.expect("run");
    assert!(!output.status.success(), "a threshold ten times as high was not noticed");
}

#[tokio::test]
async fn one_file_one_rollout_an_operators_object_and_routes_are_all_accepted() {
    let (site, _apis) = unusual().await;
    let write = |name: &str, text: &str| {
        let file = site.folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        file
    };
    let (_, all, _) = run(&site, &["rules", "generate"]).await;
    accepted("promtool", &["check", "rules"], &write("rules.yml", &all)).await;
    let (_, tests, _) = run(&site, &["rules", "generate", "--tests"]).await;
    accepted("promtool", &["test", "rules"], &write("rules_test.yml", &tests)).await;

    let (_, one, _) = run(&site, &["rules", "generate", "--rollout", "checkout"]).await;
    assert!(one.contains("checkout-warning") && !one.contains("spark-trading-warning"), "{one}");

    let (_, object, _) = run(&site, &["rules", "generate", "--format", "prometheusrule"]).await;
    let (head, spec) = object.split_once("\nspec:\n").expect("a spec");
    assert!(head.contains("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule"), "{head}");
    let unwrapped: String =
        spec.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
    let said = accepted("promtool", &["check", "rules"], &write("unwrapped.yml", &unwrapped)).await;
    let of_all = accepted("promtool", &["check", "rules"], &site.folder.path().join("rules.yml")).await;
    let count =
        |said: &str| said.lines().find_map(|line| line.trim().strip_prefix("SUCCESS: ").map(str::to_owned));
    assert_eq!(count(&said), count(&of_all));

    let (_, routes, _) = run(&site, &["rules", "generate", "--format", "alertmanager"]).await;
    let file = write("alertmanager.yml", &routes);
    accepted("amtool", &["check-config"], &file).await;
    for (labels, receivers) in [
        (&["app=checkout", "env=prod's", "severity=critical"][..], "backstop,pager"),
        (&["app=checkout", "env=prod's", "severity=warning"], "backstop,humans"),
        (&["rollout=spark-trading", "severity=critical"], "backstop,pager"),
        // As generated, with the label of all that roll back: sent once.
        (&["rollout=spark-trading", "canary_rollback=true", "severity=critical"], "backstop,pager"),
        (&["app=checkout", "env=test", "severity=critical"], "pager"),
        (&["alertname=CanaryNoData", "rollout=spark-trading", "severity=critical"], "pager"),
        (&["alertname=Watchdog", "severity=none"], "backstop-heartbeat"),
    ] {
        let config = format!("--config.file={}", file.display());
        let expected = format!("--verify.receivers={receivers}");
        let arguments = [&["config", "routes", "test", &config, &expected][..], labels].concat();
        let output = Command::new("amtool").args(&arguments).output().await.expect("run");
        assert!(output.status.success(), "{labels:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[tokio::test]
async fn what_cant_be_generated_is_refused_with_a_remedy() {
    let (site, _apis) = unusual().await;
    let (code, _, stderr) = run(&site, &["rules", "generate", "--rollout", "chekout"]).await;
    assert!(code == 2 && stderr.contains("known: checkout, spark-trading"), "{stderr}");
    let (code, _, stderr) = run(&site, &["rules", "generate", "--tests", "--format", "alertmanager"]).await;
    assert!(code == 2 && stderr.contains("leave --format out"), "{stderr}");
    let (code, _, stderr) = run(&site, &["rules", "generate", "--directory", "/proc/rules"]).await;
    assert!(code == 1 && stderr.contains("can't be written"), "{stderr}");
    for (from, to, words) in [
        ("service=\"checkout\"", "{service=\"checkout\"}", "write them without braces"),
        ("service=\"checkout\"", "service=\"checkout\"} #", "write them without braces"),
        ("checkout_requests_total", "checkout requests", "is no metric's name"),
        ("stable = ", "stabel = ", "did you mean \"stable\"?"),
        ("5xx|504", "5(xx", "is no matcher"),
        ("app = \"checkout\"", "severity = \"page\"", "matched by the label severity"),
        ("app = \"checkout\"", "app = \"{{ $x }}\"", "read as a template"),
    ] {
        let (site, _apis) = unusual().await;
        site.edit(from, to);
        let (code, _, stderr) = run(&site, &["rules", "generate"]).await;
        assert!(code == 2 && stderr.contains(words), "{to}: {stderr}");
    }
}

#[tokio::test]
async fn rules_for_odd_settings_are_accepted_too() {
    for (from, to) in [
        // Two rollouts that differ in one label of several, quotes, and a namespace to match by.
        ("{ rollout = \"spark-trading\" }", "{ app = \"checkout\", env = \"a\\\"b\\u0301\" }"),
        ("{ rollout = \"spark-trading\" }", "{ namespace = \"prod\" }"),
        ("5xx|504", "5\\\\d{2}"),
        ("variant=~\"v1[.]4[.].*\",zone!=\"dr\"", "pod=~\"api-[0-9]{3}\""),
    ] {
        let (site, _apis) = unusual().await;
        site.edit(from, to);
        let file = site.folder.path().join("rules.yml");
        let (code, text, stderr) = run(&site, &["rules", "generate"]).await;
        assert_eq!(code, 0, "{to}: {stderr}");
        std::fs::write(&file, text).expect("written");
        let said = accepted("promtool", &["check", "rules"], &file).await;
        assert!(!said.contains("duplicate"), "{to}: {said}");
        let (_, tests, _) = run(&site, &["rules", "generate", "--tests"]).await;
        let tests_file = site.folder.path().join("rules_test.yml");
        std::fs::write(&tests_file, tests).expect("written");
        accepted("promtool", &["test", "rules"], &tests_file).await;
    }
}

#[tokio::test]
async fn an_application_without_metrics_has_no_rules_of_its_own_and_no_tests() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let names = [
        "requests",
        "request_duration",
        "staleness",
        "csp_violations",
        "idempotency_conflicts",
        "database_duration",
        "pgbouncer",
    ];
    let metrics: String = names.map(|name| format!("metrics.{name} = \"none\"\n")).concat();
    let toml = rollout_toml("spark-trading", "{ rollout = \"spark-trading\" }", "90s", &api)
        .replace("[rollouts.traffic]", &format!("{metrics}[rollouts.traffic]"));
    let site = Site::new("", &toml);
    let directory = site.folder.path().join("rules").display().to_string();
    let (code, stdout, stderr) =
        run(&site, &["rules", "generate", "--output", "json", "--directory", &directory]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("critical.yml"), "{stdout}");
    for name in ["critical.yml", "warning.yml", "backstop.yml"] {
        accepted("promtool", &["check", "rules"], &Path::new(&directory).join(name)).await;
    }
    let (code, _, stderr) = run(&site, &["rules", "generate", "--tests"]).await;
    assert!(code == 1 && stderr.contains("nothing to test"), "{stderr}");

    // A grace of its own is what people read.
    site.edit("metrics.requests = \"none\"\n", "");
    let (_, stdout, _) = run(&site, &["rules", "generate"]).await;
    assert!(stdout.contains("waits for the grace of 1m 30s, then rolls back"), "{stdout}");
}

#[tokio::test]
async fn what_does_not_know_the_versions_apart_is_the_canarys_too() {
    let (site, _apis) = unusual().await;
    let (_, rules, _) = run(&site, &["rules", "generate", "--rollout", "checkout"]).await;
    let of = |alert: &str, metric: &str| assert!(rules.contains(metric), "{alert}: {metric}");
    of(
        "PgBouncerSaturation",
        r#"pgbouncer_pools_server_active{job="pgbouncer",variant=~"v1[.]4[.].*|",zone!="dr"}"#,
    );
    of("CanaryNoData", r#"up{service="checkout",variant=~"v1[.]4[.].*|",zone!="dr"}"#);
    of(
        "CanaryErrorRateCritical",
        r#"checkout_requests_total{service="checkout",variant=~"v1[.]4[.].*",zone!="dr""#,
    );
}

#[tokio::test]
async fn check_config_says_what_the_rules_cant_see() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::new(
        "#monitoring",
        &rollout_toml("spark-trading", r#"{ rollout = "spark-trading" }"#, "5m", &api),
    );
    // Without Prometheus it is said of the default: nothing is known of the series.
    let (code, stdout, _) = run(&site, &["check-config"]).await;
    assert!(code == 0 && stdout.contains("never at 1 %, from 30 % at 5 %"), "{stdout}");

    let measured = Measured::new(&site, "", &[]).await;
    configure(&site, &[&measured.alertmanager], Some(&measured.prometheus));
    site.edit("[rollouts.traffic]", "[rollouts.metrics]\nselector = 'env=\"test\"'\n[rollouts.traffic]");
    for (series, value) in [
        ("http_requests_total{status=\"200\"}", 100.0),
        ("http_request_duration_seconds_bucket{le=\"0.1\"}", 50.0),
        ("http_request_duration_seconds_bucket{le=\"0.5\"}", 90.0),
        ("http_request_duration_seconds_bucket{le=\"+Inf\"}", 100.0),
        ("pgbouncer_pools_server_active_connections", 3.0),
    ] {
        measured.set(series, value);
    }
    measured.until("pgbouncer_pools_server_active_connections", true).await;
    let (code, stdout, _) = run(&site, &["check-config"]).await;
    assert_eq!(code, 0, "{stdout}");
    for words in [
        "no http_requests_total has carried track=\"stable\" for an hour: nothing distinguishes the canary",
        "has no bucket that ends at 0.25 s: only what is slower than 0.5 s counts",
        "has no bucket that ends at 0.4 s",
        "no spark_bist_staleness_seconds{env=\"test\"} for an hour",
        "no database_query_duration_seconds_bucket{env=\"test\"} for an hour",
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    assert!(!stdout.contains("metrics.pgbouncer") && !stdout.contains("metrics.requests"), "{stdout}");

    // Stable's series tell the two apart.
    measured.set("http_requests_total{status=\"200\",track=\"stable\"}", 100.0);
    measured.until("http_requests_total{track=\"stable\"}", true).await;
    let (_, stdout, stderr) = run(&site, &["check-config"]).await;
    assert!(!stdout.contains("nothing distinguishes"), "{stdout}{stderr}");
    // Generating says the same, beside the rules.
    let (_, rules, stderr) = run(&site, &["rules", "generate"]).await;
    assert!(
        rules.starts_with("# Made by") && stderr.contains("has no bucket that ends at 0.4 s"),
        "{stderr}"
    );
}
