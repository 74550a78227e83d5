//! One table of a criterion as it is written: every key may be absent, since another table may have it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;
use toml_edit::{Item, Value};

use crate::config::durations::{DAY, HOUR, MINUTE, SECOND};
use crate::config::reader::Reader;
use crate::incident::{Bound, OnFail, Unit};
use crate::ramp::MetricFrom;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Http,
    Logs,
    Command,
    Approval,
}

/// The keys of each kind, beside those that all have.
pub(super) const OF_KINDS: &[(Kind, &str, &[&str])] = &[
    (
        Kind::Query,
        "query",
        &[
            "query",
            "below",
            "at_most",
            "above",
            "at_least",
            "unit",
            "window",
            "since_stage_began",
            "samples",
            "min_samples",
            "metric_from",
        ],
    ),
    (Kind::Http, "http", &["url", "status", "pointer", "expected", "every"]),
    (Kind::Logs, "logs", &["selector", "at_most", "every", "file"]),
    (
        Kind::Command,
        "command",
        &["argv", "directory", "environment", "variables", "timeout", "every", "file"],
    ),
    (Kind::Approval, "approval", &[]),
];

/// What is written of one criterion.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) stages: Option<Vec<u8>>,
    pub(super) kind: Option<Kind>,
    pub(super) on_fail: Option<OnFail>,
    pub(super) advisory: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) query: Option<String>,
    pub(super) bound: Option<Bound>,
    pub(super) unit: Option<Unit>,
    pub(super) window: Option<Duration>,
    pub(super) since_stage_began: Option<bool>,
    pub(super) samples: Option<String>,
    pub(super) min_samples: Option<u64>,
    pub(super) metric_from: Option<MetricFrom>,
    pub(super) url: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) pointer: Option<String>,
    pub(super) expected: Option<Json>,
    pub(super) selector: Option<String>,
    pub(super) argv: Option<Vec<String>>,
    pub(super) directory: Option<PathBuf>,
    pub(super) environment: Option<Vec<String>>,
    pub(super) variables: Option<BTreeMap<String, String>>,
    pub(super) timeout: Option<Duration>,
    pub(super) every: Option<Duration>,
    pub(super) file: Option<String>,
    /// The file, and the key of the table in it, for each key that is written: the last one counts.
    pub(super) places: BTreeMap<&'static str, (PathBuf, String)>,
    /// The table that was read last.
    pub(super) place: (PathBuf, String),
}

impl Entry {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let seconds = |key: &str, least, most| {
            let duration = reader.duration(key, MINUTE, least, most);
            reader.has(key).then_some(duration)
        };
        let flag = |key: &str| {
            let flag = reader.flag(key);
            reader.has(key).then_some(flag)
        };
        let texts = |key: &str| {
            let texts = reader.texts(key);
            reader.has(key).then_some(texts)
        };
        let status = reader.whole_number("status", 200, 100, 599);
        let mut entry = Self {
            name: name(reader),
            title: reader.text("title"),
            stages: stages(reader),
            kind: one_of(
                reader,
                "kind",
                &OF_KINDS.iter().map(|(kind, name, _)| (*name, *kind)).collect::<Vec<_>>(),
            ),
            on_fail: one_of(reader, "on_fail", &[("hold", OnFail::Hold), ("roll_back", OnFail::RollBack)]),
            advisory: flag("advisory"),
            enabled: flag("enabled"),
            query: reader.text("query"),
            bound: bound(reader),
            unit: one_of(reader, "unit", UNITS),
            window: seconds("window", Duration::ZERO, DAY),
            since_stage_began: flag("since_stage_began"),
            samples: reader.text("samples"),
            min_samples: min_samples(reader),
            metric_from: one_of(reader, "metric_from", SOURCES),
            // As it is written: an address would have the braces of {revision} escaped.
            url: reader.url("url").and_then(|_| reader.text("url")),
            status: reader.has("status").then_some(status),
            pointer: pointer(reader),
            expected: expected(reader),
            selector: reader.text("selector"),
            argv: texts("argv"),
            directory: reader.text("directory").map(|text| reader.file_path(&text)),
            environment: texts("environment"),
            variables: reader.labels("variables"),
            timeout: seconds("timeout", SECOND, HOUR),
            every: seconds("every", SECOND, HOUR),
            file: file(reader),
            places: BTreeMap::new(),
            place: reader.place(),
        };
        let keys = OF_KINDS.iter().flat_map(|(_, _, keys)| keys.iter().copied());
        entry.places = keys.filter(|key| reader.has(key)).map(|key| (key, reader.place())).collect();
        reader.finish();
        entry
    }

    /// Changes the earlier one of its name, or is a new one.
    pub(super) fn merge_into(self, entries: &mut Vec<Self>) {
        match entries.iter_mut().find(|earlier| earlier.name == self.name) {
            Some(earlier) => earlier.change(self),
            None => entries.push(self),
        }
    }

    fn change(&mut self, later: Self) {
        // Another question altogether: nothing of the earlier one is meant.
        if later.kind.is_some_and(|kind| kind != self.kind.unwrap_or(Kind::Query)) {
            let (title, stages, enabled) = (self.title.take(), self.stages.take(), self.enabled);
            let (on_fail, advisory, name) = (self.on_fail, self.advisory, self.name.clone());
            *self = Self { name, title, stages, enabled, on_fail, advisory, ..Self::default() };
        }
        macro_rules! take {
            ($($key:ident),*) => { $(if later.$key.is_some() { self.$key = later.$key; })* };
        }
        take!(title, stages, kind, on_fail, advisory, enabled, query, bound, unit, window, since_stage_began);
        take!(samples, min_samples, metric_from, url, status, pointer, expected, selector, argv, directory);
        take!(environment, variables, timeout, every, file);
        self.places.extend(later.places);
        self.place = later.place;
    }
}

