//! Documents that have to agree with the code.

use backstop::config::{Config, Level, REFERENCE};
use backstop::decision::RampRefusalName;
use backstop::incident::{ChannelName, HoldReason, Reason, RolloutName};
use backstop::metrics::Metrics;

use crate::support::project;

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules() -> String {
    ["critical", "warning", "backstop"].map(|name| read(&format!("alert-rules/{name}.yml"))).concat()
}

fn alerts() -> Vec<String> {
    let names = |text: &str| {
        text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
    };
    names(&rules())
}

#[test]
fn the_nine_alerts_of_the_protocol_are_there_by_name() {
    for name in [
        "CanaryLatencyP95Critical",
        "CanaryErrorRateCritical",
        "BistStalenessCritical",
        "CspViolationStorm",
        "IdempotencyConflictStorm",
        "PgBouncerSaturation",
        "CanaryLatencyP95Warning",
        "CanaryErrorRateWarning",
        "DatabaseSlowQueries",
        "Watchdog",
        "CanaryNoData",
    ] {
        assert!(alerts().iter().any(|alert| alert == name), "{name}");
    }
}

#[test]
fn every_alert_has_summary_description_and_a_runbook_that_exists() {
    let (rules, runbooks) = (rules(), read("alert-rules/runbooks.md"));
    for (name, rule) in
        rules.split("- alert: ").skip(1).map(|rule| (rule.lines().next().unwrap_or_default(), rule))
    {
        for member in ["summary:", "description:", "runbook_url:", "severity:"] {
            assert!(rule.contains(member), "{name} has no {member}");
        }
        assert!(rule.contains(&format!("runbooks.md#{}", name.to_lowercase())), "{name}: runbook_url");
        assert!(runbooks.contains(&format!("\n## {name}\n")), "{name} has no section in runbooks.md");
    }
}

#[test]
fn every_metric_that_a_rule_asks_for_is_exported() {
    let metrics = Metrics::new(&[RolloutName::new("x")], &["y".to_owned()]);
    metrics.channels(&[ChannelName::new("z")]);
    let exported = metrics.render();
    for name in rules()
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("backstop_"))
    {
        let plain = name.trim_end_matches("_total");
        assert!(exported.contains(&format!("# TYPE {plain} ")), "{name} is not exported:\n{exported}");
    }
}

#[test]
fn the_readme_lists_every_key_with_its_default_and_every_reason() {
    let readme = read("README.md");
    for entry in REFERENCE {
        let row = format!("| `{}` | `{}` | {} |", entry.key, entry.default, entry.meaning);
        assert!(readme.contains(&row), "README.md has no row\n{row}");
    }
    for reason in Reason::ALL {
        let row = format!("| `{reason}` | {} |", reason.meaning());
        assert!(readme.contains(&row), "README.md has no row\n{row}");
    }
    let holds = HoldReason::ALL.iter().map(|reason| (reason.as_str(), reason.meaning()));
    let refusals = RampRefusalName::ALL.iter().map(|name| (name.as_str(), name.meaning()));
    for (name, meaning) in holds.chain(refusals) {
        let row = format!("| `{name}` | {meaning} |");
        assert!(readme.contains(&row), "README.md has no row\n{row}");
    }
}

#[test]
fn the_example_configuration_is_valid() {
    let text = read("deploy/backstop.example.toml");
    let config = Config::parse(&text, std::path::Path::new("/etc/backstop/backstop.toml")).expect("valid");
    assert!(config.warnings.iter().all(|problem| problem.level == Level::Warning));
}

#[test]
fn what_is_built_in_comes_to_the_images_builder() {
    let (image, let_in) = (read("deploy/Dockerfile"), read("deploy/Dockerfile.dockerignore"));
    for (file, used_by) in [("INCIDENT_TEMPLATE.md", "report/template"), ("criteria.toml", "config/criteria")]
    {
        let included = format!("include_str!(\"../../deploy/{file}\")");
        assert!(
            read(&format!("src/{used_by}.rs")).contains(&included),
            "{used_by} has another file built in"
        );
        let copied =
            image.lines().any(|line| line.starts_with("COPY ") && line.contains(&format!("deploy/{file}")));
        assert!(
            copied && let_in.contains(&format!("!deploy/{file}\n")),
            "{file} does not come to the builder"
        );
    }
}
