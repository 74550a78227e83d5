//! `[rollouts.metrics]`: which series are the rollout's, and under which names.

use std::collections::BTreeMap;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr};

use super::reader::Reader;
use crate::promql::series;

/// What a metric's name is set to where the application has none: its rules are left out.
const NONE: &str = "none";

/// What distinguishes a canary where nothing else is configured: the label of the design's convention.
pub const DEFAULT_CANARY: &str = "track!=\"stable\"";

/// Routes that nobody uses: probes and scrapes always answer, and would dilute the errors of a canary
/// with little traffic.
const USER_REQUESTS: &str = r#"route!~".*/(healthz?|livez|readyz)|/metrics|.*/metrics[.]prom",path!~".*/(healthz?|livez|readyz)|/metrics|.*/metrics[.]prom",handler!~".*/(healthz?|livez|readyz)|/metrics|.*/metrics[.]prom""#;

/// `[rollouts.metrics]`, for `rules generate`, and for what `check-config` asks Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsConfig {
    /// PromQL matchers of the application's series, canary and stable alike.
    pub selector: String,
    /// Matchers of the canary's part of them.
    pub canary: String,
    /// The same for what may not know the versions apart: exporters, gauges, targets. What carries none
    /// of the canary's labels is the whole application's, and belongs to its canary too.
    pub canary_or_all: String,
    /// Matchers of what is the canary's by labels that it really has, and not for the lack of them: where
    /// one process serves both versions, its series have none.
    pub canary_labelled: String,
    /// Matchers of stable's part; none where they can't be derived from `canary`.
    pub stable: Option<String>,
    /// Matchers that leave out requests of probes and scrapes.
    pub user_requests: String,
    /// As `selector`, for the histogram of database queries.
    pub database_selector: String,
    /// As `selector`, for pgBouncer's exporter.
    pub pgbouncer_selector: String,
    /// The labels that may carry a request's status.
    pub status_labels: Vec<String>,
    /// Regular expression of the status of a request that failed on the server.
    pub server_errors: String,
    /// Counter of requests.
    pub requests: Option<String>,
    /// Histogram of seconds a request, without `_bucket`.
    pub request_duration: Option<String>,
    /// Gauge of seconds since the last data of the exchange.
    pub staleness: Option<String>,
    /// Counter of reported CSP violations.
    pub csp_violations: Option<String>,
    /// Counter of requests that met an idempotency conflict.
    pub idempotency_conflicts: Option<String>,
    /// Histogram of seconds a database query, without `_bucket`.
    pub database_duration: Option<String>,
    /// What pgBouncer's gauges of server connections begin with, before `_active` and the other states.
    pub pgbouncer: Option<String>,
}

impl MetricsConfig {
    /// PromQL that has a value if some series of the application's requests carry the labels by which the canary
    /// is selected, whichever version they are of.
    #[must_use]
    pub fn told_apart_query(&self) -> Option<String> {
        let labels = parsed(&self.canary).unwrap_or_default().into_iter().map(|matcher| matcher.name);
        let carried: Vec<_> = labels.map(|name| format!("{name}!=\"\"")).collect();
        if carried.is_empty() {
            // Without any series: no label is asked for, so nothing is told apart.
            return self.requests.as_ref().map(|_| "vector(0) > 0".to_owned());
        }
        Some(format!("count({})", series(self.requests.as_ref()?, &[&self.selector, &carried.join(",")])))
    }

    /// PromQL of the requests that people make per second, of canary and stable together, over a time in seconds.
    #[must_use]
    pub fn requests_per_second_query(&self, over_seconds: u64) -> Option<String> {
        let counter = series(self.requests.as_ref()?, &[&self.selector, &self.user_requests]);
        Some(format!("sum(rate({counter}[{over_seconds}s]))"))
    }

