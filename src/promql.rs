//! The expressions that every rule is made of, and a ramp's criteria too.
//!
//! A share of few requests says little: one error of twenty is 5 %. So requests are counted, and a
//! share is judged by bounds that hold with near certainty whatever chance did (Wilson's interval).

/// Standard deviations by which a share must be above its threshold before a rule fires.
///
/// A rule is evaluated every few seconds for an hour and a half, so a bound that is wrong once in a
/// hundred looks would be wrong on every canary. With 3.3, one of a hundred canaries that have 0.1
/// requests a second and 1 % of errors, the most that the protocol lets pass, is rolled back within
/// its ramp; with more requests practically none. The table in `alert-rules/README.md` has the rest.
pub const CERTAIN: f64 = 3.3;

/// The same in the short window beside it, which only says whether the trouble goes on. At 1, one error
/// among 25 requests keeps a warning of 1.5 % firing and one among 26 does not, so that a stray error
/// after a brown-out doesn't; what a canary that stays bad loses by it, it gets back from the grace,
/// which keeps its deadline over a gap.
pub const GOES_ON: f64 = 1.0;

/// A rule's windows have to see this many requests before it says anything: the design's minimum.
pub const LEAST_REQUESTS: u32 = 20;

/// `metric{matchers, more matchers}`, empty ones left out.
#[must_use]
pub fn series(metric: &str, matchers: &[&str]) -> String {
    let matchers: Vec<_> = matchers.iter().copied().filter(|one| !one.is_empty()).collect();
    format!("{metric}{{{}}}", matchers.join(","))
}

/// How much counters rose in a window, summed by these labels; each list is one counter.
///
/// A counter that is born with its first error has no rise, and a canary with little traffic may have
/// each of its errors as a new series (route by pod by status). So the first value counts too, where
/// other series of the same target (`reference`) are older in this window, and this one was not there
/// before it. A target that is new itself, or seen again, has all its series equally old; and a series
/// that only got another label has a past that is no few requests (three scrapes' worth and five).
#[must_use]
pub fn rise(counters: &[String], reference: &str, window: &str, by: &str) -> String {
    let rises = counters.iter().map(|one| seen_rise(one, window));
    let births = counters.iter().map(|one| {
        format!(
            "label_replace(
    min_over_time({one}[{window}])
    unless last_over_time({one}[15m] offset {window})
    and count_over_time({one}[{window}]) + 1 < on ({TARGET}) group_left ()
      max by ({TARGET}) (count_over_time({reference}[{window}]))
    and min_over_time({one}[{window}]) <= on ({TARGET}) group_left ()
      5 + 3 * sum by ({TARGET}) (increase({reference}[{window}])) / max by ({TARGET}) (count_over_time({reference}[{window}])),
    \"counted_from\", \"birth\", \"\", \"\"
  )"
        )
    });
    format!("sum by ({by}) (\n  {}\n)", rises.chain(births).collect::<Vec<_>>().join("\n  or\n  "))
}

/// The same for a counter of anything, of whatever target: older series are those of `up`, which each scraped target
/// has. There is nothing to say how much is too much for a birth, so all of it counts: for what only holds a
/// ramp, where a past that is taken for a birth costs one window, and a birth that is not seen lets a storm pass.
#[must_use]
pub fn rise_and_births(counter: &str, up: &str, window: &str) -> String {
    format!(
        "sum(
  {rise}
  or
  label_replace(
    min_over_time({counter}[{window}])
    unless last_over_time({counter}[15m] offset {window})
    and count_over_time({counter}[{window}]) + 1 < on ({TARGET}) group_left ()
      max by ({TARGET}) (count_over_time({up}[{window}])),
    \"counted_from\", \"birth\", \"\", \"\"
  )
)",
        rise = seen_rise(counter, window)
    )
}

/// By how much a counter was seen to rise. `increase` extrapolates to the window's edges, which doubles
/// what two scrapes saw, and each series by itself: the difference of two buckets that rose alike can
/// come out as a fifth of them. Evidence is only what was counted. Only a counter that was reset is left
/// to `increase`.
#[must_use]
pub fn seen_rise(counter: &str, window: &str) -> String {
    format!(
        "(max_over_time({counter}[{window}]) - min_over_time({counter}[{window}]) unless resets({counter}[{window}]) > 0 or increase({counter}[{window}]))"
    )
}

/// Gauges that count while their target can't be scraped, but not once it is gone: `up` says which.
/// `gauges` is what was computed of their last values within `span`.
#[must_use]
pub fn without_gone_targets(gauges: &str, up: &str, span: &str) -> String {
    format!("{gauges}\nunless on ({TARGET})\n(last_over_time({up}[{span}]) unless {up})")
}

/// What tells one scraped target from another.
pub const TARGET: &str = "namespace, instance, pod";

/// The share of `hits` in `all` that the long run exceeds, certain to `z` standard deviations.
#[must_use]
pub fn lower_bound(hits: &str, all: &str, z: f64) -> String {
    let square = z * z;
    format!(
        "(
  {hits}
  + {half}
  - {z} * sqrt({hits} * clamp_min({all} - {hits}, 0) / {all} + {quarter})
)
/
({all} + {square})",
        half = digits(square / 2.0),
        quarter = digits(square / 4.0),
        square = digits(square),
    )
}

/// Without the last bits of binary fractions: 10.89, not 10.889999999999999.
fn digits(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Observations of a histogram that are surely above `threshold`: all but those in its bucket, or in
/// the next one above where none ends there. Interpolation between coarse buckets proves nothing. Each
/// series by its own buckets: two versions may have different ones.
#[must_use]
pub fn above(
    buckets: impl Fn(&str) -> String,
    threshold: Threshold,
    all: &str,
    window: &str,
    by: &str,
) -> String {
    let edges = buckets(&format!("le=~\"{}\"", threshold.edges_from()));
    format!(
        "{all}
- on ({by}) group_left ()
sum by ({by}) (min without (le) {seen})",
        seen = seen_rise(&edges, window)
    )
}

/// A threshold of the protocol for a duration, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// 0.1 s: database queries.
    Tenth,
    /// 0.25 s: a warning.
    Quarter,
    /// 0.4 s: a critical.
    TwoFifths,
}

impl Threshold {
    /// In seconds, as PromQL writes it.
    #[must_use]
    pub fn seconds(self) -> &'static str {
        match self {
            Self::Tenth => "0.1",
            Self::Quarter => "0.25",
            Self::TwoFifths => "0.4",
        }
    }

    /// Matches every `le` that is at least the threshold. PromQL compares no label as a number.
    #[must_use]
    pub fn edges_from(self) -> String {
        let below_one = match self {
            Self::Tenth => "[1-9][0-9]*",
            Self::Quarter => "(2[5-9]|[3-9])[0-9]*",
            Self::TwoFifths => "[4-9][0-9]*",
        };
        format!("0[.]{below_one}|[1-9][0-9]*([.][0-9]+)?(e[+]?[0-9]+)?|[+]Inf")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_without_the_last_bits_of_binary_fractions() {
        let bound = lower_bound("k", "n", CERTAIN);
        assert!(bound.contains("(n + 10.89)") && bound.contains("+ 2.7225)"), "{bound}");
    }

    #[test]
    fn empty_matchers_are_left_out() {
        assert_eq!(series("m", &["a=\"b\"", "", "c!=\"d\""]), "m{a=\"b\",c!=\"d\"}");
    }
}
