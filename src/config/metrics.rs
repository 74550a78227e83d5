//! `[rollouts.metrics]`: which series are the rollout's, and under which names.

use std::collections::BTreeMap;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr};

use super::reader::Reader;

/// What a metric's name is set to where the application has none: its rules are left out.
const NONE: &str = "none";

/// Routes that nobody uses: probes and scrapes always answer, and would dilute the errors of a canary
/// with little traffic.
const USER_REQUESTS: &str =
    r#"route!~".*/(healthz?|livez|readyz|metrics.*)",path!~".*/(healthz?|livez|readyz|metrics.*)""#;

/// `[rollouts.metrics]`, for `rules generate`, and for what `check-config` asks Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsConfig {
    /// PromQL matchers of the application's series, canary and stable alike.
    pub selector: String,
    /// Matchers of the canary's part of them.
    pub canary: String,
    /// Whether that was configured, or is the default that a feature-flag set-up may not fulfil.
    pub canary_is_default: bool,
    /// Matchers of stable's part; none where they can't be derived from `canary`.
    pub stable: Option<String>,
    /// Matchers that leave out requests of probes and scrapes.
    pub user_requests: String,
    /// As `selector`, for series of an exporter beside the application.
    pub database_selector: String,
    pub pgbouncer_selector: String,
    /// The labels that may carry a request's status; the first that a series has counts.
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
    pub(super) fn read(reader: &Reader<'_>, rollout: &str) -> Self {
        let matchers = |key: &str| reader.text(key).filter(|text| is_matchers(reader, key, text));
        let metric = |key: &str, default: &str| {
            let name = reader.text(key).unwrap_or_else(|| default.to_owned());
            (name != NONE && is_metric(reader, key, &name)).then_some(name)
        };
        let selector = matchers("selector").unwrap_or_else(|| format!("job=~\"{rollout}|\""));
        let canary = matchers("canary");
        let canary_is_default = canary.is_none();
        let canary = canary.unwrap_or_else(|| "track!=\"stable\"".to_owned());
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
            selector,
            canary,
            canary_is_default,
        };
        for label in &config.status_labels {
            let pattern = format!("{label}=~\"{}\"", config.server_errors);
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
}

fn parsed(matchers: &str) -> Option<Expr> {
    let one_line = !matchers.contains(['\n', '{', '}']);
    parser::parse(&format!("x{{{matchers}}}")).ok().filter(|_| one_line)
}

fn is_matchers(reader: &Reader<'_>, key: &str, text: &str) -> bool {
    let valid = parsed(text).is_some_and(|expression| match expression {
        Expr::VectorSelector(selector) => !selector.matchers.matchers.is_empty(),
        _ => false,
    });
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
/// expression is too clever to guess a value.
#[must_use]
pub fn example_labels(matchers: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for one in matchers.iter().filter(|one| !one.is_empty()) {
        let Some(Expr::VectorSelector(selector)) = parsed(one) else { return None };
        for matcher in &selector.matchers.matchers {
            let fits = |value: &str| match &matcher.op {
                MatchOp::Equal => value == matcher.value,
                MatchOp::NotEqual => value != matcher.value,
                MatchOp::Re(pattern) => pattern.is_match(value),
                MatchOp::NotRe(pattern) => !pattern.is_match(value),
            };
            if fits(labels.get(&matcher.name).map_or("", String::as_str)) {
                continue;
            }
            let plain = |part: &str| part.replace(".*", "").replace(".+", "x").replace("[.]", ".");
            let words = matcher.value.split('|').map(|part| plain(part.trim_matches(['(', ')'])));
            let value = words.chain(["other".to_owned()]).find(|value| fits(value))?;
            labels.insert(matcher.name.clone(), value);
        }
    }
    Some(labels)
}

/// Labels of a series that these matchers don't select, for examples.
#[must_use]
pub fn foreign_labels(matchers: &str) -> Option<BTreeMap<String, String>> {
    let Some(Expr::VectorSelector(selector)) = parsed(matchers) else { return None };
    selector.matchers.matchers.iter().find_map(|matcher| {
        let another = "another-application";
        let fits = match &matcher.op {
            MatchOp::Equal => another == matcher.value,
            MatchOp::NotEqual => another != matcher.value,
            MatchOp::Re(pattern) => pattern.is_match(another),
            MatchOp::NotRe(pattern) => !pattern.is_match(another),
        };
        (!fits).then(|| BTreeMap::from([(matcher.name.clone(), another.to_owned())]))
    })
}

/// The opposite of one matcher; several have no opposite that is a list of matchers.
fn negated(matchers: &str) -> Option<String> {
    let Some(Expr::VectorSelector(selector)) = parsed(matchers) else { return None };
    let [only] = selector.matchers.matchers.as_slice() else { return None };
    let opposite = match only.op {
        MatchOp::Equal => "!=",
        MatchOp::NotEqual => "=",
        MatchOp::Re(_) => "!~",
        MatchOp::NotRe(_) => "=~",
    };
    // As PromQL quotes: a backslash and a quote are escaped.
    Some(format!("{}{opposite}{:?}", only.name, only.value))
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
            (&["track!=\"\""], Some(labels(&[("track", "other")]))),
        ] {
            assert_eq!(example_labels(matchers), example, "{matchers:?}");
        }
        assert_eq!(foreign_labels("job=~\"api|\""), Some(labels(&[("job", "another-application")])));
        assert_eq!(foreign_labels("job!=\"x\""), None);
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
