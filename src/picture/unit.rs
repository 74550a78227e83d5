//! Units, and how a value is written in them.

use super::Unit;

/// From here on a number is written with an exponent.
const LARGE: f64 = 1e7;

/// Below this one, too.
const SMALL: f64 = 1e-4;

/// How all values of a panel are written whose largest is this one, whatever its sign.
pub(super) fn scale(unit: Unit, largest: f64) -> Scale {
    let (factor, suffix) = match unit {
        Unit::Seconds if largest < 1.0 => (1e3, " ms"),
        Unit::Seconds => (1.0, " s"),
        Unit::Ratio => (1e2, " %"),
        Unit::PerSecond => (1.0, "/s"),
        Unit::PerMinute => (1.0, "/min"),
        Unit::Bytes => bytes(largest),
        Unit::Count => (1.0, ""),
    };
    Scale { factor, suffix }
}

fn bytes(largest: f64) -> (f64, &'static str) {
    let larger = [(f64::from(1_u32 << 30), " GiB"), (f64::from(1_u32 << 20), " MiB"), (1_024.0, " KiB")];
    let found = larger.into_iter().find(|(size, _)| largest >= *size);
    found.map_or((1.0, " B"), |(size, suffix)| (1.0 / size, suffix))
}

/// How the values of one panel are written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// From a value to what is written.
    pub(super) factor: f64,
    /// With the blank before it, where one belongs there.
    suffix: &'static str,
}

impl Scale {
    /// A value with its unit, to three digits.
    pub(super) fn value(&self, value: f64) -> String {
        format!("{}{}", number(value * self.factor), self.suffix)
    }

    /// A mark of an axis whose marks are `step` apart, both unscaled.
    pub(super) fn mark(&self, value: f64, step: f64) -> String {
        let (value, step) = (value * self.factor, step * self.factor);
        if value == 0.0 || value.abs() >= LARGE || step < SMALL {
            return format!("{}{}", number(value), self.suffix);
        }
        // As many decimals as two neighbours need to differ: `step` is 1, 2 or 5 times a power of ten.
        let decimals = usize::from(step < 1.0) * (-step.log10()).ceil().clamp(0.0, 6.0) as usize;
        format!("{value:.decimals$}{}", self.suffix)
    }
}

/// Three digits, or all of a whole number that isn't large.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(SMALL..LARGE).contains(&size) {
        return trimmed(&format!("{value:.2e}"));
    }
    if size >= 100.0 {
        return format!("{value:.0}");
    }
    let decimals = (2.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
    trimmed(&format!("{value:.decimals$}"))
}

/// Without zeros that say nothing: `0.500` is `0.5`, `1.20e-7` is `1.2e-7`.
fn trimmed(number: &str) -> String {
    let (digits, exponent) = number.find('e').map_or((number, ""), |at| number.split_at(at));
    if !digits.contains('.') {
        return number.to_owned();
    }
    format!("{}{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_with_its_unit_in_few_digits() {
        for (unit, value, expected) in [
            (Unit::Seconds, 0.2, "200 ms"),
            (Unit::Seconds, 0.000_25, "0.25 ms"),
            (Unit::Seconds, 30.0, "30 s"),
            (Unit::Ratio, 0.01, "1 %"),
            (Unit::Ratio, 0.123_456, "12.3 %"),
            (Unit::PerSecond, 1.0, "1/s"),
            (Unit::PerMinute, 0.5, "0.5/min"),
            (Unit::Bytes, 1_572_864.0, "1.5 MiB"),
            (Unit::Bytes, 512.0, "512 B"),
            (Unit::Count, 0.0, "0"),
            (Unit::Count, -3.0, "-3"),
            (Unit::Count, 1e300, "1e300"),
            (Unit::Count, 1.234e-9, "1.23e-9"),
        ] {
            assert_eq!(scale(unit, f64::abs(value)).value(value), expected, "{unit:?}");
        }
    }

    #[test]
    fn the_marks_of_an_axis_have_the_decimals_that_tell_them_apart() {
        let marks = |unit: Unit, largest: f64, step: f64| {
            let scale = scale(unit, largest);
            [0.0, step, 2.0 * step].map(|value| scale.mark(value, step)).join(", ")
        };
        assert_eq!(marks(Unit::Seconds, 0.25, 0.1), "0 ms, 100 ms, 200 ms");
        assert_eq!(marks(Unit::Ratio, 0.012, 0.005), "0 %, 0.5 %, 1.0 %");
        assert_eq!(marks(Unit::Count, 0.03, 0.02), "0, 0.02, 0.04");
        assert_eq!(marks(Unit::Count, 3e9, 1e9), "0, 1e9, 2e9");
        assert_eq!(marks(Unit::Count, 3e-9, 1e-9), "0, 1e-9, 2e-9");
        assert_eq!(scale(Unit::Count, 1.0).mark(-0.0, 1.0), "0");
    }
}
