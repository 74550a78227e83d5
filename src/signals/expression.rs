//! Takes an alert's expression apart: what is compared, with what, and under which guards.
//!
//! An expression that returns nothing is below its threshold, or has no data, or a guard such as
//! `and reqs >= 20` holds it back. Only its parts distinguish these (design, promise 5: missing data
//! is never healthy).

mod guard_first;

use std::collections::BTreeMap;

use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    self, BinModifier, BinaryExpr, Expr, LabelModifier, VectorMatchCardinality, token,
};

use crate::text::kept;

/// Conditions that one expression may be made of; more is no alert that a person wrote.
const MAX_CONDITIONS: usize = 16;

/// Why an expression can't be split into conditions, for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// The parser doesn't accept it: newer PromQL than it knows, or none.
    #[error("its expression can't be read: {0}")]
    Unparsed(String),
    /// Nothing in it is compared, so nothing can be below a threshold.
    #[error("its expression has no threshold to be below of: {0}")]
    NoThreshold(String),
    /// Which of two comparisons is measured and which is its guard can't be seen.
    #[error(
        "whether `{first}` or `{second}` is what it measures can't be told: write what is measured first, \
         compare it with > or <, and its guard with >="
    )]
    GuardFirst { first: String, second: String },
    /// More conditions than are asked.
    #[error("its expression has more than {MAX_CONDITIONS} conditions")]
    TooMany,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in PromQL")]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Side {
    /// A number that stands in the rule.
    Literal(f64),
    /// A query whose result is one number for everybody.
    Scalar(String),
    Vector(String),
}

/// Which elements of two vectors belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matching {
    /// Those that agree in these labels.
    On(Vec<String>),
    /// Those that agree in all labels but these.
    Ignoring(Vec<String>),
}

/// What has to hold, or must not, for a condition to count.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// The whole guard as a query: its elements are where it holds.
    pub query: String,
    /// Whether it must hold (`and`) or must not (`unless`).
    pub must_hold: bool,
    /// Its elements that belong to an element of the condition.
    pub matching: Matching,
    /// What it compares, if it is a single comparison: for a sentence with its value.
    pub parts: Option<Box<Condition>>,
}

/// One comparison that makes the alert fire.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is measured, if the rule is written as usual.
    pub left: Side,
    pub comparison: Comparison,
    pub right: Side,
    /// Which elements are compared, if both sides are vectors.
    pub matching: Matching,
    /// All of them must be as they should before the comparison says anything.
    pub guards: Vec<Guard>,
}

impl Guard {
    /// Whether it only says how sure an excess is: then a value that exceeds nothing needs it not.
    ///
    /// Known by the name of what it reads: the generated rules record such bounds as
    /// `…:lower_bound<window>`.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        let read = self.parts.as_deref().map(|parts| &parts.left);
        let Some(Side::Vector(query)) = read else { return false };
        let name = query.split('{').next().unwrap_or_default();
        name.rsplit(':').next().is_some_and(|end| end.starts_with("lower_bound"))
    }
}

impl Comparison {
    fn of(op: token::TokenId) -> Option<Self> {
        Some(match op {
            token::T_GTR => Self::Greater,
            token::T_GTE => Self::GreaterOrEqual,
            token::T_LSS => Self::Less,
            token::T_LTE => Self::LessOrEqual,
            token::T_EQLC => Self::Equal,
            token::T_NEQ => Self::NotEqual,
            _ => return None,
        })
    }

    /// The operator as PromQL writes it.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether it holds, as Prometheus would say.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "so does PromQL")]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

impl Matching {
    fn of(modifier: Option<&BinModifier>) -> Self {
        match modifier.and_then(|modifier| modifier.matching.as_ref()) {
            Some(LabelModifier::Include(labels)) => Self::On(labels.labels.clone()),
            Some(LabelModifier::Exclude(labels)) => Self::Ignoring(labels.labels.clone()),
            None => Self::Ignoring(Vec::new()),
        }
    }

