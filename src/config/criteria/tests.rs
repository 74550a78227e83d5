use std::path::Path;

use super::remembered::Source;
use super::*;
use crate::config::Config;
use crate::incident::{Bound, Criterion, OnFail, Question, RangeQuery, Revision, Share, Unit};
use crate::ramp::MetricFrom;

mod mistakes;
mod names;

/// A criterion with a key of each kind: what the reference has to list.
pub(in crate::config) const ONE: &str = "[[rollouts.ramp.criteria]]\nname = \"contract-spot-checks\"\n";

const FLAG: &str = "[[rollouts]]\nname = \"spark-trading\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }\n";

fn rollout(toml: &str) -> RolloutConfig {
    let text = format!("{FLAG}{toml}");
    Config::parse(&text, Path::new("/etc/backstop/backstop.toml")).expect("valid").rollouts.remove(0)
}

fn load(toml: &str) -> Criteria {
    let rollout = rollout(toml);
    rollout.ramp.criteria.load(&rollout).expect("valid")
}

fn names(criteria: &[Criterion]) -> Vec<&str> {
    criteria.iter().map(|one| one.name.as_str()).collect()
}

fn of_stage(criteria: &Criteria, share: Share, previous: Share) -> Vec<Criterion> {
    criteria.of_stage(share, previous, &Revision::new("v1.4.0")).expect("a plain revision")
}

