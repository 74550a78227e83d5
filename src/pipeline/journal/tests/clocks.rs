//! Clocks that are set, and clocks that differ.

use chrono::TimeDelta;

use super::scene::{Scene, firing, name, seconds, start};
use crate::decision::Input;
use crate::pipeline::journal::Submission;

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_is_recorded_before_anything_is_decided_by_it() {
    let scene = Scene::new().await;
    assert!(scene.webhook("Warning", "warning").await.expect("answered").expect("taken").durable);
    scene.clock.step(TimeDelta::hours(2));
    assert!(scene.webhook("Another", "warning").await.expect("answered").expect("taken").durable);
    let names = scene.store.names();
    let place = |wanted: &str| names.iter().rposition(|name| *name == wanted);
    assert!(
        place("clock_stepped").is_some() && place("clock_stepped") < place("alert_attached"),
        "{names:?}"
    );
    let incident = scene.journal.states()[&name()].incident.clone().expect("an incident");
    assert_eq!(incident.grace_ends_at, Some(start() + TimeDelta::hours(2) + TimeDelta::minutes(5)));
    let stepped = || scene.store.names().iter().filter(|name| **name == "clock_stepped").count();
    seconds(10.0).await;
    assert!(scene.webhook("Third", "warning").await.expect("answered").expect("taken").durable);
    assert_eq!(stepped(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sender_whose_clock_is_behind_does_not_end_a_grace_early() {
    let behind = TimeDelta::minutes(3);
    for (theirs, grace_ends_at) in [
        (start(), start() - behind + TimeDelta::minutes(5)),
        (start() - behind, start() + TimeDelta::minutes(5)),
    ] {
        let scene = Scene::new().await;
        scene.observed.clock_of("alertmanager", theirs, start());
        let Input::Alert { mut alert, body } = firing("Warning", "warning") else { unreachable!("it fires") };
        alert.starts_at = start() - behind;
        let inputs = vec![(name(), Input::Alert { alert, body })];
        let taken = scene.journal.submit(Submission { inputs, blobs: Vec::new() }).await.expect("taken");
        assert!(taken.durable);
        let incident = scene.journal.states()[&name()].incident.clone().expect("an incident");
        assert_eq!(incident.grace_ends_at, Some(grace_ends_at), "it is {theirs} there");
    }
}