    /// Whether elements with these labels belong together.
    #[must_use]
    pub fn pairs(&self, one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
        let counts = |name: &String| match self {
            Self::On(labels) => labels.contains(name),
            Self::Ignoring(labels) => name != "__name__" && !labels.contains(name),
        };
        // An empty label and a missing one are the same to Prometheus.
        let agree = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
            one.iter()
                .filter(|(name, _)| counts(name))
                .all(|(name, value)| other.get(name).map_or("", String::as_str) == value)
        };
        agree(one, other) && agree(other, one)
    }
}

/// The conditions of which each alone, its guards being as they should, makes the alert fire.
///
/// A guard is what stands on the right of `and` and `unless`: a rule is assumed to name what it
/// measures first, and refused where it looks otherwise. Alternatives (`or`) are several conditions.
///
/// # Errors
/// See [`NotUnderstood`].
pub fn conditions(expression: &str) -> Result<Vec<Condition>, NotUnderstood> {
    let parsed = parser::parse(expression).map_err(|error| NotUnderstood::Unparsed(kept(&error)))?;
    let found = find(&parsed)?;
    if found.len() > MAX_CONDITIONS { Err(NotUnderstood::TooMany) } else { Ok(found) }
}

fn find(expression: &Expr) -> Result<Vec<Condition>, NotUnderstood> {
    let no_threshold = || NotUnderstood::NoThreshold(kept(&expression.to_string()));
    let binary = match expression {
        Expr::Paren(inner) => return find(&inner.expr),
        Expr::Binary(binary) => binary,
        _ => return Err(no_threshold()),
    };
    match binary.op.id() {
        token::T_LOR => {
            let (mut left, right) = (find(&binary.lhs)?, find(&binary.rhs)?);
            left.extend(right);
            Ok(left)
        }
        operator @ (token::T_LAND | token::T_LUNLESS) => {
            if operator == token::T_LAND && guard_first::is_likely(&binary.lhs, &binary.rhs) {
                let (first, second) = (kept(&binary.lhs.to_string()), kept(&binary.rhs.to_string()));
                return Err(NotUnderstood::GuardFirst { first, second });
            }
            let guard = guard(binary, operator == token::T_LAND);
            let mut found = find(&binary.lhs)?;
            for condition in &mut found {
                condition.guards.push(guard.clone());
            }
            Ok(found)
        }
        _ => compared(binary).map(|condition| vec![condition]).ok_or_else(no_threshold),
    }
}

fn guard(binary: &BinaryExpr, must_hold: bool) -> Guard {
    let parts = match find(&binary.rhs) {
        Ok(parts) if parts.len() == 1 => parts.into_iter().next().map(Box::new),
        _ => None,
    };
    Guard {
        query: binary.rhs.to_string(),
        must_hold,
        matching: Matching::of(binary.modifier.as_ref()),
        parts,
    }
}

fn compared(binary: &BinaryExpr) -> Option<Condition> {
    let comparison = Comparison::of(binary.op.id())?;
    if binary.modifier.as_ref().is_some_and(|modifier| modifier.return_bool) {
        // 0 and 1 instead of a filter: it always returns something, so the alert always fires.
        return None;
    }
    let (left, right) = (side(&binary.lhs), side(&binary.rhs));
    // `0.03 < x` is measured on the right, and so is what has many elements for one of the left.
    let many_right = binary
        .modifier
        .as_ref()
        .is_some_and(|modifier| matches!(modifier.card, VectorMatchCardinality::OneToMany(_)));
    let (left, comparison, right) = match (&left, &right) {
        (Side::Literal(_) | Side::Scalar(_), Side::Vector(_)) => (right, comparison.turned(), left),
        _ if many_right => (right, comparison.turned(), left),
        _ => (left, comparison, right),
    };
    let matching = Matching::of(binary.modifier.as_ref());
    Some(Condition { left, comparison, right, matching, guards: Vec::new() })
}

impl Comparison {
    /// The same with its sides exchanged.
    fn turned(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

fn side(expression: &Expr) -> Side {
    match expression {
        Expr::NumberLiteral(number) => Side::Literal(number.val),
        Expr::Paren(inner) => side(&inner.expr),
        _ if expression.value_type() == ValueType::Scalar => Side::Scalar(expression.to_string()),
        _ => Side::Vector(expression.to_string()),
    }
}

#[cfg(test)]
mod tests;
