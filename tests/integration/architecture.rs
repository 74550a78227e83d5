//! The direction of dependencies and the size of files, read off the source.

use std::path::{Path, PathBuf};

use crate::support::project;

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(project()).expect("inside").to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(&path).expect("read")));
            }
        }
    }
    found.sort();
    found
}

/// The same without tests in a folder of their own, which put together what they test.
fn sources_without_tests() -> impl Iterator<Item = (String, String)> {
    let all = sources(&project().join("src"));
    let of_tests = ["tests.rs", "fixtures.rs"];
    all.into_iter().filter(move |(name, _)| {
        !name.contains("tests/") && !of_tests.iter().any(|ending| name.ends_with(ending))
    })
}

/// The room of a source file: `src/decision/grace.rs` is in `decision`.
fn room(name: &str) -> &str {
    name.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default()
}

/// The rooms that each room may import, beside itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("finding", &[]),
    ("text", &[]),
    ("promql", &[]),
    ("incident", &["text"]),
    ("report", &["text", "incident"]),
    ("ramp", &["text", "incident"]),
    ("picture", &["incident"]),
    ("commands", &["text", "clock", "incident", "ramp"]),
    ("tagging", &["text", "commands", "incident"]),
    ("clock", &[]),
    ("ownership", &[]),
    ("randomness", &[]),
    ("supervision", &[]),
    ("decision", &["text", "incident", "ramp"]),
    ("logging", &["text", "incident"]),
    ("store", &["text", "incident", "logging", "ownership", "supervision"]),
    ("evidence", &["text", "incident", "ramp", "ownership"]),
    ("config", &["clock", "decision", "incident", "promql", "ramp", "report"]),
    ("rules", &["config", "promql"]),
    ("outbound", &["text", "config"]),
    ("execution", &["text", "config", "incident", "outbound", "clock", "finding"]),
    ("signals", &["text", "clock", "incident", "ramp", "outbound", "decision"]),
    ("verification", &["text", "incident", "outbound", "clock", "execution", "signals"]),
    ("notification", &["text", "incident", "config", "outbound", "clock"]),
    ("metrics", &["incident"]),
    (
        "pipeline",
        &[
            "incident",
            "clock",
            "commands",
            "decision",
            "evidence",
            "execution",
            "logging",
            "metrics",
            "notification",
            "picture",
            "ramp",
            "randomness",
            "signals",
            "store",
            "tagging",
            "text",
            "verification",
        ],
    ),
    ("webhook", &["text", "incident", "clock", "config", "decision", "metrics", "outbound", "pipeline"]),
    (
        "doctor",
        &[
            "clock",
            "commands",
            "config",
            "execution",
            "finding",
            "incident",
            "outbound",
            "ownership",
            "pipeline",
            "promql",
            "ramp",
            "randomness",
            "rules",
            "signals",
            "store",
            "tagging",
            "text",
        ],
    ),
    ("listener", &["config", "logging", "metrics", "supervision"]),
    (
        "web",
        &[
            "text",
            "incident",
            "report",
            "config",
            "decision",
            "logging",
            "metrics",
            "notification",
            "pipeline",
            "ramp",
            "store",
            "webhook",
        ],
    ),
];

/// Whether a path is in the text as a whole: `Operand::` is not `rand::`.
fn mentions(text: &str, path: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(path).any(|(at, _)| !text[..at].ends_with(is_word))
}

#[test]
fn rooms_import_only_in_the_agreed_direction() {
    for (name, text) in sources_without_tests() {
        let own = room(&name);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(room, _)| *room == own) else {
            // app, cli and demo put everything together; lib and main name it all.
            assert!(["app", "cli", "demo", "lib", "main"].contains(&own), "{name}: a room without a rule");
            continue;
        };
        for imported in text.split("crate::").skip(1) {
            let imported: String =
                imported.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let fine = imported == own || allowed.contains(&imported.as_str());
            // Also `crate::{…}`, which would hide what is imported.
            assert!(fine, "{name} imports crate::{imported}");
        }
    }
}

#[test]
fn outside_crates_are_used_only_where_they_belong() {
    let rules: &[(&str, &[&str])] = &[
        ("axum::", &["webhook", "web", "listener", "app", "demo"]),
        ("hyper::", &["listener", "webhook", "demo"]),
        ("rustls::", &["config", "listener", "cli", "notification"]),
        ("slack_morphism", &["notification"]),
        ("tokio_tungstenite", &["notification", "web", "demo"]),
        ("x509_cert", &["config"]),
        ("rlimit", &["listener"]),
        ("reqwest::Client", &["outbound"]),
        ("rusqlite::", &["store"]),
        ("clap::", &["cli", "main"]),
        ("anyhow", &["app", "cli", "demo"]),
        ("Utc::now", &["clock"]),
        ("rand::", &["randomness"]),
        // Programs get named variables of it, and nothing else does.
        ("std::env::", &["cli", "demo", "commands"]),
        ("promql_parser", &["config", "signals"]),
        ("croner", &["ramp"]),
        ("jiff::", &["ramp"]),
        ("imbl::", &["incident", "store"]),
        ("plotters", &["picture"]),
        ("ab_glyph", &["picture"]),
        ("kube::", &["execution", "demo"]),
        ("k8s_openapi::", &["execution"]),
        // Who has one can change a rollout: others than its lane get an Observer.
        ("dyn Target", &["execution"]),
    ];
    for (name, text) in sources_without_tests() {
        for (used, rooms) in rules {
            assert!(!mentions(&text, used) || rooms.contains(&room(&name)), "{name} uses {used}");
        }
    }
}

/// A field or variant whose name says it all needs no sentence; an item that others use does.
#[test]
fn every_public_item_says_what_it_is() {
    let kinds = ["fn", "async fn", "struct", "enum", "trait", "type", "const", "static"];
    for (name, text) in sources(&project().join("src")) {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(item) = line.strip_prefix("pub ") else { continue };
            if !kinds.iter().any(|kind| item.starts_with(&format!("{kind} "))) {
                continue;
            }
            let before = lines[..number].iter().rev();
            let documented = before
                .take_while(|line| !line.starts_with('}') && !line.ends_with(['{', ';']))
                .any(|line| line.starts_with("///") || line.starts_with("$(#[$"));
            assert!(documented, "{name}:{}: {line} has no doc comment", number + 1);
        }
    }
}

#[test]
fn no_file_is_above_the_ceiling() {
    for folder in ["src", "tests"] {
        for (name, text) in sources(&project().join(folder)) {
            assert!(
                text.lines().count() <= 350,
                "{name} has {} lines: a room with too many concerns",
                text.lines().count()
            );
        }
    }
}

#[test]
fn the_top_level_holds_what_is_agreed_and_nothing_else() {
    let agreed = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "alert-rules",
        "deploy",
        "src",
        "target",
        "tests",
    ];
    for entry in std::fs::read_dir(project()).expect("read") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let made_by_running = ["evidence", "data"].contains(&name.as_str());
        assert!(
            name.starts_with('.') || agreed.contains(&name.as_str()) || made_by_running,
            "{name} at the top level"
        );
    }
}