fn query_of(criteria: &Criteria, name: &str) -> RangeQuery {
    let found = criteria.all.iter().find(|one| one.criterion.name.as_str() == name).expect(name);
    match &found.criterion.question {
        Question::Query(query) => query.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn the_protocols_criteria_are_built_in_each_at_its_stage() {
    let criteria = load("");
    let always = ["api-p95", "server-errors"];
    for (share, previous, own) in [
        (1, 0, &["websocket-staleness", "risk-blocks", "idempotency-conflicts", "csp-violations"][..]),
        (5, 1, &["outbox-lag", "money-errors", "position-violations"]),
        (25, 5, &["database-p95", "pgbouncer-pool", "bist-staleness"]),
        (50, 25, &["wal-archiving"]),
    ] {
        let found = of_stage(&criteria, Share(share), Share(previous));
        assert_eq!(names(&found), [&always[..], own].concat(), "{share} %");
    }
    assert_eq!(of_stage(&criteria, Share::ALL, Share(50)).len(), 13, "all previous ones maintained");
    let left_out: Vec<_> = criteria.left_out.iter().map(|one| one.name.as_str()).collect();
    let off = ["ci", "database-pool", "contract-spot-checks", "memory", "cpu", "backup-dashboard"];
    let later = ["idempotency-service", "logs-clean", "user-feedback", "p95-against-stable"];
    assert_eq!(left_out, [&off[..], &later].concat());
    assert!(criteria.left_out.iter().all(|one| one.why.contains("enabled = false")));
}

#[test]
fn the_built_in_thresholds_are_the_protocols() {
    let on = |name: &str| format!("[[rollouts.ramp.criteria]]\nname = {name:?}\nenabled = true\n");
    let criteria = load(&["database-pool", "memory", "cpu", "idempotency-service"].map(on).concat());
    use Bound::{AtMost, Below};
    use Unit as U;
    for (name, bound, unit, window, samples) in [
        ("api-p95", Below(0.2), U::Seconds, 300, 60),
        ("server-errors", Below(0.01), U::Ratio, 300, 300),
        ("websocket-staleness", Below(30.0), U::Seconds, 60, 0),
        ("risk-blocks", Below(0.5), U::PerMinute, 300, 0),
        ("idempotency-conflicts", Below(0.01), U::Ratio, 300, 300),
        ("csp-violations", Below(1.0), U::PerSecond, 300, 0),
        ("database-pool", Below(0.7), U::Ratio, 60, 0),
        ("outbox-lag", Below(5.0), U::Seconds, 300, 0),
        ("money-errors", AtMost(0.0), U::Count, 0, 0),
        ("position-violations", AtMost(0.0), U::Count, 0, 0),
        ("database-p95", Below(0.05), U::Seconds, 300, 60),
        ("pgbouncer-pool", Below(0.8), U::Ratio, 60, 0),
        ("bist-staleness", Below(60.0), U::Seconds, 60, 0),
        ("memory", Below(0.8), U::Ratio, 60, 0),
        ("cpu", Below(0.7), U::Ratio, 300, 0),
        ("wal-archiving", AtMost(0.0), U::Count, 0, 0),
        ("idempotency-service", Below(0.01), U::Seconds, 300, 60),
    ] {
        let query = query_of(&criteria, name);
        let found = (query.bound, query.unit, query.window_seconds, query.min_samples);
        assert_eq!(found, (bound, unit, window, samples), "{name}");
        assert_eq!(query.since_stage_began, bound == AtMost(0.0), "{name}");
    }
    assert!(criteria.all.iter().all(|one| one.criterion.on_fail == OnFail::Hold));
    // What nobody has named before is on only where somebody says that there is such a metric.
    let proposed = load("").all.into_iter().find(|one| one.metric_from == Some(MetricFrom::Proposed));
    assert_eq!(proposed, None);
    assert!(load("").all.iter().all(|one| one.metric_from.is_some()));
}

#[test]
fn other_shares_than_the_protocols_leave_no_criterion_out() {
    let criteria = load("");
    let asked = |share, previous, name: &str| {
        names(&of_stage(&criteria, Share(share), Share(previous))).contains(&name)
    };
    assert!(asked(10, 0, "risk-blocks") && asked(10, 0, "outbox-lag"), "passed over at once");
    assert!(!asked(10, 0, "bist-staleness"));
    assert!(asked(50, 1, "bist-staleness") && asked(50, 1, "outbox-lag"), "1, 50, 100");
    assert!(asked(10, 6, "outbox-lag"), "of the protocol's 5 %, as the whole of the stage");
    assert!(asked(2, 1, "risk-blocks") && !asked(2, 1, "outbox-lag"));
    assert!(asked(100, 0, "risk-blocks"), "100 % at once");
}

#[test]
fn criteria_are_parsed_once_and_anew_once_their_file_or_what_they_are_filled_with_is_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("own.toml");
    let write = |below: &str| {
        let text = format!("[[criteria]]\nname = \"own\"\nquery = \"max({{staleness}})\"\nbelow = {below}\n");
        std::fs::write(&path, text).expect("written");
    };
    write("1");
    let mut rollout = rollout(&format!("ramp.criteria_files = [{:?}]\n", path.display().to_string()));
    let load =
        |rollout: &RolloutConfig| query_of(&rollout.ramp.criteria.load(rollout).expect("valid"), "own");
    assert_eq!(load(&rollout).bound, Bound::Below(1.0));
    // What is remembered is what is given: another one in its place is.
    let remembered = &rollout.ramp.criteria.remembered;
    let source = Source {
        files: vec![std::fs::read_to_string(&path).expect("read")],
        metrics: rollout.metrics.clone(),
        recorded: placeholders::recorded_labels(&rollout),
    };
    let mut other = remembered.of(&source).expect("as it was just loaded");
    other.all[0].criterion.title = "Not parsed again".to_owned();
    remembered.keep(source, &other);
    let again = rollout.clone().ramp.criteria.load(&rollout).expect("valid");
    assert_eq!(again.all[0].criterion.title, "Not parsed again", "clones share it");

    write("2");
    assert_eq!(load(&rollout).bound, Bound::Below(2.0));
    rollout.metrics.staleness = Some("age_seconds".to_owned());
    assert_eq!(load(&rollout).expression, "max(age_seconds)");
    std::fs::remove_file(&path).expect("there");
    assert!(rollout.ramp.criteria.load(&rollout).is_err(), "what is gone is not remembered");
}

#[test]
fn a_later_criterion_changes_an_earlier_one_key_by_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let one = file(
        "one.toml",
        "[[criteria]]\nname = \"depth\"\nquery = \"max(depth)\"\nbelow = 5\nstages = [1]\n\
         [[criteria]]\nname = \"spot\"\ntitle = \"Spot\"\nkind = \"command\"\nargv = [\"true\"]\nenabled = false\n",
    );
    let two = file("two.toml", "[[criteria]]\nname = \"depth\"\nat_least = 2\non_fail = \"roll_back\"\n");
    let toml = format!(
        "ramp.criteria_files = [{one:?}, {two:?}]\n\
         [[rollouts.ramp.criteria]]\nname = \"depth\"\ntitle = \"Depth\"\nwindow = \"2m\"\n\
         [[rollouts.ramp.criteria]]\nname = \"spot\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/spot\"\nenabled = true\n\
         [[rollouts.ramp.criteria]]\nname = \"own\"\nkind = \"approval\"\n"
    );
    let criteria = load(&toml);
    assert_eq!(
        names(&of_stage(&criteria, Share(5), Share(1))),
        ["spot", "own"],
        "and none of the shipped ones"
    );
    let depth = &criteria.all[0];
    assert_eq!((depth.criterion.title.as_str(), depth.stages.as_slice()), ("Depth", &[Share(1)][..]));
    assert_eq!(depth.criterion.on_fail, OnFail::RollBack);
    let query = query_of(&criteria, "depth");
    assert_eq!(
        (query.bound, query.window_seconds, query.expression.as_str()),
        (Bound::AtLeast(2.0), 120, "max(depth)")
    );
    let spot = &criteria.all[1].criterion;
    assert_eq!(spot.title, "Spot");
    assert!(
        matches!(&spot.question, Question::Http(check) if check.status == 200 && check.every_seconds == 60)
    );
    assert_eq!(load("ramp.criteria_files = []\n"), Criteria::default());
}

