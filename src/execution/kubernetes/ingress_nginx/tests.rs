//! Annotations as people write them, and what the controller makes of them.

use serde_json::{Value, json};

use super::*;

const STABLE: &str = "api-stable";

/// `x` stands for `nginx.ingress.kubernetes.io`.
fn ingress(annotations: &[(&str, &str)], backends: &[&str]) -> Value {
    let annotations: Map<_, _> = annotations
        .iter()
        .map(|(name, value)| (name.replace("x/", "nginx.ingress.kubernetes.io/"), json!(value)))
        .collect();
    let paths: Vec<_> = backends
        .iter()
        .map(|name| json!({ "path": "/", "pathType": "Prefix", "backend": { "service": { "name": name, "port": { "number": 80 } } } }))
        .collect();
    json!({
        "metadata": { "name": "api", "resourceVersion": "7", "annotations": annotations },
        "spec": { "rules": [{ "host": "api.test", "http": { "paths": paths } }] },
    })
}

fn canary(annotations: &[(&str, &str)]) -> Value {
    ingress(&[&[("x/canary", "true")], annotations].concat(), &["api-canary"])
}

fn router() -> IngressNginx {
    IngressNginx::new("spark", "api", STABLE)
}

fn routed(object: &Value) -> Route {
    router().route(object).expect("an Ingress")
}

#[test]
fn the_weight_is_the_share_as_the_controller_counts_it() {
    for (annotations, share) in [
        (&[("x/canary-weight", "25")] as &[_], 25),
        (&[("x/canary-weight", "0")], 0),
        (&[("x/canary-weight", "+5")], 5),
        (&[("x/canary-weight", "100")], 100),
        (&[("x/canary-weight", "300")], 100),
        (&[("x/canary-weight", "-1")], 0),
        // Missing, empty or no number: 0.
        (&[], 0),
        (&[("x/canary-weight", "")], 0),
        (&[("x/canary-weight", "25%")], 0),
        (&[("x/canary-weight", " 25")], 0),
        (&[("x/canary-weight", "2.5")], 0),
        (&[("x/canary-weight", "25"), ("x/canary-weight-total", "1000")], 3),
        (&[("x/canary-weight", "1"), ("x/canary-weight-total", "100000")], 1),
        (&[("x/canary-weight", "999"), ("x/canary-weight-total", "1000")], 100),
        // Less than 100 is taken for 100.
        (&[("x/canary-weight", "5"), ("x/canary-weight-total", "10")], 5),
        (&[("x/canary-weight", "5"), ("x/canary-weight-total", "many")], 5),
    ] {
        let route = routed(&canary(annotations));
        assert_eq!(route, Route::of_share(Share(share)), "{annotations:?}");
    }
}

#[test]
fn header_and_cookie_rules_lead_to_the_canary_whatever_its_weight() {
    let name = |short: &str| format!("nginx.ingress.kubernetes.io/{short}");
    for (annotations, expected) in [
        (&[("x/canary-by-header", "X-Canary")] as &[_], vec![name("canary-by-header")]),
        (
            &[("x/canary-by-header", "X-Canary"), ("x/canary-by-header-value", "yes")],
            vec![name("canary-by-header"), name("canary-by-header-value")],
        ),
        (
            &[("x/canary-by-header", "X-Canary"), ("x/canary-by-header-pattern", "^y")],
            vec![name("canary-by-header"), name("canary-by-header-pattern")],
        ),
        (&[("x/canary-by-cookie", "canary")], vec![name("canary-by-cookie")]),
        // Of no header, or of an empty name: no rule.
        (&[("x/canary-by-header-value", "yes")], vec![]),
        (&[("x/canary-by-header", "")], vec![]),
    ] {
        let route = routed(&canary(annotations));
        assert_eq!(
            (route.bypasses.clone(), route.is_off()),
            (expected.clone(), expected.is_empty()),
            "{annotations:?}"
        );
    }
}

#[test]
fn without_canary_true_the_weight_means_nothing_and_only_the_backend_counts() {
    let weight = ("x/canary-weight", "0");
    for canary in ["false", "", "yes", "TrUe"] {
        let of = |backends: &[&str]| routed(&ingress(&[("x/canary", canary), weight], backends));
        assert_eq!(of(&[STABLE, STABLE]), Route::of_share(Share::ZERO));
        for backends in [&["api-canary"] as &[_], &[STABLE, "api-canary"], &[]] {
            let route = of(backends);
            let obstacle = route.obstacle.expect("an explanation");
            assert_eq!(route.share, Share::ALL);
            assert!(obstacle.contains("Ingress api") && obstacle.contains(STABLE), "{obstacle}");
            assert_eq!(obstacle.contains("goes to api-canary"), !backends.is_empty(), "{obstacle}");
        }
    }
    for canary in ["true", "True", "TRUE", "t", "T", "1"] {
        let route = routed(&ingress(&[("x/canary", canary), ("x/canary-weight", "9")], &["api-canary"]));
        assert_eq!((route.share, route.obstacle), (Share(9), None), "{canary}");
    }
    // A default backend leads there, too.
    let mut object = ingress(&[], &[STABLE]);
    object["spec"]["defaultBackend"] = json!({ "service": { "name": "api-canary" } });
    assert!(routed(&object).obstacle.is_some());
}

