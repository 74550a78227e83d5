//! The protocol's thresholds at its shares.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn together(statistic: Statistic, percent: u8) -> DetectionFloor {
    detection_floor(statistic, Share(percent), Counted::CanaryAndStable)
}

fn ratio(threshold: f64) -> Statistic {
    Statistic::Ratio { threshold }
}

const P95: Statistic = Statistic::Quantile { quantile: 0.95 };

/// In per mille, so that the table can be read and compared.
fn per_mille(floor: DetectionFloor) -> Option<i64> {
    floor.bad_above.map(|part| (part * 1_000.0).round() as i64)
}

#[test]
fn without_a_label_a_small_share_hides_a_canary_from_the_protocols_thresholds() {
    for (name, statistic, at_1, at_5, at_25, at_50, at_100) in [
        ("errors below 1 %", ratio(0.01), None, Some(200), Some(40), Some(20), Some(10)),
        ("errors above 1.5 %", ratio(0.015), None, Some(300), Some(60), Some(30), Some(15)),
        ("errors above 3 %", ratio(0.03), None, Some(600), Some(120), Some(60), Some(30)),
        ("conflicts above 5 %", ratio(0.05), None, None, Some(200), Some(100), Some(50)),
        ("P95", P95, None, None, Some(200), Some(100), Some(50)),
        ("median", Statistic::Quantile { quantile: 0.5 }, None, None, None, None, Some(500)),
    ] {
        let floors = [1, 5, 25, 50, 100].map(|percent| per_mille(together(statistic, percent)));
        assert_eq!(floors, [at_1, at_5, at_25, at_50, at_100], "{name}");
    }
}

#[test]
fn a_label_makes_the_floor_the_threshold_itself_at_every_share() {
    for percent in [1, 5, 25, 50, 100] {
        let floor = detection_floor(ratio(0.01), Share(percent), Counted::CanaryAlone);
        assert_eq!((per_mille(floor), floor.is_too_high()), (Some(10), false), "{percent} %");
    }
}

#[test]
fn a_floor_above_half_of_the_canarys_requests_has_to_be_confirmed() {
    for (statistic, percent, too_high) in [
        (ratio(0.01), 1, true),
        (ratio(0.01), 2, false),
        (ratio(0.03), 5, true),
        (ratio(0.03), 25, false),
        (P95, 5, true),
        (P95, 25, false),
    ] {
        assert_eq!(together(statistic, percent).is_too_high(), too_high, "{statistic:?} at {percent} %");
    }
    assert!(together(ratio(0.01), 0).is_too_high(), "a canary without traffic shows nothing");
}

#[test]
fn enough_requests_are_three_by_the_threshold_and_sixty_for_a_p95() {
    for (statistic, needed) in [
        (ratio(0.01), 300),
        (ratio(0.015), 200),
        (ratio(0.03), 100),
        (ratio(0.05), 60),
        (ratio(0.07), 43),
        (ratio(1.0), 3),
        (P95, 60),
        (Statistic::Quantile { quantile: 0.5 }, 60),
        (Statistic::Quantile { quantile: 0.99 }, 300),
        (ratio(0.0), u64::MAX),
    ] {
        assert_eq!(statistic.requests_needed(), needed, "{statistic:?}");
    }
}

#[test]
fn the_rule_of_three_is_never_below_what_95_per_cent_of_confidence_take_and_hardly_above() {
    for per_mille in 1..=200 {
        let threshold = f64::from(per_mille) / 1_000.0;
        let exact = (0.05_f64.ln() / (1.0 - threshold).ln()).ceil();
        let needed = ratio(threshold).requests_needed() as f64;
        assert!(needed >= exact && needed <= exact * 1.16 + 1.0, "{threshold}: {needed}, exactly {exact}");
    }
}

#[test]
fn a_stage_lasts_until_the_canary_has_had_enough_requests() {
    let floor = together(ratio(0.01), 5);
    for (rate, seconds) in [
        (10.0, Some(30)),
        (0.5, Some(600)),
        (0.7, Some(429)),
        (0.0, None),
        (-1.0, None),
        (f64::NAN, None),
        (f64::INFINITY, Some(0)),
        (1e-300, None),
    ] {
        assert_eq!(floor.enough_after(rate).map(|after| after.as_secs()), seconds, "{rate} a second");
    }
}

#[test]
fn people_read_what_can_be_seen_and_what_to_do() {
    let hidden = together(ratio(0.01), 1).words();
    assert!(
        hidden.contains("at 1 % it can't see the canary") && hidden.contains("rollouts.metrics.canary"),
        "{hidden}"
    );
    assert_eq!(
        together(ratio(0.03), 25).words(),
        "at 25 % it sees the canary only once more than 12 % of its requests are bad, since stable's are \
         counted with them"
    );
    assert!(together(ratio(0.01), 7).words().contains("more than 14.3 % of its"), "no more digits than that");
    let alone = detection_floor(ratio(0.015), Share(5), Counted::CanaryAlone);
    assert_eq!(alone.words(), "at 5 % it sees the canary once more than 1.5 % of its requests are bad");
    let words = |rate| alone.words_on_time(15 * MINUTE, rate);
    assert_eq!(
        words(1.0),
        "the stage needs 200 requests of the canary, which take 3m 20s of its 15m at today's rate"
    );
    assert!(words(0.1).contains("which take 33m 20s") && words(0.1).contains("after its 15m it would hold"));
    assert!(words(0.0).contains("which has none now: it would hold"));
}
