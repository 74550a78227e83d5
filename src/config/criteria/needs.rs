//! What an expression is made of: the metrics that it needs, and the quantile that it computes.

use promql_parser::parser::{self, Expr, VectorSelector, token};

use crate::ramp::Needs;

/// Stands in samples for the time that is judged; no duration, so no PromQL.
const STAGE: &str = "$stage";

/// The metrics that an expression needs, and the quantile that it computes of a histogram. One that is no PromQL,
/// which is reported elsewhere, needs nothing.
pub(super) fn taken_apart(expression: &str) -> (Needs, Option<f64>) {
    match parser::parse(&expression.replace(STAGE, "1m")) {
        Ok(expression) => (of(&expression), quantile(&expression)),
        Err(_) => (Needs::All(Vec::new()), None),
    }
}

fn of(expression: &Expr) -> Needs {
    match expression {
        Expr::Binary(binary) if binary.op.id() == token::T_LOR => {
            Needs::Any(vec![of(&binary.lhs), of(&binary.rhs)])
        }
        // Whatever is left out may be missing.
        Expr::Binary(binary) if binary.op.id() == token::T_LUNLESS => of(&binary.lhs),
        Expr::VectorSelector(selector) => metric(selector),
        Expr::MatrixSelector(selector) => metric(&selector.vs),
        other => Needs::All(parts(other).into_iter().map(of).collect()),
    }
}

fn metric(selector: &VectorSelector) -> Needs {
    selector.name.clone().map_or(Needs::All(Vec::new()), Needs::Metric)
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

    #[test]
    fn the_metrics_that_an_expression_needs_are_all_but_alternatives() {
        let metric = |name: &str| Needs::Metric(name.to_owned());
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
            let all_but_a = needed.metrics().into_iter().filter(|name| *name != "a");
            let all_but_a = all_but_a.map(str::to_owned).collect();
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
