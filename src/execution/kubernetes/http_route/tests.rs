//! Rules and weights as people write them.

use serde_json::json;

use super::*;

fn router() -> HttpRoute {
    HttpRoute::new("spark", "api", "stable", "canary")
}

fn backend(name: &str, weight: Option<u64>) -> Value {
    let mut backend = json!({ "name": name, "port": if name == "canary" { 8081 } else { 8080 } });
    if let Some(weight) = weight {
        backend["weight"] = json!(weight);
    }
    backend
}

fn rule(backends: &[(&str, Option<u64>)]) -> Value {
    let backends: Vec<_> = backends.iter().map(|(name, weight)| backend(name, *weight)).collect();
    json!({ "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }], "backendRefs": backends })
}

fn for_header(mut rule: Value) -> Value {
    rule["matches"] = json!([{ "headers": [{ "name": "x-canary", "value": "yes" }] }]);
    rule
}

/// One that a gateway has accepted.
fn route(rules: &[Value]) -> Value {
    json!({
        "metadata": { "name": "api", "resourceVersion": "7", "generation": 2 },
        "spec": { "parentRefs": [{ "name": "edge" }], "rules": rules },
        "status": { "parents": [{ "parentRef": { "name": "edge" }, "conditions": [
            { "type": "ResolvedRefs", "status": "False", "observedGeneration": 1 },
            { "type": "Accepted", "status": "True", "observedGeneration": 2 },
        ] }] },
    })
}

fn read(rules: &[Value]) -> (u8, Vec<String>, bool) {
    let route = router().route(&route(rules)).expect("an HTTPRoute");
    (route.share.0, route.bypasses, route.obstacle.is_some())
}

#[test]
fn a_rules_weights_are_the_share_and_the_highest_rule_counts() {
    for (rules, share) in [
        (vec![rule(&[("stable", Some(75)), ("canary", Some(25))])], 25),
        (vec![rule(&[("stable", Some(100)), ("canary", Some(0))])], 0),
        (vec![rule(&[("stable", Some(9)), ("canary", Some(1))])], 10),
        (vec![rule(&[("stable", Some(999)), ("canary", Some(1))])], 1),
        (vec![rule(&[("stable", None), ("canary", None)])], 50),
        (vec![rule(&[("stable", Some(3)), ("canary", None)])], 25),
        // An only backend gets all of it, whatever its weight.
        (vec![rule(&[("canary", Some(5))])], 100),
        (vec![rule(&[("canary", Some(0))])], 100),
        (vec![rule(&[("stable", Some(0))])], 0),
        // No weight at all: everybody is answered 500.
        (vec![rule(&[("stable", Some(0)), ("canary", Some(0))])], 100),
        (vec![rule(&[("stable", Some(50)), ("canary", Some(25)), ("other", Some(25))])], 25),
        (vec![rule(&[("canary", Some(10)), ("other", Some(30))])], 25),
        (
            vec![
                rule(&[("stable", Some(1))]),
                rule(&[("stable", Some(95)), ("canary", Some(5))]),
                rule(&[("stable", Some(50)), ("canary", Some(50))]),
            ],
            50,
        ),
        (vec![rule(&[("stable", None)]), rule(&[("other", None)]), json!({ "filters": [] })], 0),
    ] {
        assert_eq!(read(&rules), (share, vec![], false), "{rules:?}");
    }
}

#[test]
fn a_rule_for_a_header_that_leads_to_the_canary_alone_is_a_bypass_by_its_name() {
    let main = rule(&[("stable", Some(1)), ("canary", Some(0))]);
    let alone = for_header(rule(&[("canary", None)]));
    assert_eq!(
        read(&[alone.clone(), main.clone()]),
        (0, vec!["spec.rules[0] (header x-canary)".to_owned()], false)
    );
    let mut named = alone.clone();
    named["name"] = json!("testers");
    named["matches"] =
        json!([{ "queryParams": [{ "name": "beta", "value": "1" }], "path": { "value": "/" } }]);
    assert_eq!(
        read(&[main.clone(), named]),
        (0, vec!["rule testers (query parameter beta)".to_owned()], false)
    );
    // As some tools write it: both, but all for the canary.
    let weighted = for_header(rule(&[("stable", Some(0)), ("canary", Some(100))]));
    assert_eq!(read(&[weighted, main.clone()]).1.len(), 1);
    // One of its matches is for anybody.
    let mut anybody = alone;
    anybody["matches"].as_array_mut().expect("matches").push(json!({ "path": { "value": "/" } }));
    assert_eq!(read(&[anybody, main]), (100, vec![], false));
}

#[test]
fn only_services_of_the_namespace_are_meant() {
    for (key, value, share) in [
        ("kind", "Service", 50),
        ("group", "", 50),
        ("namespace", "spark", 50),
        ("kind", "Bucket", 0),
        ("group", "example.test", 0),
        ("namespace", "elsewhere", 0),
    ] {
        let mut rules = [rule(&[("stable", None), ("canary", None)])];
        rules[0]["backendRefs"][1][key] = json!(value);
        assert_eq!(read(&rules).0, share, "{key} {value}");
    }
    assert_eq!(read(&[rule(&[("other", None)])]), (100, vec![], true), "neither is named");
    assert_eq!(read(&[]), (100, vec![], true), "no rule");
}

#[test]
fn weights_count_once_every_gateway_has_taken_them_over() {
    let rules = [rule(&[("stable", Some(1)), ("canary", Some(0))])];
    let accepted = |name: &str, status: &str, generation: u64| json!({ "parentRef": { "name": name }, "conditions": [{ "type": "Accepted", "status": status, "observedGeneration": generation, "message": "no listener" }] });
    for (parents, is_off, obstacle) in [
        (vec![accepted("edge", "True", 2)], true, false),
        (vec![accepted("edge", "True", 3)], true, false),
        (vec![accepted("edge", "True", 1)], false, false),
        (vec![accepted("edge", "True", 2), accepted("inside", "True", 1)], false, false),
        (vec![accepted("edge", "False", 2)], true, true),
        (vec![accepted("edge", "False", 1)], false, false),
        (vec![accepted("edge", "True", 2), accepted("inside", "False", 2)], true, false),
        (vec![json!({ "parentRef": { "name": "edge" }, "conditions": [] })], false, false),
        (vec![], false, false),
    ] {
        let mut object = route(&rules);
        object["status"]["parents"] = json!(parents);
        let route = router().route(&object).expect("an HTTPRoute");
        assert_eq!((route.is_off(), route.obstacle.is_some()), (is_off, obstacle), "{parents:?}: {route:?}");
    }
}

fn changed(rules: &[Value], share: u8) -> Option<Value> {
    let change = router().with_share(&route(rules), Share(share)).expect("an HTTPRoute")?;
    let Send::Replace(object) = change.send else { panic!("the whole object") };
    assert_eq!(object["metadata"]["resourceVersion"], "7", "nobody's change is lost");
    Some(object["spec"]["rules"].clone())
}

#[test]
fn stable_gets_the_rest_in_every_rule_that_names_both() {
    let both = |stable, canary| rule(&[("stable", Some(stable)), ("canary", Some(canary))]);
    for (given, share, expected) in [
        (vec![both(75, 25)], 0, Some(vec![both(100, 0)])),
        (vec![both(0, 100)], 34, Some(vec![both(66, 34)])),
        (
            vec![both(1, 1), both(99, 1), rule(&[("other", None)])],
            34,
            Some(vec![both(66, 34), both(99, 1), rule(&[("other", None)])]),
        ),
        (vec![both(0, 0)], 0, Some(vec![both(100, 0)])),
        (vec![both(100, 0)], 0, None),
        (vec![both(75, 25)], 34, None),
        (vec![rule(&[("stable", None)])], 0, None),
        // Somebody else's weight stays as it is.
        (
            vec![rule(&[("stable", Some(20)), ("canary", Some(60)), ("other", Some(20))])],
            34,
            Some(vec![rule(&[("stable", Some(46)), ("canary", Some(34)), ("other", Some(20))])]),
        ),
        (
            vec![rule(&[("canary", Some(40)), ("stable", Some(20)), ("canary", Some(40))])],
            10,
            Some(vec![rule(&[("canary", Some(10)), ("stable", Some(90)), ("canary", Some(0))])]),
        ),
    ] {
        assert_eq!(changed(&given, share), expected.map(Value::from), "{given:?} to {share}");
    }
}

#[test]
fn a_rule_that_leads_to_the_canary_alone_leads_to_stable_afterwards_by_stables_own_port() {
    let main = rule(&[("stable", Some(100)), ("canary", Some(0))]);
    let header = for_header(rule(&[("canary", Some(0))]));
    let mut filtered = header.clone();
    filtered["backendRefs"][0]["filters"] = json!([{ "type": "RequestHeaderModifier" }]);
    let rules = changed(&[main.clone(), filtered], 0).expect("a change");
    assert_eq!(
        rules[1]["backendRefs"],
        json!([{ "name": "stable", "port": 8080, "filters": [{ "type": "RequestHeaderModifier" }] }])
    );
    assert_eq!(rules[0], main);
    // While some traffic may stay on the canary, so may those who ask for it.
    assert_eq!(changed(&[main, header], 34), None);
    // A rule for everybody is divided, and its own port is the best guess where stable is named nowhere.
    let alone = rule(&[("canary", None)]);
    let expected = json!([{ "name": "canary", "port": 8081, "weight": 34 }, { "name": "stable", "port": 8081, "weight": 66 }]);
    assert_eq!(changed(&[alone], 34).expect("a change")[0]["backendRefs"], expected);
    let with_other = rule(&[("canary", Some(30)), ("other", Some(70))]);
    let rules = changed(&[rule(&[("stable", None)]), with_other], 0).expect("a change");
    assert_eq!(rules[1], rule(&[("stable", Some(30)), ("other", Some(70))]));
}

#[test]
fn whatever_the_weights_a_replaced_route_has_at_most_the_share_and_a_second_time_changes_nothing() {
    bolero::check!().with_iterations(2_000).with_type::<(Vec<Vec<(u8, Option<u16>)>>, u8, bool)>().for_each(
        |(given, share, header)| {
            let share = Share(share % 101);
            let name = |which: &u8| ["stable", "canary", "other"][usize::from(which % 3)];
            let mut rules: Vec<_> = given
                .iter()
                .take(4)
                .map(|backends| {
                    let backends: Vec<_> = backends
                        .iter()
                        .take(5)
                        .map(|(which, weight)| (name(which), weight.map(u64::from)))
                        .collect();
                    rule(&backends)
                })
                .collect();
            if let Some(first) = rules.first_mut().filter(|_| *header) {
                *first = for_header(first.clone());
            }
            let before = router().route(&route(&rules)).expect("an HTTPRoute");
            let after = changed(&rules, share.0)
                .map_or(rules.clone(), |rules| rules.as_array().expect("rules").clone());
            let read = router().route(&route(&after)).expect("an HTTPRoute");
            if before.obstacle.is_none() {
                assert!(read.share <= share, "{read:?} for {share}: {rules:?} -> {after:?}");
                assert!(share != Share::ZERO || read.is_off(), "{read:?}: {rules:?} -> {after:?}");
            }
            assert_eq!(changed(&after, share.0), None, "{rules:?} -> {after:?}");
        },
    );
}

#[test]
fn a_ramp_sets_just_its_share_in_every_rule_that_divides_between_both() {
    let rules = [
        rule(&[("stable", Some(99)), ("canary", Some(1))]),
        rule(&[("stable", Some(1))]),
        for_header(rule(&[("canary", None)])),
        rule(&[("stable", Some(40)), ("canary", Some(10)), ("other", Some(50))]),
    ];
    let changed = router().with_exactly(&route(&rules), Share(25)).expect("an HTTPRoute").expect("a change");
    let Send::Replace(object) = changed.send else { panic!("the whole object") };
    let weights = |rule: usize| {
        let backends = object["spec"]["rules"][rule]["backendRefs"].as_array().expect("backends").iter();
        backends.map(|one| one["weight"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(weights(0), [Some(75), Some(25)]);
    assert_eq!(weights(1), [Some(1)], "nothing to divide");
    assert_eq!(weights(2), [None], "testers keep their way");
    assert_eq!(weights(3), [Some(25), Some(25), Some(50)]);
    assert_eq!(router().with_exactly(&object, Share(25)), Ok(None), "it is so already");
    assert_eq!(read(object["spec"]["rules"].as_array().expect("rules")).0, 25);
    let all = router().with_exactly(&object, Share(100)).expect("an HTTPRoute").expect("a change");
    let Send::Replace(all) = all.send else { panic!("the whole object") };
    assert_eq!(read(all["spec"]["rules"].as_array().expect("rules")).0, 100);
}
