//! The expressions of alerts, as Prometheus returns them.

use std::time::Duration;

use backstop::signals::{Side, conditions};

/// Parts of expressions, so that what is put together often parses.
const PARTS: &[&str] = &[
    "up",
    "sum by (le) (",
    "rate(",
    "http_requests_total{status=~\"5..\"}",
    "[5m]",
    ")",
    "(",
    " / ",
    " > ",
    " >= bool ",
    "0.03",
    "1e999",
    "NaN",
    " and ",
    " unless on(job) ",
    "histogram_quantile(0.95, ",
    " offset 5m",
    "{",
    "}",
    "\"",
    "'",
    "é\u{0}",
    " == ",
    "-",
    "^",
    "@ 1",
    "[5m:1m]",
    " or ",
    "vector(1)",
    ",",
    "# comment\n",
    "\\",
];

#[test]
fn no_expression_breaks_the_reader_and_what_it_measures_is_an_expression() {
    bolero::check!()
        .with_iterations(4_000)
        .with_test_time(Duration::from_secs(10))
        .with_type::<Vec<u8>>()
        .for_each(|choice| {
            let parts = choice.iter().map(|number| PARTS[usize::from(*number) % PARTS.len()]);
            for condition in conditions(&parts.collect::<String>()).unwrap_or_default() {
                for side in [&condition.left, &condition.right] {
                    if let Side::Vector(query) | Side::Scalar(query) = side {
                        assert!(promql_parser::parser::parse(query).is_ok(), "{condition:?}");
                    }
                }
            }
        });
}

#[test]
fn no_bytes_break_the_reader() {
    bolero::check!().with_iterations(4_000).with_test_time(Duration::from_secs(10)).for_each(
        |bytes: &[u8]| {
            // Whether it parses is not the question.
            let _either = conditions(&String::from_utf8_lossy(bytes));
        },
    );
}
