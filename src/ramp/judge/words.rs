//! Values for people.

use crate::incident::{Bound, Unit};

/// A value that looks like its threshold and is another one would make a verdict look wrong.
const DIGITS: usize = 3;

/// Such as `0.12 s < 0.2 s`, or `0.31 s, and has to be < 0.2 s`.
pub(super) fn compared(value: f64, bound: Bound, unit: Unit) -> String {
    let threshold = in_unit(bound.threshold(), unit, None);
    let rounded = in_unit(value, unit, Some(DIGITS));
    #[allow(clippy::float_cmp)]
    let is_the_same = value == bound.threshold();
    let value_words = if rounded == threshold && !is_the_same { in_unit(value, unit, None) } else { rounded };
    let sign = bound.sign();
    if bound.is_met_by(value) {
        format!("{value_words} {sign} {threshold}")
    } else {
        format!("{value_words}, and has to be {sign} {threshold}")
    }
}

/// A value with its unit, to so many digits that say something, or to all.
pub(super) fn in_unit(value: f64, unit: Unit, digits: Option<usize>) -> String {
    let scaled = if unit == Unit::Ratio { value * 100.0 } else { value };
    let number = number(scaled, digits);
    match unit {
        Unit::Count => number,
        Unit::Seconds => format!("{number} s"),
        Unit::Ratio => format!("{number} %"),
        Unit::PerSecond => format!("{number} a second"),
        Unit::PerMinute => format!("{number} a minute"),
        Unit::Bytes => format!("{number} bytes"),
    }
}

fn number(value: f64, digits: Option<usize>) -> String {
    // Percents of binary fractions: 28.999999999999996 is 29 to everybody.
    let digits = digits.unwrap_or(12);
    let magnitude = value.abs().log10().floor();
    if !magnitude.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to 15"
    )]
    let decimals = (digits as f64 - 1.0 - magnitude).clamp(0.0, 15.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