#[test]
fn taking_traffic_off_sets_weight_0_and_removes_each_rule_in_one_patch_with_the_version_that_was_read() {
    let all = [
        ("x/canary-weight", "25"),
        ("x/canary-by-header", "X-Canary"),
        ("x/canary-by-header-value", "yes"),
        ("x/canary-by-header-pattern", "^y"),
        ("x/canary-by-cookie", "c"),
    ];
    let change = router().with_share(&canary(&all), Share::ZERO).expect("an Ingress").expect("a change");
    let Send::MergePatch(patch) = change.send else { panic!("a merge patch") };
    assert_eq!(
        patch,
        json!({ "metadata": { "resourceVersion": "7", "annotations": {
            WEIGHT: "0", HEADER: null, HEADER_VALUE: null, HEADER_PATTERN: null, COOKIE: null,
        } } })
    );
    let words = "canary-weight 25 -> 0, removed nginx.ingress.kubernetes.io/canary-by-header: \"X-Canary\"";
    assert!(change.words.starts_with(words), "{}", change.words);
}

#[test]
fn a_share_is_only_ever_lowered_and_in_the_units_of_the_total() {
    for (annotations, share, expected) in [
        (&[("x/canary-weight", "50")] as &[_], 34, Some("34")),
        (&[("x/canary-weight", "50"), ("x/canary-weight-total", "1000")], 4, Some("40")),
        (&[("x/canary-weight", "990"), ("x/canary-weight-total", "999")], 34, Some("339")),
        (&[("x/canary-weight", "5"), ("x/canary-weight-total", "10")], 3, Some("3")),
        // It is so, or lower, already.
        (&[("x/canary-weight", "25")], 34, None),
        (&[("x/canary-weight", "34")], 34, None),
        (&[("x/canary-weight", "0")], 0, None),
        (&[], 0, None),
        (&[("x/canary-weight", "x")], 0, None),
        // What leads there by a rule stays while traffic may be there, and goes with it.
        (&[("x/canary-weight", "20"), ("x/canary-by-cookie", "c")], 34, None),
    ] {
        let change = router().with_share(&canary(annotations), Share(share)).expect("an Ingress");
        let weight = change.map(|change| match change.send {
            Send::MergePatch(patch) => patch["metadata"]["annotations"][WEIGHT].clone(),
            Send::Replace(_) => panic!("a merge patch"),
        });
        assert_eq!(weight, expected.map(Value::from), "{annotations:?} to {share}");
    }
    // What has no effect goes, too: it would have one once somebody adds the rest.
    let change = router().with_share(&canary(&[("x/canary-by-header-value", "yes")]), Share::ZERO);
    assert!(change.expect("an Ingress").is_some());
    // Not a canary: a weight would be ignored.
    let change = router().with_share(&ingress(&[("x/canary-weight", "5")], &["api-canary"]), Share::ZERO);
    assert_eq!(change.expect("an Ingress"), None);
}

#[test]
fn whatever_its_annotations_a_patched_ingress_has_at_most_the_share_that_was_asked_for() {
    bolero::check!().with_iterations(2_000).with_type::<(i32, i32, u8, bool)>().for_each(
        |(weight, total, share, with_cookie)| {
            let share = Share(share % 101);
            let (weight, total) = (weight.to_string(), total.to_string());
            let mut given =
                vec![("x/canary-weight", weight.as_str()), ("x/canary-weight-total", total.as_str())];
            given.extend(with_cookie.then_some(("x/canary-by-cookie", "c")));
            let mut object = canary(&given);
            if let Some(change) = router().with_share(&object, share).expect("an Ingress") {
                let Send::MergePatch(patch) = change.send else { panic!("a merge patch") };
                let annotations = object["metadata"]["annotations"].as_object_mut().expect("annotations");
                for (name, value) in patch["metadata"]["annotations"].as_object().expect("annotations") {
                    annotations.remove(name);
                    if !value.is_null() {
                        annotations.insert(name.clone(), value.clone());
                    }
                }
            }
            let route = routed(&object);
            assert!(route.share <= share, "{route:?} for {share}");
            assert!(share != Share::ZERO || route.is_off(), "{route:?}");
        },
    );
}

#[test]
fn a_ramp_sets_just_its_share_in_the_units_of_the_weight_and_leaves_all_else() {
    for (annotations, share, weight) in [
        (&[("x/canary-weight", "1")] as &[_], 5, Some("5")),
        (&[("x/canary-weight", "50")], 25, Some("25")),
        (&[("x/canary-weight", "25")], 25, None),
        (&[], 1, Some("1")),
        (&[("x/canary-weight", "10"), ("x/canary-weight-total", "1000")], 25, Some("250")),
        (&[("x/canary-weight", "1"), ("x/canary-by-cookie", "c")], 100, Some("100")),
    ] {
        let change = router().with_exactly(&canary(annotations), Share(share)).expect("an Ingress");
        let expected = weight.map(|weight| {
            let annotations = json!({ WEIGHT: weight });
            json!({ "metadata": { "resourceVersion": "7", "annotations": annotations } })
        });
        let sent = change.map(|change| change.send);
        assert_eq!(sent, expected.map(Send::MergePatch), "{annotations:?} to {share}");
    }
    let plain = ingress(&[("x/canary-weight", "5")], &[STABLE]);
    assert_eq!(router().with_exactly(&plain, Share(5)), Ok(None), "it divides nothing");
}

#[test]
fn every_share_that_is_set_is_read_back_as_set() {
    for total in ["100", "101", "130", "250", "999", "1000", "100000"] {
        for share in 0..=100 {
            let object = canary(&[("x/canary-weight", "3"), ("x/canary-weight-total", total)]);
            let Some(change) = router().with_exactly(&object, Share(share)).expect("an Ingress") else {
                continue;
            };
            let Send::MergePatch(patch) = change.send else { panic!("a merge patch") };
            let weight = patch["metadata"]["annotations"][WEIGHT].as_str().expect("a weight");
            let set = canary(&[("x/canary-weight", weight), ("x/canary-weight-total", total)]);
            assert_eq!(routed(&set).share, Share(share), "of {total}");
        }
    }
}
