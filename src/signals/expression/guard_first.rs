//! Whether `A and B` names its guard first, against the custom that [`super::conditions`] relies on.
//!
//! Taken for the measurement, a guard such as `reqs >= 20` would pass as soon as requests are few,
//! whatever the errors are. Nothing in PromQL says which side is meant, so three hints have to.

use promql_parser::parser::{Expr, token};

use super::{Comparison, Condition, Side, compared};

/// Functions that count; what they count is how much was seen, not how it was.
const COUNTS: &[&str] = &["increase", "rate", "irate", "delta", "count_over_time"];

/// Whether the first of two comparisons looks like the guard of the second.
pub(super) fn is_likely(first: &Expr, second: &Expr) -> bool {
    let (Some((one, Side::Literal(first_number))), Some((other, Side::Literal(second_number)))) =
        (with_threshold(first), with_threshold(second))
    else {
        return false;
    };
    let is_guard_by_sign = !is_strict(one.comparison) && is_strict(other.comparison);
    let same_sign = is_strict(one.comparison) == is_strict(other.comparison);
    let is_count_by_number = first_number >= 1.0 && second_number < 1.0;
    (is_count(first) && is_share(second)) || is_guard_by_sign || (same_sign && is_count_by_number)
}

fn with_threshold(expression: &Expr) -> Option<(Condition, Side)> {
    match expression {
        Expr::Paren(inner) => with_threshold(&inner.expr),
        Expr::Binary(binary) => compared(binary).map(|condition| (condition.clone(), condition.right)),
        _ => None,
    }
}

/// Measurements are compared with `>`, guards with `>=`: "more than 3 %", "at least 20".
fn is_strict(comparison: Comparison) -> bool {
    match comparison {
        Comparison::Greater | Comparison::Less => true,
        Comparison::GreaterOrEqual | Comparison::LessOrEqual | Comparison::Equal | Comparison::NotEqual => {
            false
        }
    }
}

/// Whether it counts something and relates it to nothing.
fn is_count(expression: &Expr) -> bool {
    !is_share(expression)
        && any(expression, &|inner| match inner {
            Expr::Call(call) => COUNTS.contains(&call.func.name),
            Expr::Aggregate(aggregate) => aggregate.op.id() == token::T_COUNT,
            _ => false,
        })
}

/// Whether it relates one thing to another, or is a quantile.
fn is_share(expression: &Expr) -> bool {
    any(expression, &|inner| match inner {
        Expr::Binary(binary) => binary.op.id() == token::T_DIV,
        Expr::Call(call) => call.func.name == "histogram_quantile",
        _ => false,
    })
}

/// Whether this holds of the expression or of a part of it.
fn any(expression: &Expr, holds: &dyn Fn(&Expr) -> bool) -> bool {
    holds(expression)
        || match expression {
            Expr::Paren(inner) => any(&inner.expr, holds),
            Expr::Unary(inner) => any(&inner.expr, holds),
            Expr::Subquery(inner) => any(&inner.expr, holds),
            Expr::Aggregate(inner) => any(&inner.expr, holds),
            Expr::Binary(inner) => any(&inner.lhs, holds) || any(&inner.rhs, holds),
            Expr::Call(call) => call.args.args.iter().any(|argument| any(argument, holds)),
            Expr::NumberLiteral(_)
            | Expr::StringLiteral(_)
            | Expr::VectorSelector(_)
            | Expr::MatrixSelector(_)
            | Expr::Extension(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::super::{NotUnderstood, conditions};

    #[test]
    fn a_guard_that_is_written_first_is_not_taken_for_what_is_measured() {
        for expression in [
            "reqs >= 20 and errs > 0.03",
            "reqs > 20 and errs > 0.03",
            "20 <= reqs and errs > 0.03",
            "reqs >= 20 and p95_ms > 400",
            "(reqs >= 20) and (errs > 0.03) unless on(job) maintenance",
            "sum(increase(reqs[5m])) > 20 and sum(rate(errs[5m])) / sum(rate(reqs[5m])) >= 0.03",
            "count(up) > 2 and histogram_quantile(0.95, sum by (le) (rate(b[5m]))) >= 2",
            "gone > 0.5 or (reqs >= 20 and errs > 0.03)",
        ] {
            let error = conditions(expression).expect_err(expression);
            assert!(matches!(error, NotUnderstood::GuardFirst { .. }), "{expression}: {error}");
        }
        let error = conditions("reqs >= 20 and errs > 0.03").expect_err("guard first").to_string();
        assert!(error.starts_with("whether `reqs >= 20` or `errs > 0.03` is what it measures"), "{error}");
    }

    #[test]
    fn what_is_measured_first_is_understood() {
        for expression in [
            "errs > 0.03 and reqs >= 20",
            "errs > 0.03 and reqs > 20",
            "errs >= 0.03 and reqs >= 20",
            "p95_ms > 400 and share >= 0.01",
            "slow > 2 and queued > 10",
            "sum(rate(e[5m])) / sum(rate(r[5m])) > 0.03 and sum(increase(r[5m])) >= 20",
            "sum(rate(errs[5m])) > 5 and deployed == 1",
            "errs > 0.03 and on() deployed",
            "reqs >= 20 unless errs > 0.03",
            "canary > 2 * stable and stable > 0.001",
        ] {
            assert!(conditions(expression).is_ok(), "{expression}: {:?}", conditions(expression));
        }
    }
}
