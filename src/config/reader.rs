//! Reads a TOML table key by key, remembers which keys are known and every problem with its place.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use reqwest::Url;
use toml_edit::{Item, TableLike, Value};

use super::report::{Level, Problem, place};
use super::secret::SecretFile;

/// How alike an unknown key must be to a known one for it to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.7;

struct Shared<'a> {
    file: &'a Path,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
    asked: RefCell<BTreeSet<String>>,
}

/// One table of the file. It remembers which keys were asked for: [`Reader::finish`] reports the rest.
pub(super) struct Reader<'a> {
    shared: Rc<Shared<'a>>,
    table: Option<&'a dyn TableLike>,
    path: String,
    known: RefCell<BTreeSet<String>>,
    /// Whether its keys are chosen by whoever writes the file, so that no reference lists them.
    free: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str, table: &'a dyn TableLike) -> Self {
        let shared = Shared { file, text, problems: RefCell::default(), asked: RefCell::default() };
        let known = RefCell::default();
        Self { shared: Rc::new(shared), table: Some(table), path: String::new(), known, free: false }
    }

    fn child(&self, table: Option<&'a dyn TableLike>, path: String) -> Self {
        Self { shared: Rc::clone(&self.shared), table, path, known: RefCell::default(), free: self.free }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Every key that was asked for, array indices left out: what the reference must list.
    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.shared.asked.borrow().clone()
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.shared.problems.borrow().clone();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }

    pub(super) fn report(
        &self,
        key: &str,
        level: Level,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let item = self.table.and_then(|table| table.get(key));
        let offset = item.and_then(Item::span).map(|span| span.start).or_else(|| {
            self.table.and_then(|table| table.iter().find_map(|(_, item)| item.span())).map(|span| span.start)
        });
        let (line, column) = offset.map(|offset| place(self.shared.text, offset)).unzip();
        let problem =
            Problem::of_key(self.shared.file, &self.path_of(key), level, message.into(), remedy.into());
        self.shared.problems.borrow_mut().push(Problem { line, column, ..problem });
    }

    pub(super) fn error(&self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.report(key, Level::Error, message, remedy);
    }

    pub(super) fn warning(&self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.report(key, Level::Warning, message, remedy);
    }

    pub(super) fn item(&self, key: &str) -> Option<&'a Item> {
        self.known.borrow_mut().insert(key.to_owned());
        let plain = self
            .path_of(key)
            .split('.')
            .map(|part| part.split('[').next().unwrap_or(part))
            .collect::<Vec<_>>()
            .join(".");
        if !self.free {
            self.shared.asked.borrow_mut().insert(plain);
        }
        self.table.and_then(|table| table.get(key)).filter(|item| !item.is_none())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    pub(super) fn table(&self, key: &str) -> Self {
        let item = self.item(key);
        let table = item.and_then(Item::as_table_like);
        if item.is_some() && table.is_none() {
            self.error(key, "is not a table", format!("write it as [{}]", self.path_of(key)));
        }
        self.child(table, self.path_of(key))
    }

    pub(super) fn optional_table(&self, key: &str) -> Option<Self> {
        let table = self.table(key);
        table.table.is_some().then_some(table)
    }

    /// A table whose keys are free, and those keys.
    pub(super) fn free_table(&self, key: &str) -> (Self, Vec<&'a str>) {
        let table = Self { free: true, ..self.table(key) };
        let keys = table.table.iter().flat_map(|table| table.iter()).map(|(key, _)| key).collect();
        (table, keys)
    }

    pub(super) fn is_table(&self, key: &str) -> bool {
        self.table.and_then(|table| table.get(key)).is_some_and(Item::is_table_like)
    }

    pub(super) fn tables(&self, key: &str) -> Vec<Self> {
        let Some(item) = self.item(key) else { return Vec::new() };
        let tables: Vec<&'a dyn TableLike> = match item {
            Item::ArrayOfTables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
            Item::Value(Value::Array(values)) => values
                .iter()
                .filter_map(Value::as_inline_table)
                .map(|table| table as &dyn TableLike)
                .collect(),
            _ => {
                self.error(key, "is not a list of tables", format!("write it as [[{key}]]"));
                Vec::new()
            }
        };
        tables
            .into_iter()
            .enumerate()
            .map(|(index, table)| self.child(Some(table), format!("{}[{index}]", self.path_of(key))))
            .collect()
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        let item = self.item(key)?;
        let text = item.as_str().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.error(key, "is not a text, or an empty one", format!("write {key} = \"…\""));
        }
        text.map(str::to_owned)
    }

    pub(super) fn required(&self, key: &str, example: &str) -> String {
        if !self.has(key) {
            // Asked for, so that it counts as known.
            let _absent = self.item(key);
            self.error(key, "is missing", format!("add {key} = \"{example}\""));
        }
        self.text(key).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        let Some(item) = self.item(key) else { return false };
        item.as_bool().unwrap_or_else(|| {
            self.error(key, "is neither true nor false", format!("write {key} = true or {key} = false"));
            false
        })
    }

    pub(super) fn whole_number(&self, key: &str, default: u16, least: u16, most: u16) -> u16 {
        let Some(item) = self.item(key) else { return default };
        let number = item.as_integer().and_then(|number| u16::try_from(number).ok());
        number.filter(|number| (least..=most).contains(number)).unwrap_or_else(|| {
            let remedy =
                format!("write a whole number between {least} and {most}, such as {key} = {default}");
            self.error(key, "is no such number", remedy);
            default
        })
    }

    pub(super) fn duration(&self, key: &str, default: Duration, least: Duration, most: Duration) -> Duration {
        if self.has(key) && self.table.and_then(|table| table.get(key)).is_some_and(Item::is_integer) {
            let _known = self.item(key);
            self.error(
                key,
                "is a number without a unit",
                format!("write such as {key} = \"{}s\"", default.as_secs()),
            );
            return default;
        }
        let Some(text) = self.text(key) else { return default };
        match humantime::parse_duration(&text) {
            Ok(duration) if (least..=most).contains(&duration) => duration,
            Ok(_) => {
                let (least, most) = (humantime::format_duration(least), humantime::format_duration(most));
                self.error(
                    key,
                    format!("{text} is out of bounds"),
                    format!("choose between {least} and {most}"),
                );
                default
            }
            Err(error) => {
                self.error(
                    key,
                    format!("{text:?} is no duration: {error}"),
                    "write such as \"30s\", \"5m\", \"1h 30m\"",
                );
                default
            }
        }
    }

    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(key) else { return default };
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.unwrap_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            self.error(key, format!("{text:?} is not known"), format!("choose {}", names.join(" or ")));
            default
        })
    }

    fn parse_url(&self, key: &str, text: &str) -> Option<Url> {
        let problem = match Url::parse(text) {
            Ok(url) if !["http", "https"].contains(&url.scheme()) => format!("{text:?} is not http or https"),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                let remedy = "take user and password out of the URL and set bearer_token_file or basic_auth";
                self.error(key, "carries credentials, which end up in logs", remedy);
                return None;
            }
            Ok(url) => return Some(url),
            Err(error) => format!("{text:?} is no URL: {error}"),
        };
        self.error(key, problem, "write such as \"http://127.0.0.1:9090\"");
        None
    }

    pub(super) fn url(&self, key: &str) -> Option<Url> {
        self.text(key).and_then(|text| self.parse_url(key, &text))
    }

    /// Says so where an address can't be the base of others: a path can't follow a query.
    pub(super) fn expect_bases(&self, key: &str, urls: &[Url]) {
        if urls.iter().any(|url| url.query().is_some() || url.fragment().is_some()) {
            let remedy = "end it with the path; a key or tenant goes into headers";
            self.error(key, "has a query, and the API's paths can't follow one", remedy);
        }
    }

    pub(super) fn urls(&self, key: &str) -> Vec<Url> {
        self.texts(key).iter().filter_map(|text| self.parse_url(key, text)).collect()
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let Some(item) = self.item(key) else { return Vec::new() };
        let texts: Option<Vec<_>> = item
            .as_array()
            .and_then(|array| array.iter().map(|value| value.as_str().map(str::to_owned)).collect());
        texts.unwrap_or_else(|| {
            self.error(key, "is not a list of texts", format!("write {key} = [\"…\"]"));
            Vec::new()
        })
    }

    /// The file, and the key of this table in it.
    pub(super) fn place(&self) -> (PathBuf, String) {
        (self.shared.file.to_owned(), self.path.clone())
    }

    /// A path, relative to the configuration file's folder.
    pub(super) fn file_path(&self, text: &str) -> PathBuf {
        let folder = self.shared.file.parent().unwrap_or(Path::new(""));
        folder.join(text)
    }

    pub(super) fn secret(&self, key: &str) -> Option<SecretFile> {
        self.text(key).map(|text| SecretFile::new(self.file_path(&text)))
    }

    /// Tokens by which others are let in.
    pub(super) fn secrets(&self, key: &str) -> Vec<SecretFile> {
        self.texts(key).iter().map(|text| SecretFile::accepted(self.file_path(text))).collect()
    }

    /// A table of texts with free keys.
    pub(super) fn labels(&self, key: &str) -> Option<BTreeMap<String, String>> {
        let item = self.item(key)?;
        let labels: Option<BTreeMap<_, _>> = item.as_table_like().and_then(|table| {
            table
                .iter()
                .map(|(name, item)| item.as_str().map(|text| (name.to_owned(), text.to_owned())))
                .collect()
        });
        if labels.is_none() {
            self.error(key, "is not a table of texts", format!("write {key} = {{ rollout = \"…\" }}"));
        }
        labels
    }

    /// Reports the keys that nobody asked for, with the nearest that is known.
    pub(super) fn finish(&self) {
        let Some(table) = self.table else { return };
        let known = self.known.borrow();
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(*key)) {
            let alike = |candidate: &&String| strsim::jaro_winkler(key, candidate);
            let nearest = known
                .iter()
                .max_by(|a, b| alike(a).total_cmp(&alike(b)))
                .filter(|nearest| alike(nearest) >= ALIKE);
            let remedy = match nearest {
                Some(nearest) => format!("did you mean {nearest:?}?"),
                None => {
                    format!("remove it; known here: {}", known.iter().cloned().collect::<Vec<_>>().join(", "))
                }
            };
            self.error(key, "is not a known key", remedy);
        }
    }
}