    pub(super) fn read(reader: &Reader<'_>, rollout: &str, matching: &BTreeMap<String, String>) -> Self {
        let matchers = |key: &str| reader.text(key).filter(|text| is_matchers(reader, key, text));
        let metric = |key: &str, default: &str| {
            let name = reader.text(key).unwrap_or_else(|| default.to_owned());
            (name != NONE && is_metric(reader, key, &name)).then_some(name)
        };
        let selector = matchers("selector").unwrap_or_else(|| format!("job=~\"{rollout}|\""));
        // Alerts are one a namespace; where they belong to a rollout by it, so do the series.
        let selector = match matching.get("namespace") {
            Some(namespace) => format!("{selector},namespace={}", quoted(namespace)),
            None => selector,
        };
        let canary = matchers("canary").unwrap_or_else(|| DEFAULT_CANARY.to_owned());
        let status_labels = reader.texts("status_labels");
        let config = Self {
            stable: matchers("stable").or_else(|| negated(&canary)),
            user_requests: matchers("user_requests").unwrap_or_else(|| USER_REQUESTS.to_owned()),
            database_selector: matchers("database_selector").unwrap_or_else(|| selector.clone()),
            pgbouncer_selector: matchers("pgbouncer_selector").unwrap_or_else(|| selector.clone()),
            status_labels: if status_labels.is_empty() {
                vec!["status".to_owned(), "code".to_owned()]
            } else {
                status_labels
            },
            server_errors: reader.text("server_errors").unwrap_or_else(|| "5..".to_owned()),
            requests: metric("requests", "http_requests_total"),
            request_duration: metric("request_duration", "http_request_duration_seconds"),
            staleness: metric("staleness", "spark_bist_staleness_seconds"),
            csp_violations: metric("csp_violations", "csp_violations_total"),
            idempotency_conflicts: metric("idempotency_conflicts", "idempotency_conflict_total"),
            database_duration: metric("database_duration", "database_query_duration_seconds"),
            pgbouncer: metric("pgbouncer", "pgbouncer_pools_server"),
            canary_or_all: or_unlabelled(&canary),
            canary_labelled: labelled(&canary),
            selector,
            canary,
        };
        for pattern in config.failures() {
            if parsed(&pattern).is_none() {
                let remedy = "write such as status_labels = [\"status\"] and server_errors = \"5..\"";
                reader.error(
                    "status_labels",
                    format!("with server_errors makes {pattern:?}, which is no matcher"),
                    remedy,
                );
            }
        }
        reader.finish();
        config
    }

    /// Matchers of the requests that failed on the server: one for each label that may say so.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let one = |label: &String| format!("{label}=~{}", quoted(&self.server_errors));
        self.status_labels.iter().map(one).collect()
    }
}

/// A text as PromQL quotes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The matchers, if they are some and nothing else. With one more at the end they still have to be: a
/// brace or a comment that ends them early would cut off what follows.
pub(super) fn parsed(matchers: &str) -> Option<Vec<Matcher>> {
    let of = |text: &str| match parser::parse(&format!("x{{{text}}}")) {
        Ok(Expr::VectorSelector(selector)) if selector.offset.is_none() && selector.at.is_none() => {
            Some(selector.matchers.matchers)
        }
        _ => None,
    };
    let with_one_more = of(&format!("{matchers},one_more=\"\""))?;
    let found = of(matchers).filter(|found| found.len() + 1 == with_one_more.len());
    found.filter(|found| !found.is_empty() && !matchers.contains('\n'))
}

fn is_matchers(reader: &Reader<'_>, key: &str, text: &str) -> bool {
    let valid = parsed(text).is_some();
    if !valid {
        let remedy = format!("write them without braces, such as {key} = 'job=\"spark-trading\"'");
        reader.error(key, format!("{text:?} are no PromQL matchers"), remedy);
    }
    valid
}

fn is_metric(reader: &Reader<'_>, key: &str, name: &str) -> bool {
    let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !valid {
        let remedy = "use letters, digits, _ and :; or \"none\" where the application has no such metric";
        reader.error(key, format!("{name:?} is no metric's name"), remedy);
    }
    valid
}

/// Labels of a series that all of these matchers select, for examples; none where a regular
/// expression is too rich to guess a value.
#[must_use]
pub fn example_labels(matchers: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for one in matchers.iter().filter(|one| !one.is_empty()) {
        for matcher in parsed(one)? {
            if selects(&matcher, labels.get(&matcher.name).map_or("", String::as_str)) {
                continue;
            }
            let plain = |part: &str| part.replace(".*", "").replace(".+", "x").replace("[.]", ".");
            let words = matcher.value.split('|').map(|part| plain(part.trim_matches(['(', ')'])));
            let value = words.chain(["other".to_owned()]).find(|value| selects(&matcher, value))?;
            labels.insert(matcher.name.clone(), value);
        }
    }
    Some(labels)
}

/// Labels of a series that these matchers don't select, for examples.
#[must_use]
pub fn foreign_labels(matchers: &str) -> Option<BTreeMap<String, String>> {
    let another = "another-application";
    let excluding = parsed(matchers)?.into_iter().find(|matcher| !selects(matcher, another))?;
    Some(BTreeMap::from([(excluding.name, another.to_owned())]))
}

fn selects(matcher: &Matcher, value: &str) -> bool {
    match &matcher.op {
        MatchOp::Equal => value == matcher.value,
        MatchOp::NotEqual => value != matcher.value,
        MatchOp::Re(pattern) => pattern.is_match(value),
        MatchOp::NotRe(pattern) => !pattern.is_match(value),
    }
}

/// The opposite of one matcher; several have no opposite that is a list of matchers.
fn negated(matchers: &str) -> Option<String> {
    let found = parsed(matchers)?;
    let [only] = found.as_slice() else { return None };
    let opposite = match only.op {
        MatchOp::Equal => "!=",
        MatchOp::NotEqual => "=",
        MatchOp::Re(_) => "!~",
        MatchOp::NotRe(_) => "=~",
    };
    Some(format!("{}{opposite}{}", only.name, quoted(&only.value)))
}

