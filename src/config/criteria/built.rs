//! From what is written to what is asked, with everything checked.

use std::time::Duration;

use super::entry::{Entry, Kind, OF_KINDS};
use super::needs::Whose;
use super::passwords::has_password;
use super::placeholders::{ALL, Names, Unfilled};
use crate::config::report::{Level, Problem};
use crate::incident::{
    Bound, CommandCheck, Criterion, CriterionName, HttpCheck, LogCheck, Question, RangeQuery, Share, Unit,
};
use crate::ramp::detection_floor::Statistic;
use crate::ramp::{LeftOut, Needs, StagedCriterion};

/// The protocol's shares: what is written for none is asked in all.
const ALL_STAGES: &[u8] = &[1, 5, 25, 50, 100];

/// The protocol's window.
const WINDOW: Duration = Duration::from_secs(300);

/// What is asked anew each time by itself is asked once a minute: often enough for a stage of some.
const EVERY: Duration = Duration::from_secs(60);

/// A check of a few contracts takes seconds.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How alike a placeholder must be to a known one for it to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.7;

/// A criterion, or why it is not asked.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn built(
    entry: &Entry,
    names: &Names<'_>,
) -> Result<Result<StagedCriterion, LeftOut>, Vec<Problem>> {
    let mut build = Build { entry, names, problems: Vec::new(), not_there: None };
    let kind = entry.kind.unwrap_or(Kind::Query);
    build.expect_keys_of(kind);
    let question = build.question(kind);
    let Build { problems, not_there, .. } = build;
    if !problems.is_empty() {
        return Err(problems);
    }
    let (name, title) = (CriterionName::new(entry.name.clone()), build_title(entry));
    let off = (entry.enabled == Some(false)).then(|| "it is turned off (enabled = false)".to_owned());
    let none = not_there.map(|key| format!("rollouts.metrics.{key} is none, and it is made of that"));
    if let Some(why) = off.or(none) {
        return Ok(Err(LeftOut { name, title, why }));
    }
    let Some(question) = question else { return Err(Vec::new()) };
    let stages = entry.stages.as_deref().unwrap_or(ALL_STAGES).iter().copied().map(Share).collect();
    let (on_fail, is_advisory) = (entry.on_fail.unwrap_or_default(), entry.advisory.unwrap_or(false));
    let criterion = Criterion { name, title, on_fail, is_advisory, question };
    let metric_from = entry.metric_from;
    Ok(Ok(StagedCriterion { criterion, stages, metric_from, needs: None, statistic: None }))
}

/// The metrics that its query needs, and what it judges of requests that it counts.
pub(super) fn needs_and_statistic(question: &Question, whose: &Whose) -> (Option<Needs>, Option<Statistic>) {
    let Question::Query(query) = question else { return (None, None) };
    let (needs, quantile) = whose.taken_apart(&query.expression);
    // A counter that is judged since the stage began counts from 0 without a series: it needs none.
    let needs = if query.since_stage_began { Needs::Any(vec![needs, Needs::All(Vec::new())]) } else { needs };
    let statistic = match (quantile, query.unit, query.bound) {
        (Some(quantile), ..) => Some(Statistic::Quantile { quantile }),
        (None, Unit::Ratio, Bound::Below(threshold) | Bound::AtMost(threshold)) => {
            Some(Statistic::Ratio { threshold })
        }
        (None, ..) => None,
    };
    (Some(needs), statistic.filter(|_| query.samples.is_some()))
}

fn build_title(entry: &Entry) -> String {
    entry.title.clone().unwrap_or_else(|| entry.name.clone())
}

struct Build<'a> {
    entry: &'a Entry,
    names: &'a Names<'a>,
    problems: Vec<Problem>,
    /// What the rollout has none of, and the criterion needs.
    not_there: Option<&'static str>,
}

