//! Stable's endpoints by the names of their slices, and by a list where that does not do.

use super::*;

/// Which of both was asked, in order, since so many reads.
fn asked(fake: &Fake, since: usize) -> Vec<&'static str> {
    let paths = fake.asked("GET").into_iter().skip(since).map(|(path, _)| path);
    let of_slices = paths.filter(|path| path.contains(SLICES));
    of_slices.map(|path| if path.contains("labelSelector") { "list" } else { "name" }).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_asks_for_the_slices_of_the_last_list_by_name() {
    let fake = Fake::new(3);
    let mut serving = JoinSet::new();
    let target = fake.target(&mut serving);
    target.apply(OFF).await.expect("done");
    assert_eq!(asked(&fake, 0), ["list"], "no name is known yet");

    fake.put(INGRESS, ingress("25"));
    let before = fake.asked("GET").len();
    target.apply(OFF).await.expect("done");
    assert_eq!((asked(&fake, before), fake.get(INGRESS, WEIGHT)), (vec!["name"], json!("0")));
}

#[tokio::test(start_paused = true)]
async fn what_is_found_by_name_and_does_not_suffice_is_looked_for_in_the_list() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut slices = slices(3);
        change(&mut slices["items"]);
        slices
    };
    let named = |name: &str| with(&|items| items[0]["metadata"]["name"] = json!(name));
    let of_another = |ready: usize| {
        let mut slices = slices(ready);
        slices["items"][0]["metadata"]["labels"]["kubernetes.io/service-name"] = json!("canary");
        slices
    };
    let cases: [(&str, Option<Value>, Option<Fault>, bool); 6] = [
        ("it is gone, and another has them", Some(named("stable-other")), None, true),
        (
            "pods that are ready are in another",
            Some(with(&|items| {
                let mut other = items[0].clone();
                other["metadata"]["name"] = json!("stable-other");
                items[0]["endpoints"] = json!([]);
                items.as_array_mut().expect("a list").push(other);
            })),
            None,
            true,
        ),
        ("its name is one of another Service", Some(of_another(3)), None, true),
        ("no right to it", None, Some(Fault::Status(403)), true),
        ("no answer", None, Some(Fault::Hang), true),
        ("nobody is ready", Some(slices(0)), None, false),
    ];
    for (case, now, fault, moves) in cases {
        let fake = Fake::new(3);
        let mut serving = JoinSet::new();
        let target = fake.target(&mut serving);
        target.observe().await.expect("observed");
        tokio::time::advance(Duration::from_secs(1)).await;
        if let Some(now) = now {
            fake.put(SLICES, now);
        }
        if let Some(fault) = fault {
            fake.fail("GET", SLICE, fault, 1);
        }
        let before = fake.asked("GET").len();
        let applied = target.apply(OFF).await;
        assert_eq!(
            (asked(&fake, before), applied.is_ok()),
            (vec!["name", "list"], moves),
            "{case}: {applied:?}"
        );
    }
}