/// The same matchers for series that may lack the labels: these are selected too. Empty if that is
/// all of them.
fn or_unlabelled(matchers: &str) -> String {
    let one = |matcher: &Matcher| match (&matcher.op, selects(matcher, "")) {
        (MatchOp::NotEqual, true) => Some(format!("{}!={}", matcher.name, quoted(&matcher.value))),
        (MatchOp::NotRe(_), true) => Some(format!("{}!~{}", matcher.name, quoted(&matcher.value))),
        (MatchOp::Equal, _) => {
            Some(format!("{}=~{}", matcher.name, quoted(&format!("{}|", literal(&matcher.value)))))
        }
        (MatchOp::Re(_), _) => Some(format!("{}=~{}", matcher.name, quoted(&format!("{}|", matcher.value)))),
        (MatchOp::NotEqual | MatchOp::NotRe(_), false) => None,
    };
    parsed(matchers).unwrap_or_default().iter().filter_map(one).collect::<Vec<_>>().join(",")
}

/// The same matchers for series that have all of the labels.
fn labelled(matchers: &str) -> String {
    let names = parsed(matchers).unwrap_or_default().into_iter().map(|matcher| matcher.name);
    let names: std::collections::BTreeSet<_> = names.collect();
    names.iter().fold(matchers.to_owned(), |all, name| format!("{all},{name}!=\"\""))
}

/// A regular expression that matches this text and no other.
fn literal(text: &str) -> String {
    let one = |c: char| match c {
        '^' | '\\' => format!("\\{c}"),
        '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '$' => format!("[{c}]"),
        _ => c.to_string(),
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_labels_are_selected_and_foreign_ones_are_not() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        for (matchers, example) in [
            (&["job=~\"spark-trading|\"", "track!=\"stable\"", USER_REQUESTS][..], Some(labels(&[]))),
            (&["job=\"api\"", "variant=\"v2\""], Some(labels(&[("job", "api"), ("variant", "v2")]))),
            (&["pod=~\"api-canary-.*\""], Some(labels(&[("pod", "api-canary-")]))),
            (&["pod=~\"(a|b)-[0-9]{3}\""], None),
            (&["app=\"a{b}\""], Some(labels(&[("app", "a{b}")]))),
            (&["track!=\"\""], Some(labels(&[("track", "other")]))),
        ] {
            assert_eq!(example_labels(matchers), example, "{matchers:?}");
        }
        assert_eq!(foreign_labels("job=~\"api|\""), Some(labels(&[("job", "another-application")])));
        assert_eq!(foreign_labels("job!=\"x\""), None);
    }

    #[test]
    fn what_lacks_the_canarys_labels_is_the_whole_applications() {
        for (canary, or_all) in [
            (DEFAULT_CANARY, "track!=\"stable\""),
            ("variant=\"v1.4.0\"", "variant=~\"v1[.]4[.]0|\""),
            ("variant=~\"v1[.]4.*\",zone!=\"dr\"", "variant=~\"v1[.]4.*|\",zone!=\"dr\""),
            ("track!=\"\"", ""),
        ] {
            assert_eq!(or_unlabelled(canary), or_all, "{canary}");
        }
    }

    #[test]
    fn what_has_the_canarys_labels_is_its_own() {
        for (canary, own) in [
            (DEFAULT_CANARY, "track!=\"stable\",track!=\"\""),
            (
                "pod=~\"a.*\",zone!=\"dr\",pod!=\"ab\"",
                "pod=~\"a.*\",zone!=\"dr\",pod!=\"ab\",pod!=\"\",zone!=\"\"",
            ),
        ] {
            assert_eq!(labelled(canary), own);
        }
    }

    #[test]
    fn what_is_more_than_matchers_is_none() {
        for text in [
            "",
            "a",
            "{a=\"b\"}",
            "a=\"b\"} #",
            "a=\"b\"} offset 5m",
            "a=\"b\"\n",
            "a=~\"(\"",
            "a=\"b\"} or x{c=\"d\"",
        ] {
            assert!(parsed(text).is_none(), "{text}");
        }
        assert!(parsed("pod=~\"api-[0-9]{3}\"").is_some());
    }

    #[test]
    fn the_opposite_of_one_matcher_is_found_and_of_several_is_not() {
        for (matchers, opposite) in [
            ("track!=\"stable\"", Some("track=\"stable\"")),
            ("variant=\"v1.4.0\"", Some("variant!=\"v1.4.0\"")),
            ("pod=~\"api-canary-.*\"", Some("pod!~\"api-canary-.*\"")),
            ("pod!~\"api-stable-.*\"", Some("pod=~\"api-stable-.*\"")),
            ("track=\"canary\",zone=\"a\"", None),
        ] {
            assert_eq!(negated(matchers).as_deref(), opposite, "{matchers}");
        }
    }
}
