//! Freeze windows, good and bad.

use std::path::Path;

use crate::config::{Config, Problem};

/// Both forms, with TOML's own date in the second.
pub(in crate::config) const BOTH_FORMS: &str = r#"
[[rollouts.freeze]]
name = "weekend"
cron = "0 16 * * FRI"
duration = "64h"
time_zone = "Europe/Istanbul"
[[rollouts.freeze]]
name = "year end"
from = 2026-12-20
until = "2027-01-03T12:00:00+03:00"
"#;

const ROLLOUT: &str = "[[rollouts]]\nname = \"x\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\" }\n";

fn parse(freeze: &str) -> Result<Config, Vec<Problem>> {
    let text = format!("{ROLLOUT}{freeze}");
    Config::parse(&text, Path::new("backstop.toml")).map_err(|report| report.problems)
}

fn frozen(config: &Config, now: &str) -> Option<String> {
    let now = now.parse().expect("an instant");
    config.rollouts[0].freeze.frozen_at(now).map(|frozen| format!("{} {}", frozen.name, frozen.until))
}

#[test]
fn both_forms_freeze_and_without_one_nothing_is_frozen() {
    let config = parse(BOTH_FORMS).expect("valid");
    for (now, expected) in [
        ("2026-11-27T12:59:00Z", None),
        ("2026-11-27T13:00:00Z", Some("weekend 2026-11-30 05:00:00 UTC")),
        ("2026-12-24T00:00:00Z", Some("year end 2027-01-04 05:00:00 UTC")),
    ] {
        assert_eq!(frozen(&config, now).as_deref(), expected, "{now}");
    }
    assert_eq!(parse("").expect("valid").rollouts[0].freeze, super::FreezeWindows::default());
}

#[test]
fn each_mistake_names_its_key_and_remedy() {
    let first = |key: &str| format!("rollouts[0].freeze[0].{key}");
    let second = |key: &str| format!("rollouts[0].freeze[1].{key}");
    for (from, to, key, message, remedy) in [
        ("name = \"weekend\"\n", "", first("name"), "is missing", "weekend"),
        ("\"weekend\"", "\"a\\tb\"", first("name"), "no name", "in one line"),
        ("\"year end\"", "\"weekend\"", second("name"), "another window's", "its own"),
        ("Europe/Istanbul", "Europe/Instanbul", first("time_zone"), "no time zone", "\"Europe/Istanbul\""),
        ("Europe/Istanbul", "+03:00", first("time_zone"), "no time zone", "IANA"),
        ("0 16 * * FRI", "0 0 16 * * FRI", first("cron"), "not 6", "minute, hour"),
        ("0 16 * * FRI", "0 0 31 2 *", first("cron"), "never comes", "0 0 24 12 *"),
        ("0 16 * * FRI", "0 16 * * *", first("duration"), "for ever", "shorten"),
        ("64h", "1m", first("duration"), "out of bounds", "between 5m and 1month"),
        ("duration = \"64h\"\n", "", first("duration"), "is missing", "64h"),
        ("cron = \"0 16 * * FRI\"\n", "", first("cron"), "is missing", "0 16 * * FRI"),
        (
            "cron = \"0 16 * * FRI\"\nduration = \"64h\"\n",
            "",
            first("cron"),
            "freeze nothing",
            "from and until",
        ),
        ("64h\"\n", "64h\"\nuntil = \"2027-01-03\"\n", first("until"), "beside cron", "two windows"),
        ("from = 2026-12-20\n", "", second("from"), "is missing", "2026-12-20"),
        ("2026-12-20", "2026-12-20T16:00:00", second("from"), "neither a date", "+03:00"),
        ("2026-12-20", "7", second("from"), "not a text", "from = "),
        ("2026-12-20", "2027-01-03T09:00:00Z", second("until"), "not after from", "midnight"),
        ("until =", "untill =", second("untill"), "not a known key", "\"until\""),
    ] {
        assert!(BOTH_FORMS.contains(from), "{from:?} is in it");
        let problems = parse(&BOTH_FORMS.replacen(from, to, 1)).expect_err(to);
        let found = problems.iter().find(|problem| problem.key == key);
        let problem = found.unwrap_or_else(|| panic!("{to}: no problem at {key}: {problems:?}"));
        assert!(problem.message.contains(message) && problem.remedy.contains(remedy), "{to}: {problem}");
    }
}

#[test]
fn more_windows_than_anybody_reads_are_refused() {
    let windows = |count: usize| {
        let one = |number| {
            format!("[[rollouts.freeze]]\nname = \"{number}\"\nfrom = 2026-12-20\nuntil = 2026-12-21\n")
        };
        (0..count).map(one).collect::<String>()
    };
    assert_eq!(parse(&windows(20)).expect("valid").rollouts[0].freeze.0.len(), 20);
    let problems = parse(&windows(21)).expect_err("too many");
    assert!(problems[0].key == "rollouts[0].freeze" && problems[0].message.contains("21"), "{problems:?}");
}
