//! Asks the real promtool which alerts the shipped rules fire, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::canary::{GRID_SECONDS, Recording, Value, World};

/// Between two evaluations. Prometheus' in `deploy/` evaluates more often, which finds things sooner; what
/// more looks leave to chance is in the table, which looks every 15 s.
pub(crate) const EVALUATION_SECONDS: u32 = 30;

/// Labels of one alert, without what says that it fires.
pub(crate) type AlertLabels = BTreeMap<String, String>;

/// The alerts that fire at each evaluation, by seconds from the start.
pub(crate) type Firing = BTreeMap<u32, BTreeSet<AlertLabels>>;

/// Evaluates the rules over a recording, all of it in promtool; those that only page if it matters,
/// because they take as long as the others.
pub(crate) fn firing(world: &World, recording: &Recording, pages_matter: bool, folder: &Path) -> Firing {
    let file = folder.join("test.yml");
    let files = if pages_matter { RULE_FILES } else { &RULE_FILES[..2] };
    std::fs::write(&file, test_file(world, recording, files)).expect("written");
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output().expect("promtool runs");
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    parse(&text)
}

const RULE_FILES: &[&str] = &["critical.yml", "warning.yml", "backstop.yml"];

/// Every instant expects silence, so that promtool prints what is not.
fn test_file(world: &World, recording: &Recording, files: &[&str]) -> String {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules");
    let files: Vec<_> = files.iter().map(|name| format!("{:?}", rules.join(name))).collect();
    let mut text = format!(
        "rule_files: [{}]\nevaluation_interval: {EVALUATION_SECONDS}s\ntests:\n  - interval: {GRID_SECONDS}s\n    input_series:\n",
        files.join(", ")
    );
    for ((metric, labels), values) in recording {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let _infallible = write!(text, "      - {{series: '{metric}{{{}}}', values: '", labels.join(","));
        for value in values {
            let _infallible = match value {
                Value::Number(number) => write!(text, "{number} "),
                Value::Gap => write!(text, "_ "),
                Value::Stale => write!(text, "stale "),
            };
        }
        text.push_str("'}\n");
    }
    text.push_str("    promql_expr_test:\n");
    let asked = "ALERTS{alertstate=\"firing\",alertname=~\"Canary.+|BistStalenessCritical|CspViolationStorm|IdempotencyConflictStorm|PgBouncerSaturation|DatabaseSlowQueries\"}";
    for at in (0..world.minutes * 60).step_by(EVALUATION_SECONDS as usize) {
        let _infallible = writeln!(text, "      - {{expr: '{asked}', eval_time: {at}s, exp_samples: []}}");
    }
    text
}

/// Reads what promtool says it got. Anything else that it says is an error of the test itself.
fn parse(text: &str) -> Firing {
    let mut firing = Firing::new();
    let mut at = None;
    for line in text.lines().map(str::trim) {
        if let Some(time) = line.strip_prefix("expr: ").and_then(|line| line.rsplit_once("time: ")) {
            at = Some(seconds(time.1.trim_end_matches(',')));
        } else if let (Some(at), Some((_, labels))) = (at, line.split_once("__name__=\"ALERTS\"")) {
            let labels = labels.split_once('}').map_or(labels, |(labels, _)| labels);
            let pairs = labels.split("\", ").filter_map(|pair| {
                let (name, value) = pair.trim_start_matches(", ").split_once("=\"")?;
                Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
            });
            let labels = pairs.filter(|(name, _)| name != "alertstate").collect();
            firing.entry(at).or_default().insert(labels);
        } else {
            let known = ["", "Unit Testing", "SUCCESS", "FAILED", "exp: nil", "exp:nil"];
            assert!(
                known.iter().any(|known| line == *known || (!known.is_empty() && line.starts_with(known))),
                "promtool says: {line}"
            );
        }
    }
    firing
}

/// `1h2m15s` in seconds.
fn seconds(text: &str) -> u32 {
    humantime::parse_duration(text).map_or(0, |span| span.as_secs() as u32)
}
