//! Takes an alert's expression apart: what it measures, without the threshold.
//!
//! An expression that returns nothing is either below its threshold or without data. Asking for
//! its left-hand side tells the two apart (design, promise 5: missing data is never healthy).

use promql_parser::parser::{self, Expr, token};

/// The part of an expression that is compared with a threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The expression without its threshold.
    pub expression: String,
    /// The comparison that was taken off, such as `> 0.03`.
    pub threshold: String,
}

/// Finds what an alert's expression measures: the left-hand side of its comparison, looked for
/// through parentheses and on the left of `and` and `unless`. `None` where there is no comparison.
///
/// # Errors
/// In words: why it does not parse.
pub fn left_of_threshold(expression: &str) -> Result<Option<Measured>, String> {
    let parsed = parser::parse(expression)?;
    Ok(find(&parsed))
}

fn find(expression: &Expr) -> Option<Measured> {
    match expression {
        Expr::Paren(inner) => find(&inner.expr),
        Expr::Binary(binary) => match binary.op.id() {
            token::T_LAND | token::T_LUNLESS => find(&binary.lhs),
            token::T_GTR | token::T_GTE | token::T_LSS | token::T_LTE | token::T_EQLC | token::T_NEQ => {
                let threshold = format!("{} {}", binary.op, binary.rhs);
                Some(Measured { expression: binary.lhs.to_string(), threshold })
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_taken_off_through_parentheses_and_sample_guards() {
        for (expression, measured, threshold) in [
            ("up > 0", "up", "> 0"),
            (
                "(sum(rate(a[5m])) / sum(rate(b[5m]))) > 0.03 and sum(increase(b[5m])) >= 20",
                "(sum(rate(a[5m])) / sum(rate(b[5m])))",
                "> 0.03",
            ),
            ("((up > 5)) unless on(job) down", "up", "> 5"),
        ] {
            let found = left_of_threshold(expression).expect("parses").expect("a comparison");
            assert_eq!((found.expression.as_str(), found.threshold.as_str()), (measured, threshold));
        }
    }

    #[test]
    fn an_expression_without_a_comparison_has_no_threshold_and_nonsense_is_an_error() {
        assert_eq!(left_of_threshold("vector(1)"), Ok(None));
        assert!(left_of_threshold("up > 120 for 3m").is_err());
    }
}