impl Build<'_> {
    fn error(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let (file, table) = self.entry.places.get(key).unwrap_or(&self.entry.place);
        let key = if key.is_empty() { table.clone() } else { format!("{table}.{key}") };
        let message = format!("{} (of {:?})", message.into(), self.entry.name);
        self.problems.push(Problem::of_key(file, &key, Level::Error, message, remedy.into()));
    }

    fn missing<T>(&mut self, key: &str, example: &str) -> Option<T> {
        self.error(key, "is missing", format!("add {key} = {example}"));
        None
    }

    /// A key of another kind would be without effect, and whoever wrote it wouldn't know.
    fn expect_keys_of(&mut self, kind: Kind) {
        let own = OF_KINDS.iter().find(|(of, _, _)| *of == kind);
        let (name, own) = own.map_or(("", &[][..]), |(_, name, keys)| (*name, *keys));
        let foreign: Vec<_> = self.entry.places.keys().copied().filter(|key| !own.contains(key)).collect();
        for key in foreign {
            let others = OF_KINDS.iter().filter(|(_, _, keys)| keys.contains(&key));
            let others: Vec<_> = others.map(|(_, name, _)| format!("{name:?}")).collect();
            let remedy = format!("remove it, or write kind = {}", others.join(" or "));
            self.error(key, format!("is not for kind = {name:?}"), remedy);
        }
    }

    fn question(&mut self, kind: Kind) -> Option<Question> {
        match kind {
            Kind::Query => self.query().map(Question::Query),
            Kind::Http => self.http().map(Question::Http),
            Kind::Logs => self.logs().map(Question::Logs),
            Kind::Command => self.command().map(Question::Command),
            Kind::Approval => Some(Question::Approval),
        }
    }

    fn query(&mut self) -> Option<RangeQuery> {
        let entry = self.entry;
        let Some(query) = &entry.query else { return self.missing("query", "\"max(…)\"") };
        let Some(bound) = entry.bound else { return self.missing("below", "0.2") };
        let expression = self.promql("query", query);
        let samples = entry.samples.as_ref().map(|samples| self.promql("samples", samples));
        let unit = entry.unit.unwrap_or_default();
        let since_stage_began = entry.since_stage_began.unwrap_or(false);
        // What is counted since the stage began looks back at nothing before it.
        let window = entry.window.unwrap_or(if since_stage_began { Duration::ZERO } else { WINDOW });
        let min_samples = entry.min_samples.unwrap_or_else(|| enough(unit, bound));
        if entry.min_samples.is_some() && samples.is_none() {
            self.error("min_samples", "is there, and nothing that is counted", "add samples = \"…\"");
        }
        Some(RangeQuery {
            expression: expression?,
            bound,
            unit,
            window_seconds: whole_seconds(window),
            since_stage_began,
            min_samples: if samples.is_some() { min_samples } else { 0 },
            samples: samples.flatten(),
        })
    }

    /// An expression with the rollout's names, if it is one.
    fn promql(&mut self, key: &str, text: &str) -> Option<String> {
        let filled = match self.names.fill(text) {
            Ok(filled) => filled,
            Err(Unfilled::NotThere(metric)) => {
                self.not_there = Some(metric);
                return None;
            }
            Err(Unfilled::Unknown(name)) => {
                let alike = |known: &&&str| strsim::jaro_winkler(&name, known);
                let nearest = ALL.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
                let remedy = match nearest.filter(|nearest| alike(nearest) >= ALIKE) {
                    Some(nearest) => format!("did you mean {{{nearest}}}?"),
                    None => format!("there are {}", ALL.join(", ")),
                };
                self.error(key, format!("has {{{name}}}, which stands for nothing"), remedy);
                return None;
            }
        };
        let as_asked = if key == "samples" { filled.replace("$stage", "900s") } else { filled.clone() };
        if let Err(error) = promql_parser::parser::parse(&as_asked) {
            self.error(key, format!("is no PromQL: {error}"), "try it in Prometheus' own page");
        }
        Some(filled)
    }

    fn http(&mut self) -> Option<HttpCheck> {
        let entry = self.entry;
        let Some(url) = entry.url.clone() else {
            return self.missing("url", "\"http://127.0.0.1:4001/…\"");
        };
        if entry.expected.is_some() && entry.pointer.is_none() {
            self.error("expected", "is there, and not where it is in the answer", "add pointer = \"/…\"");
        }
        Some(HttpCheck {
            url,
            status: entry.status.unwrap_or(200),
            pointer: entry.pointer.clone(),
            expected: entry.expected.clone(),
            every_seconds: whole_seconds(entry.every.unwrap_or(EVERY)),
        })
    }

    fn logs(&mut self) -> Option<LogCheck> {
        let entry = self.entry;
        let Some(selector) = entry.selector.clone() else {
            return self.missing("selector", "'{app=\"spark-trading\"} |= \"ERROR\"'");
        };
        if !selector.trim_start().starts_with('{') {
            let remedy =
                "begin it with the streams, such as selector = '{app=\"spark-trading\"} |= \"ERROR\"'";
            self.error("selector", "selects no streams: Backstop counts the lines itself", remedy);
        }
        let at_most = match entry.bound {
            None => Some(0),
            Some(Bound::AtMost(lines)) if lines >= 0.0 && lines.fract() == 0.0 => lines_of(lines),
            Some(_) => None,
        };
        let Some(at_most) = at_most else {
            self.error("at_most", "is no number of lines", "write such as at_most = 0");
            return None;
        };
        let every_seconds = whole_seconds(entry.every.unwrap_or(EVERY));
        Some(LogCheck { selector, at_most, every_seconds, file: Some(self.file()) })
    }

    fn command(&mut self) -> Option<CommandCheck> {
        let entry = self.entry;
        let argv = entry.argv.clone().filter(|argv| argv.first().is_some_and(|program| !program.is_empty()));
        let Some(argv) = argv else { return self.missing("argv", "[\"pnpm\", \"test:contract:spot\"]") };
        self.expect_no_passwords(&argv);
        Some(CommandCheck {
            argv,
            directory: entry.directory.as_ref().map(|folder| folder.display().to_string()),
            environment: entry.environment.clone().unwrap_or_default(),
            variables: entry.variables.clone().unwrap_or_default(),
            timeout_seconds: whole_seconds(entry.timeout.unwrap_or(TIMEOUT)),
            every_seconds: whole_seconds(entry.every.unwrap_or(EVERY)),
            file: Some(self.file()),
        })
    }

    /// What it keeps in a stage's evidence, by its own name unless it has another.
    fn file(&self) -> String {
        let own = || format!("{}_stage_{{stage}}.txt", self.entry.name.replace('-', "_"));
        self.entry.file.clone().unwrap_or_else(own)
    }

    /// Everybody on the machine can read a program's arguments, and evidence and API show them.
    fn expect_no_passwords(&mut self, argv: &[String]) {
        let variables = self.entry.variables.clone().unwrap_or_default();
        let remedy = "name the variable that holds it in environment (psql takes PGPASSWORD or PGSERVICE), or a file of the program's own, such as ~/.pgpass";
        for (key, has_one) in [
            ("argv", argv.iter().any(|argument| has_password(argument))),
            ("variables", variables.values().any(|value| has_password(value))),
        ] {
            if has_one {
                self.error(key, "has an address with a password in it, which everybody would see", remedy);
            }
        }
    }
}

/// Of ratios as many as show the threshold, of everything else as many as a P95 takes.
fn enough(unit: Unit, bound: Bound) -> u64 {
    let threshold = bound.threshold();
    if unit == Unit::Ratio && threshold > 0.0 && threshold < 1.0 {
        Statistic::Ratio { threshold }.requests_needed()
    } else {
        Statistic::Quantile { quantile: 0.95 }.requests_needed()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and is compared before"
)]
fn lines_of(lines: f64) -> Option<u64> {
    (lines <= f64::from(u32::MAX)).then_some(lines as u64)
}

/// Bounded to a day by the reader.
fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