#[test]
fn each_kind_is_read_with_its_defaults() {
    let criteria = load(
        "ramp.criteria_files = []\n\
         [[rollouts.ramp.criteria]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/a\"\npointer = \"/ok\"\n\
         expected = true\nstatus = 204\nevery = \"10s\"\n\
         [[rollouts.ramp.criteria]]\nname = \"b\"\nkind = \"logs\"\nselector = '{app=\"x\"} |= \"ERROR\"'\nat_most = 3\n\
         [[rollouts.ramp.criteria]]\nname = \"c\"\nkind = \"command\"\nargv = [\"gh\", \"run\"]\ndirectory = \"repo\"\n\
         environment = [\"PATH\"]\nvariables = { CI = \"1\" }\n",
    );
    let questions: Vec<_> =
        criteria.all.iter().map(|one| serde_json::to_value(&one.criterion.question).expect("JSON")).collect();
    assert_eq!(
        questions,
        [
            serde_json::json!({ "kind": "http", "url": "http://127.0.0.1:1/a", "status": 204, "pointer": "/ok",
                "expected": true, "every_seconds": 10 }),
            serde_json::json!({ "kind": "logs", "selector": "{app=\"x\"} |= \"ERROR\"", "at_most": 3,
                "every_seconds": 60, "file": "b_stage_{stage}.txt" }),
            serde_json::json!({ "kind": "command", "argv": ["gh", "run"], "directory": "/etc/backstop/repo",
                "environment": ["PATH"], "variables": { "CI": "1" }, "timeout_seconds": 120, "every_seconds": 60,
                "file": "c_stage_{stage}.txt" }),
        ]
    );
    assert_eq!(of_stage(&criteria, Share(1), Share::ZERO).len(), 3, "all stages");
}

#[test]
fn what_programs_and_logs_leave_in_a_stages_evidence_has_the_protocols_names() {
    let on = |name: &str| format!("[[rollouts.ramp.criteria]]\nname = {name:?}\nenabled = true\n");
    let criteria = load(&["ci", "contract-spot-checks", "backup-dashboard", "logs-clean"].map(on).concat());
    let files = |share, previous| -> Vec<String> {
        let asked = of_stage(&criteria, Share(share), Share(previous));
        let file = |one: &Criterion| match &one.question {
            Question::Command(check) => check.file.clone(),
            Question::Logs(check) => check.file.clone(),
            Question::Query(_) | Question::Http(_) | Question::Approval => None,
        };
        asked.iter().filter_map(file).collect()
    };
    assert_eq!(files(1, 0), ["ci_stage_1.txt", "logs_1.txt"]);
    assert_eq!(files(5, 1), ["logs_5.txt"]);
    assert_eq!(files(25, 5), ["contract_spot_stage_25.txt", "logs_25.txt"]);
    assert_eq!(files(50, 25), ["db_stage_50.txt", "logs_50.txt"]);
    let all = ["ci_stage_100.txt", "contract_spot_stage_100.txt", "db_stage_100.txt", "logs_100.txt"];
    assert_eq!(files(100, 50), all);
}