const UNITS: &[(&str, Unit)] = &[
    ("count", Unit::Count),
    ("seconds", Unit::Seconds),
    ("ratio", Unit::Ratio),
    ("per_second", Unit::PerSecond),
    ("per_minute", Unit::PerMinute),
    ("bytes", Unit::Bytes),
];

const SOURCES: &[(&str, MetricFrom)] =
    &[("protocol", MetricFrom::Protocol), ("origin", MetricFrom::Origin), ("proposed", MetricFrom::Proposed)];

/// The longest: it is part of file names.
const MAX_NAME: usize = 63;

fn name(reader: &Reader<'_>) -> String {
    let name = reader.required("name", "api-p95");
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(is_plain) || name.len() > MAX_NAME {
        let remedy = format!("use a-z, 0-9 and -, at most {MAX_NAME}");
        reader.error("name", format!("{name:?} is no criterion's name"), remedy);
    }
    name
}

fn one_of<T: Copy>(reader: &Reader<'_>, key: &str, choices: &[(&str, T)]) -> Option<T> {
    let (_, first) = *choices.first()?;
    let choice = reader.choice(key, choices, first);
    reader.has(key).then_some(choice)
}

fn stages(reader: &Reader<'_>) -> Option<Vec<u8>> {
    let list = reader.item("stages")?.as_array();
    let percent = |value: &Value| value.as_integer().and_then(|number| u8::try_from(number).ok());
    let stages = list.and_then(|list| list.iter().map(percent).collect::<Option<Vec<_>>>());
    let stages = stages.filter(|all| !all.is_empty() && all.iter().all(|one| (1..=100).contains(one)));
    if stages.is_none() {
        let remedy = "write such as stages = [1, 5, 25, 50, 100]";
        reader.error("stages", "is not a list of whole per cents, 1 to 100", remedy);
    }
    stages
}

fn bound(reader: &Reader<'_>) -> Option<Bound> {
    let mut found = None;
    for key in ["below", "at_most", "above", "at_least"] {
        let Some(item) = reader.item(key) else { continue };
        let Some(number) = number(item) else {
            reader.error(key, "is no number", format!("write such as {key} = 0.2"));
            continue;
        };
        if found.is_some() {
            reader.error(key, "is a second threshold", "leave one: below, at_most, above or at_least");
        }
        found = Some(match key {
            "below" => Bound::Below(number),
            "at_most" => Bound::AtMost(number),
            "above" => Bound::Above(number),
            _ => Bound::AtLeast(number),
        });
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "no threshold has so many digits")]
fn number(item: &Item) -> Option<f64> {
    let number = item.as_float().or_else(|| item.as_integer().map(|number| number as f64));
    number.filter(|number| number.is_finite())
}

fn min_samples(reader: &Reader<'_>) -> Option<u64> {
    let item = reader.item("min_samples")?;
    let number = item.as_integer().and_then(|number| u64::try_from(number).ok());
    if number.is_none() {
        reader.error("min_samples", "is no whole number from 0", "write such as min_samples = 300");
    }
    number
}

fn pointer(reader: &Reader<'_>) -> Option<String> {
    let pointer = reader.text("pointer")?;
    if !pointer.starts_with('/') {
        reader.error("pointer", format!("{pointer:?} is no JSON pointer"), format!("write \"/{pointer}\""));
    }
    Some(pointer)
}

/// In the folder of the evidence, beside files of other names.
fn file(reader: &Reader<'_>) -> Option<String> {
    let file = reader.text("file")?;
    let words = file.replace("{stage}", "");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !words.starts_with(|c: char| c.is_ascii_alphanumeric()) || !words.chars().all(is_plain) {
        let remedy = "use letters, digits, . _ - and {stage}, such as file = \"ci_stage_{stage}.txt\"";
        reader.error("file", format!("{file:?} is no name of a file"), remedy);
    } else if !file.contains("{stage}") {
        let remedy = "write it into the name, such as file = \"ci_stage_{stage}.txt\"";
        reader.error("file", "has no {stage}, and each stage keeps one", remedy);
    }
    Some(file)
}

/// A text, a number, or true or false.
fn expected(reader: &Reader<'_>) -> Option<Json> {
    let item = reader.item("expected")?;
    let of_numbers = item.as_integer().map(Json::from).or_else(|| item.as_float().map(Json::from));
    let json = item.as_str().map(Json::from).or(of_numbers).or_else(|| item.as_bool().map(Json::from));
    if json.is_none() {
        reader.error("expected", "is no text, number, true or false", "write such as expected = \"ok\"");
    }
    json
}
