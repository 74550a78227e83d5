//! Expressions over a Prometheus that answers by script.

use super::*;
use crate::verification::fixtures::{Scripted, alert};
use CheckOutcome::{Fail, Gone, Pass, Unknown};

async fn expressions(source: &Scripted, alerts: &[Alert], canary_end: Option<CanaryEnd>) -> Seen {
    Expressions::of(source).await.expect("rules").seen(alerts, canary_end).await
}

async fn seen(source: &Scripted, alerts: &[Alert]) -> (CheckOutcome, String) {
    let check = expressions(source, alerts, None).await;
    (check.outcome, check.detail)
}

/// The values are those that the parts have now, the whole expression being empty or not as it may.
#[tokio::test]
async fn the_value_itself_is_compared_and_what_cant_be_is_unknown() {
    type Values<'a> = &'a [(&'a str, f64)];
    let cases: [(&str, Values<'_>, CheckOutcome, &str); 23] = [
        ("errs > 0.03", &[("errs", 0.01)], Pass, "0.01 is not > 0.03"),
        ("errs > 0.03", &[("errs", 0.9)], Fail, "still 0.9 > 0.03"),
        ("errs > 0.03", &[], Unknown, "`errs` has no data"),
        ("errs > 0.03", &[("errs", f64::NAN)], Unknown, "`errs` is no number: nothing was measured"),
        ("0.03 < errs", &[("errs", 0.9)], Fail, "still 0.9 > 0.03"),
        ("0.03 < errs", &[], Unknown, "`errs` has no data"),
        ("vector(0.03) < gone", &[("vector(0.03)", 0.03)], Unknown, "`gone` has no data to compare with"),
        (
            "errs > 0.03 and reqs >= 20",
            &[("errs", 0.9), ("reqs", 3.0)],
            Unknown,
            "0.9, but `reqs` is 3, >= 20 is needed to judge",
        ),
        (
            "errs > 0.03 and reqs >= 20",
            &[("errs", 0.9)],
            Unknown,
            "0.9, but `reqs` has no data, >= 20 is needed to judge",
        ),
        (
            "errs > 0.03 and reqs >= 20",
            &[("errs", 0.01), ("reqs", 25.0), ("reqs >= 20", 25.0)],
            Pass,
            "0.01 is not > 0.03",
        ),
        (
            "errs > 0.03 and reqs >= 20",
            &[("errs", 0.9), ("reqs", 25.0), ("reqs >= 20", 25.0)],
            Fail,
            "still 0.9 > 0.03",
        ),
        (
            "errs > 0.03 and a:lower_bound5m > 0.03 and reqs >= 20",
            &[("errs", 0.01), ("reqs", 25.0), ("reqs >= 20", 25.0), ("a:lower_bound5m", 0.001)],
            Pass,
            "0.01 is not > 0.03",
        ),
        (
            "errs > 0.03 and a:lower_bound5m > 0.03 and reqs >= 20",
            &[("errs", 0.05), ("reqs", 25.0), ("reqs >= 20", 25.0), ("a:lower_bound5m", 0.001)],
            Unknown,
            "0.05, but `a:lower_bound5m` is 0.001, > 0.03 is needed to judge",
        ),
        (
            "errs > 0.03 and a:lower_bound5m > 0.03 and reqs >= 20",
            &[("errs", 0.01), ("reqs", 3.0), ("a:lower_bound5m", 0.001)],
            Unknown,
            "0.01, but `reqs` is 3, >= 20 is needed to judge",
        ),
        (
            "errs > 0.03 and on () deployed",
            &[("errs", 0.01)],
            Unknown,
            "0.01, but `deployed` does not hold, and is needed to judge",
        ),
        (
            "errs > 0.03 unless maintenance",
            &[("errs", 0.9), ("maintenance", 1.0)],
            Unknown,
            "0.9, but `maintenance` holds, and while it does nothing can be judged",
        ),
        ("errs > 0.03 unless maintenance", &[("errs", 0.01)], Pass, "0.01 is not > 0.03"),
        ("canary > 2 * stable", &[("canary", 0.5)], Unknown, "`2 * stable` has no data to compare with"),
        (
            "canary > 2 * stable",
            &[("canary", 0.5), ("2 * stable", 0.2)],
            Fail,
            "still 0.5 > 0.2 (`2 * stable`)",
        ),
        (
            "canary > 2 * stable",
            &[("canary", 0.1), ("2 * stable", f64::NAN)],
            Unknown,
            "`2 * stable` is no number to compare with",
        ),
        ("a > 1 or b > 2", &[("a", 0.0), ("b", 3.0)], Fail, "still 3 > 2"),
        ("a > 1 or b > 2", &[("a", 0.0)], Unknown, "`b` has no data"),
        ("absent(up)", &[], Unknown, "its expression has no threshold to be below of: absent(up)"),
    ];
    for (expression, values, outcome, sentence) in cases {
        let mut source = Scripted::default().with_rule("Slow", expression, &[]);
        for (query, value) in values {
            source = source.with_value(query, &[], *value);
        }
        let expected = (outcome, format!("Slow: {sentence}"));
        assert_eq!(seen(&source, &[alert("Slow", &[])]).await, expected, "{expression} {values:?}");
    }
}

/// The rule's expression, what Prometheus has, and what is said once the canary's pods are gone.
#[tokio::test]
async fn what_has_no_data_since_the_canarys_pods_are_gone_is_left_out_and_nothing_else_is() {
    type Values<'a> = &'a [(&'a str, &'a str, f64)];
    let gone = "`errs` has no data any more, and the canary, which it was about, has no pods any more";
    let cases: [(&str, Values<'_>, CheckOutcome, &str); 9] = [
        ("errs > 0.03", &[], Gone, gone),
        ("errs > 0.03 and reqs >= 20", &[], Gone, gone),
        ("errs > 0.03 or late > 2", &[("late", "a", 0.0)], Gone, gone),
        ("errs > 0.03", &[("errs", "a", 0.9)], Fail, "still 0.9 > 0.03"),
        ("errs > 0.03", &[("errs", "a", 0.01)], Pass, "0.01 is not > 0.03"),
        ("errs > 0.03 or late > 2", &[("late", "a", 3.0)], Fail, "still 3 > 2"),
        ("errs > 0.03", &[("errs", "a", f64::NAN)], Unknown, "`errs` is no number: nothing was measured"),
        (
            "errs > 0.03",
            &[("errs", "b", 0.01)],
            Unknown,
            "`errs` has no data with this alert's labels (namespace is b there and a here)",
        ),
        (
            "0 < errs / gone",
            &[],
            Gone,
            "`errs / gone` has no data any more, and the canary, which it was about, has no pods any more",
        ),
    ];
    for (expression, values, outcome, sentence) in cases {
        let mut source = Scripted::default().with_rule("Slow", expression, &[]);
        for (query, namespace, value) in values {
            source = source.with_value(query, &[("namespace", *namespace)], *value);
        }
        let alerts = [alert("Slow", &[("namespace", "a")])];
        let check = expressions(&source, &alerts, Some(CanaryEnd::NoPods)).await;
        let expected = (outcome, format!("Slow: {sentence}"));
        assert_eq!((check.outcome, check.detail), expected, "{expression} {values:?}");
        let there = seen(&source, &alerts).await.0;
        let as_ever = if outcome == Gone { Unknown } else { outcome };
        assert_eq!(there, as_ever, "its pods are there: {expression} {values:?}");
    }
    let mut dead = Scripted::default().with_rule("Slow", "errs > 0.03", &[]);
    dead.dead = true;
    let alerts = [alert("Slow", &[])];
    assert_eq!(
        expressions(&dead, &alerts, Some(CanaryEnd::NoPods)).await.outcome,
        Unknown,
        "an error says nothing"
    );
    let check = expressions(&Scripted::default(), &alerts, Some(CanaryEnd::NoPods)).await;
    assert_eq!(check.outcome, Unknown, "a rule that is not there says nothing: {}", check.detail);
    let two = Scripted::default().with_rule("Slow", "errs > 0.03", &[]).with_rule("Late", "late > 2", &[]);
    let two = two.with_value("late", &[], 0.0);
    let check = expressions(&two, &[alert("Late", &[]), alert("Slow", &[])], Some(CanaryEnd::NoPods)).await;
    assert_eq!((check.outcome, check.detail), (Gone, format!("Slow: {gone}; Late: 0 is not > 2")));
}

#[tokio::test]
async fn one_applications_value_decides_nothing_about_another_that_shares_its_alerts_names() {
    let two_rules = Scripted::default()
        .with_rule("Slow", "a > 1", &[("rollout", "a"), ("severity", "notify")])
        .with_rule("Slow", "b > 1", &[("rollout", "b"), ("severity", "notify")])
        .with_value("a", &[], 0.5)
        .with_value("b", &[], 5.0);
    let of = |rollout| alert("Slow", &[("rollout", rollout), ("severity", "notify")]);
    assert_eq!(seen(&two_rules, &[of("a")]).await, (Pass, "Slow: 0.5 is not > 1".to_owned()));
    assert_eq!(seen(&two_rules, &[of("b")]).await, (Fail, "Slow: still 5 > 1".to_owned()));
    let rewritten = alert("Slow", &[("rollout", "a"), ("severity", "warning")]);
    let sentence = "Slow: 0.5 is not > 1 (severity is notify there and warning here)";
    assert_eq!(seen(&two_rules, &[rewritten]).await, (Pass, sentence.to_owned()));

    let one_rule = Scripted::default()
        .with_rule("Slow", "slow > 1", &[])
        .with_value("slow", &[("namespace", "a")], 0.5)
        .with_value("slow", &[("namespace", "b")], 5.0);
    let of = |namespace| alert("Slow", &[("namespace", namespace)]);
    assert_eq!(seen(&one_rule, &[of("a")]).await.0, Pass);
    assert_eq!(seen(&one_rule, &[of("b")]).await.0, Fail);
    let (outcome, sentence) = seen(&one_rule, &[of("c")]).await;
    let expected = "Slow: `slow` has no data with this alert's labels (namespace is a there and c here)";
    assert_eq!((outcome, sentence.as_str()), (Unknown, expected));

    let over_all = Scripted::default().with_rule("Slow", "slow > 1", &[]).with_value("slow", &[], 0.5);
    let expected = "Slow: 0.5 is not > 1 (whatever its namespace)";
    assert_eq!(seen(&over_all, &[of("a")]).await, (Pass, expected.to_owned()), "said, not hidden");
}

#[tokio::test]
async fn a_guard_and_a_baseline_are_those_of_the_same_series() {
    let source = Scripted::default()
        .with_rule("Slow", "slow > ignoring (track) base and on (pod) enough", &[])
        .with_value("slow", &[("pod", "1"), ("track", "canary")], 3.0)
        .with_value("slow", &[("pod", "2"), ("track", "canary")], 3.0)
        .with_value("base", &[("pod", "1"), ("track", "stable")], 1.0)
        .with_value("base", &[("pod", "2"), ("track", "stable")], 5.0)
        .with_value("enough", &[("pod", "2"), ("job", "j")], 1.0);
    let of = |pod| alert("Slow", &[("pod", pod), ("track", "canary")]);
    assert_eq!(seen(&source, &[of("1")]).await.0, Unknown, "not enough of pod 1");
    assert_eq!(seen(&source, &[of("2")]).await, (Pass, "Slow: 3 is not > 5 (`base`)".to_owned()));
}

#[tokio::test]
async fn every_alert_is_asked_about_each_rule_once_and_what_is_left_out_is_said() {
    let most = MAX_RULES;
    let mut source = Scripted::default();
    for number in 0..=most {
        let (name, metric) = (format!("A{number}"), format!("m{number}"));
        source = source.with_rule(&name, &format!("{metric} > 1"), &[]);
        let value = if number == most - 1 { 2.0 } else { 0.0 };
        source = source.with_value(&metric, &[], value);
    }
    let mut alerts: Vec<_> = (0..most).map(|number| alert(&format!("A{number}"), &[])).collect();
    alerts.push(alert("A0", &[("pod", "another")]));
    let (outcome, sentence) = seen(&source, &alerts).await;
    assert!(outcome == Fail && sentence.starts_with(&format!("A{}: still 2 > 1", most - 1)), "{sentence}");
    assert_eq!(source.asked.lock().expect("no panic").len(), most, "what they share is asked once");

    alerts.remove(most - 1);
    alerts.push(alert("A1", &[("pod", "another")]));
    assert_eq!(seen(&source, &alerts).await.0, Pass);
    alerts.extend([alert(&format!("A{}", most - 1), &[]), alert(&format!("A{most}"), &[])]);
    alerts.retain(|alert| alert.name() != format!("A{}", most - 1));
    alerts.push(alert("B", &[]));
    let rules = (0..2).map(|number| format!("C{number}")).collect::<Vec<_>>();
    for name in &rules {
        source = source.with_rule(name, "m0 > 1", &[]);
        alerts.push(alert(name, &[]));
    }
    let (outcome, sentence) = seen(&source, &alerts).await;
    let said = format!("2 of {} alerts were not asked about", alerts.len());
    assert!(outcome == Unknown && sentence.contains(&said), "{sentence}");
}

#[tokio::test]
async fn a_prometheus_that_is_gone_is_not_waited_for_again_and_again() {
    let mut source = Scripted::default().with_rule("A", "a > 1", &[]).with_rule("B", "b > 1", &[]);
    source.dead = true;
    let (outcome, sentence) = seen(&source, &[alert("A", &[]), alert("B", &[])]).await;
    assert_eq!((outcome, sentence.as_str()), (Unknown, "A: timed out; B: timed out"));
    assert_eq!(source.asked.lock().expect("no panic").as_slice(), ["a"]);
}

#[tokio::test]
async fn an_alert_without_a_rule_is_unknown() {
    let expected = "Slow: Prometheus has no rule of this name".to_owned();
    assert_eq!(seen(&Scripted::default(), &[alert("Slow", &[])]).await, (Unknown, expected));
}

#[tokio::test]
async fn a_storms_detail_is_cut_after_twenty_sentences_and_says_how_many_are_left_out() {
    let said = async |alerts: usize| {
        let alerts: Vec<_> = (0..alerts).map(|number| alert(&format!("A{number}"), &[])).collect();
        seen(&Scripted::default(), &alerts).await.1
    };
    for (alerts, end) in [(MAX_SENTENCES + 1, "; and 1 more"), (MAX_SENTENCES + 7, "; and 7 more")] {
        let sentence = said(alerts).await;
        assert!(sentence.ends_with(end), "{alerts}: {sentence}");
        assert_eq!(sentence.matches("no rule").count(), MAX_SENTENCES);
    }
    let sentence = said(MAX_SENTENCES).await;
    assert!(!sentence.contains("more"), "all are there: {sentence}");
}

/// A rate divided by the number of requests, once there are none: their counter is still there, and stands still.
#[tokio::test]
async fn without_requests_what_is_no_number_is_left_out_too_and_what_is_one_counts_as_ever() {
    let gone = "`errs` is no number: nothing was measured, and the canary, which it was about, gets no requests any more";
    let cases: [(&[f64], CheckOutcome, &str); 4] = [
        (&[f64::NAN], Gone, gone),
        (
            &[],
            Gone,
            "`errs` has no data any more, and the canary, which it was about, gets no requests any more",
        ),
        (&[0.9], Fail, "still 0.9 > 0.03"),
        (&[0.01], Pass, "0.01 is not > 0.03"),
    ];
    for (values, outcome, sentence) in cases {
        let source = Scripted::default().with_rule("Slow", "errs > 0.03", &[]);
        let source = values.iter().fold(source, |source, value| source.with_value("errs", &[], *value));
        let check = expressions(&source, &[alert("Slow", &[])], Some(CanaryEnd::NoRequests)).await;
        assert_eq!((check.outcome, check.detail), (outcome, format!("Slow: {sentence}")), "{values:?}");
    }
}
