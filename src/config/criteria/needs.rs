//! What an expression is made of: the metrics that it needs, and the quantile that it computes.

use promql_parser::label::Matcher;
use promql_parser::parser::{self, Expr, VectorSelector, token};

use super::placeholders::recorded_labels;
use crate::config::RolloutConfig;
use crate::config::metrics::parsed;
use crate::ramp::{Metric, Needs};

/// Stands in samples for the time that is judged; no duration, so no PromQL.
const STAGE: &str = "$stage";

/// The matchers that say whose a series is. Of an expression's own nothing but these can be asked for before a
/// ramp: a status or a bucket may be born later, and what tells the canary apart comes with the canary.
pub(super) struct Whose(Vec<Matcher>);

impl Whose {
    pub(super) fn of(rollout: &RolloutConfig) -> Self {
        let metrics = &rollout.metrics;
        let recorded = recorded_labels(rollout);
        let all = [&metrics.selector, &metrics.database_selector, &metrics.pgbouncer_selector, &recorded];
        Self(all.into_iter().filter_map(|matchers| parsed(matchers)).flatten().collect())
    }

    /// The metrics that an expression needs, and the quantile that it computes of a histogram. One that is no
    /// PromQL, which is reported elsewhere, needs nothing.
    pub(super) fn taken_apart(&self, expression: &str) -> (Needs, Option<f64>) {
        match parser::parse(&expression.replace(STAGE, "1m")) {
            Ok(expression) => (self.needs(&expression), quantile(&expression)),
            Err(_) => (Needs::All(Vec::new()), None),
        }
    }

    fn needs(&self, expression: &Expr) -> Needs {
        match expression {
            Expr::Binary(binary) if binary.op.id() == token::T_LOR => {
                Needs::Any(vec![self.needs(&binary.lhs), self.needs(&binary.rhs)])
            }
            // Whatever is left out may be missing.
            Expr::Binary(binary) if binary.op.id() == token::T_LUNLESS => self.needs(&binary.lhs),
            Expr::VectorSelector(selector) => self.metric(selector),
            Expr::MatrixSelector(selector) => self.metric(&selector.vs),
            other => Needs::All(parts(other).into_iter().map(|part| self.needs(part)).collect()),
        }
    }

    fn metric(&self, selector: &VectorSelector) -> Needs {
        let Some(name) = selector.name.clone() else { return Needs::All(Vec::new()) };
        let matchers = selector.matchers.matchers.iter().filter(|matcher| self.0.contains(matcher));
        let whose = matchers.map(ToString::to_string).collect::<Vec<_>>().join(",");
        Needs::Metric(Metric { whose, name })
    }
}

fn quantile(expression: &Expr) -> Option<f64> {
    if let Expr::Call(call) = expression
        && call.func.name == "histogram_quantile"
        && let Some(Expr::NumberLiteral(number)) = call.args.args.first().map(AsRef::as_ref)
    {
        return Some(number.val);
    }
    parts(expression).into_iter().find_map(quantile)
}

/// What an expression is made of, one level down.
fn parts(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().map(AsRef::as_ref).chain([aggregate.expr.as_ref()]).collect()
        }
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Paren(paren) => vec![&paren.expr],
        Expr::Subquery(subquery) => vec![&subquery.expr],
        Expr::Call(call) => call.args.args.iter().map(AsRef::as_ref).collect(),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_apart(expression: &str) -> (Needs, Option<f64>) {
        Whose(Vec::new()).taken_apart(expression)
    }

    #[test]
    fn whose_a_series_is_is_needed_and_what_only_the_canary_or_an_error_has_is_not() {
        let whose = Whose(parsed("job=~\"a[.]b\\\\.c|\",cluster=\"x\\\"y\"").expect("matchers"));
        for (selector, needed) in [
            ("r{job=~\"a[.]b\\\\.c|\",track!=\"stable\"}", "r{job=~\"a[.]b\\\\.c|\"}"),
            ("r{status=~\"5..\",cluster=\"x\\\"y\"}", "r{cluster=\"x\\\"y\"}"),
            ("r{job=\"other\"}", "r"),
            ("r", "r"),
        ] {
            let (needs, _) = whose.taken_apart(&format!("sum(rate({selector}[5m]))"));
            assert_eq!(needs.missing(&Default::default()), needed, "{selector}");
        }
    }

    #[test]
    fn the_metrics_that_an_expression_needs_are_all_but_alternatives() {
        let metric = |name: &str| Needs::Metric(Metric { whose: String::new(), name: name.to_owned() });
        let all = |parts: &[Needs]| Needs::All(parts.to_vec());
        for (expression, needed) in [
            ("a", metric("a")),
            ("rate(a{x=\"y\"}[5m])", all(&[metric("a")])),
            ("a or 0 * b", Needs::Any(vec![metric("a"), all(&[all(&[]), metric("b")])])),
            ("a unless b", metric("a")),
            ("sum by (x) (a) / max_over_time(b[5m:1m])", all(&[all(&[metric("a")]), all(&[metric("b")])])),
            ("{__name__=~\"a.*\"}", all(&[])),
            ("no promql )", all(&[])),
        ] {
            let (found, _) = taken_apart(expression);
            assert_eq!(found.metrics(), needed.metrics(), "{expression}");
            let all_but_a = needed.metrics().into_iter().filter(|metric| metric.name != "a");
            let all_but_a = all_but_a.cloned().collect();
            assert_eq!(found.are_met_by(&all_but_a), needed.are_met_by(&all_but_a), "{expression}");
        }
    }

    #[test]
    fn the_quantile_is_found_wherever_it_stands() {
        for (expression, quantile) in [
            ("histogram_quantile(0.95, sum by (le) (rate(a_bucket[5m])))", Some(0.95)),
            ("1000 * (histogram_quantile(0.5, a) or b)", Some(0.5)),
            ("quantile(0.5, a)", None),
        ] {
            assert_eq!(taken_apart(expression).1, quantile, "{expression}");
        }
    }
}
