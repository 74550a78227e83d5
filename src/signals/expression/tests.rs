use super::*;

fn vector(query: &str) -> Side {
    Side::Vector(query.to_owned())
}

fn one(expression: &str) -> Condition {
    let mut found = conditions(expression).expect("understood");
    assert_eq!(found.len(), 1, "{expression}");
    found.remove(0)
}

#[test]
fn a_comparison_is_taken_apart_through_parentheses_and_guards() {
    for (expression, left, comparison, right, guards) in [
        ("up > 0", vector("up"), Comparison::Greater, Side::Literal(0.0), &[][..]),
        (
            "(sum(rate(a[5m])) / sum(rate(b[5m]))) > 0.03 and sum(increase(b[5m])) >= 20",
            vector("sum(rate(a[5m])) / sum(rate(b[5m]))"),
            Comparison::Greater,
            Side::Literal(0.03),
            &[(true, "sum(increase(b[5m])) >= 20")],
        ),
        (
            "((up == 5)) unless on(job) down",
            vector("up"),
            Comparison::Equal,
            Side::Literal(5.0),
            &[(false, "down")],
        ),
        ("canary > 2 * stable", vector("canary"), Comparison::Greater, vector("2 * stable"), &[]),
        ("0.03 < errs", vector("errs"), Comparison::Greater, Side::Literal(0.03), &[]),
        ("vector(0.03) < gone", vector("vector(0.03)"), Comparison::Less, vector("gone"), &[]),
        ("vector(1) < on() group_right many", vector("many"), Comparison::Greater, vector("vector(1)"), &[]),
        ("a >= scalar(b)", vector("a"), Comparison::GreaterOrEqual, Side::Scalar("scalar(b)".into()), &[]),
    ] {
        let found = one(expression);
        assert_eq!((&found.left, found.comparison, &found.right), (&left, comparison, &right));
        let found: Vec<_> =
            found.guards.iter().map(|guard| (guard.must_hold, guard.query.as_str())).collect();
        assert_eq!(found, guards, "{expression}");
    }
    assert_eq!(one("a > 1 unless on(job) b").guards[0].matching, Matching::On(vec!["job".to_owned()]));
    let parts = one("a > 1 and b >= 20").guards[0].parts.clone().expect("taken apart");
    assert_eq!((parts.left, parts.right), (vector("b"), Side::Literal(20.0)));
    let alternatives = conditions("a > 1 or (b > 2 and c > 3)").expect("understood");
    assert_eq!(alternatives.iter().map(|one| one.guards.len()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_has_nothing_to_compare_or_always_returns_something_is_not_understood() {
    for expression in ["vector(1)", "absent(up)", "a > bool 1", "a + 1", "a > 1 or absent(a)"] {
        let error = conditions(expression).expect_err("no threshold");
        assert!(matches!(error, NotUnderstood::NoThreshold(_)), "{expression}: {error}");
    }
    assert!(matches!(conditions("up > 120 for 3m"), Err(NotUnderstood::Unparsed(_))));
    let many = vec!["a > 1"; MAX_CONDITIONS + 1].join(" or ");
    assert_eq!(conditions(&many), Err(NotUnderstood::TooMany));
}

#[test]
fn elements_belong_together_by_their_labels_without_the_metrics_name() {
    let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let (one, other) = (
        labels(&[("__name__", "a"), ("pod", "1"), ("job", "j")]),
        labels(&[("__name__", "b"), ("pod", "1"), ("job", "k")]),
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert!(!Matching::Ignoring(Vec::new()).pairs(&one, &other));
    assert!(Matching::Ignoring(names(&["job"])).pairs(&one, &other));
    assert!(Matching::On(names(&["pod"])).pairs(&one, &other));
    assert!(!Matching::On(names(&["pod", "job"])).pairs(&one, &other));
    assert!(Matching::On(Vec::new()).pairs(&one, &other));
}
