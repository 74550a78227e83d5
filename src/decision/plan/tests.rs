use super::*;
use crate::incident::{Autoscaler, Owner, Revision};

fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn plan() -> Plan {
    Plan {
        goals: vec![
            Goal::StableReplicas { at_least: 3 },
            Goal::ShiftTraffic { replicas: 3, all_after_seconds: 30 },
            Goal::CanaryDown { drain_seconds: 5, replicas: 3 },
        ],
    }
}

/// The canary's share, the stable version's wanted replicas and ready endpoints, the canary's replicas.
fn seen(share: u8, wanted: u16, ready: u16, canary: u16) -> Observation {
    let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
    Observation {
        workloads: Some(Workloads { stable: pods(wanted, ready), canary: pods(canary, canary) }),
        revision: Some(Revision::new("v1.4.0")),
        ..Observation::of_share(Share(share))
    }
}

fn next_of(plan: &Plan, progress: Progress, observed: Option<&Observation>, seconds: i64) -> Next {
    let now = after(seconds);
    let observed = observed.map(|seen| (now, seen));
    next_step(Standing { plan, since: start(), progress, observed, may_raise: true }, now)
}

fn wait(reason: Pause, until: Option<i64>) -> Next {
    Next::Wait { reason, until: until.map(after) }
}

#[test]
fn stable_is_raised_then_the_traffic_is_shifted_as_far_as_it_can_carry_it() {
    let shift = |share, ready_at_least| Next::Do(Step::Shift { share: Share(share), ready_at_least });
    let up = Next::Do(Step::StableUp { replicas: 3 });
    // (share, stable wanted, stable ready), seconds since the rollback began, what comes next.
    for ((share, wanted, ready), seconds, expected) in [
        ((50, 0, 0), 0, up.clone()),
        ((100, 2, 2), 0, up.clone()),
        ((50, 2, 2), 31, up),
        ((50, 3, 0), 0, wait(Pause::NoReadyStable, None)),
        ((50, 3, 0), 3_600, wait(Pause::NoReadyStable, None)),
        ((100, 3, 1), 0, shift(67, 1)),
        ((100, 3, 2), 0, shift(34, 2)),
        ((67, 3, 1), 0, wait(Pause::StableComingUp, Some(30))),
        ((50, 3, 1), 0, wait(Pause::StableComingUp, Some(30))),
        ((67, 3, 2), 0, shift(34, 2)),
        ((67, 3, 1), 29, wait(Pause::StableComingUp, Some(30))),
        ((67, 3, 1), 30, shift(0, 1)),
        ((67, 3, 3), 0, shift(0, 3)),
        ((1, 3, 3), 0, shift(0, 3)),
        ((1, 3, 1), 0, wait(Pause::StableComingUp, Some(30))),
        ((25, 5, 5), 0, shift(0, 3)),
        ((25, 7, 2), 0, wait(Pause::StableComingUp, Some(30))),
    ] {
        let observed = seen(share, wanted, ready, 3);
        let next = next_of(&plan(), Progress::default(), Some(&observed), seconds);
        assert_eq!(next, expected, "{share} %, stable {ready} of {wanted} ready, after {seconds} s");
    }
}

#[test]
fn the_canary_goes_down_only_once_its_traffic_is_drained_and_stable_has_all_its_pods() {
    let off_at = |seconds| Progress { traffic_off_at: Some(after(seconds)), ..Progress::default() };
    let down = Next::Do(Step::CanaryDown { ready_at_least: 3 });
    for (observed, progress, seconds, expected) in [
        (seen(0, 3, 3, 3), off_at(10), 14, wait(Pause::Draining, Some(15))),
        (seen(0, 3, 3, 3), off_at(10), 15, down.clone()),
        (seen(0, 3, 2, 3), off_at(10), 15, wait(Pause::StableShort, None)),
        (seen(0, 3, 2, 0), off_at(10), 15, Next::Done),
        // Off, and nobody serves: the canary's pods are of no use there, and stay all the same.
        (seen(0, 3, 0, 3), off_at(10), 14, wait(Pause::NobodyServes, None)),
        (seen(0, 3, 0, 3), off_at(10), 60, wait(Pause::NobodyServes, None)),
        // The protocol's last stage, its weight taken away.
        (seen(0, 0, 0, 3), Progress::default(), 0, Next::Do(Step::StableUp { replicas: 3 })),
        // Off before this attempt began: since when, nobody knows.
        (seen(0, 3, 3, 3), Progress::default(), 4, wait(Pause::Draining, Some(5))),
        (seen(0, 3, 3, 3), Progress::default(), 5, down),
        (seen(0, 3, 3, 0), Progress::default(), 0, Next::Done),
        // Somebody moved it back: it is shifted again before anything else.
        (seen(25, 3, 3, 3), off_at(10), 60, Next::Do(Step::Shift { share: Share::ZERO, ready_at_least: 3 })),
    ] {
        assert_eq!(next_of(&plan(), progress, Some(&observed), seconds), expected, "{observed:?}");
    }
    let mut unavailable = seen(0, 3, 3, 3);
    unavailable.workloads.as_mut().expect("known").stable.available = 2;
    assert_eq!(next_of(&plan(), off_at(0), Some(&unavailable), 15), wait(Pause::StableShort, None));
}

#[test]
fn a_header_rule_is_traffic_too() {
    let observed = Observation { bypasses: vec!["canary-by-header".to_owned()], ..seen(0, 3, 3, 3) };
    let shift = Next::Do(Step::Shift { share: Share::ZERO, ready_at_least: 3 });
    assert_eq!(next_of(&plan(), Progress::default(), Some(&observed), 0), shift);
}

#[test]
fn what_the_gateways_have_not_taken_over_is_no_traffic_that_is_off() {
    let lags = Some("not yet taken over by Gateway edge".to_owned());
    let observed = Observation { not_in_effect: lags, ..seen(0, 3, 3, 3) };
    assert_eq!((observed.is_off(), observed.whole_share()), (false, None));
    let shift = Next::Do(Step::Shift { share: Share::ZERO, ready_at_least: 3 });
    assert_eq!(next_of(&plan(), Progress::default(), Some(&observed), 60), shift);
}

#[test]
fn an_autoscalers_minimum_is_wanted_too_if_it_is_the_larger() {
    for (min_replicas, wanted) in [(1, 3), (3, 3), (5, 5)] {
        let scaled = |share, replicas, ready| Observation {
            autoscaler: Some(Autoscaler {
                object: "an autoscaler".to_owned(),
                min_replicas,
                max_replicas: 9,
            }),
            ..seen(share, replicas, ready, 3)
        };
        let next = |observed| next_of(&plan(), Progress::default(), Some(&observed), 5);
        assert_eq!(next(scaled(50, wanted - 1, 0)), Next::Do(Step::StableUp { replicas: wanted }));
        let off = Step::Shift { share: Share::ZERO, ready_at_least: wanted };
        assert_eq!(next(scaled(50, wanted, wanted)), Next::Do(off));
        assert_eq!(next(scaled(20, wanted, wanted - 1)), wait(Pause::StableComingUp, Some(30)));
        assert_eq!(next(scaled(0, wanted, wanted - 1)), wait(Pause::StableShort, None));
        assert_eq!(next(scaled(0, wanted, wanted)), Next::Do(Step::CanaryDown { ready_at_least: wanted }));
    }
}

#[test]
fn where_somebody_else_carries_the_rollout_out_it_is_that_ones_to_end_it() {
    let owned = |share, stance, rolls_out| Observation {
        owner: Some(Owner { name: "Rollout api".to_owned(), stance, rolls_out }),
        obstacle: (stance == Stance::LeftAlone).then(|| "it owns it".to_owned()),
        // Nothing of it is raised or taken down by us.
        ..seen(share, 1, 1, 3)
    };
    let stop = Next::Do(Step::StopOwner);
    let mut alone = owned(0, Stance::LeftAlone, false);
    alone.workloads.as_mut().expect("known").stable.wanted = 0;
    let next = next_of(&plan(), Progress::default(), Some(&alone), 60);
    assert_eq!(next, Next::Stuck("it owns it".to_owned()), "the canary is all there is");
    for (share, stance, rolls_out, expected) in [
        (25, Stance::LeftAlone, true, Next::Stuck("it owns it".to_owned())),
        (0, Stance::LeftAlone, true, Next::Done),
        (25, Stance::ToBeStopped, true, stop.clone()),
        (25, Stance::ToBeStopped, false, stop.clone()),
        (0, Stance::ToBeStopped, true, stop),
        (0, Stance::ToBeStopped, false, Next::Done),
        (25, Stance::RollsBack, true, wait(Pause::OwnerRollsBack, None)),
        (0, Stance::RollsBack, true, Next::Done),
    ] {
        let observed = owned(share, stance, rolls_out);
        let next = next_of(&plan(), Progress::default(), Some(&observed), 60);
        assert_eq!(next, expected, "{share} % {stance:?}, under way: {rolls_out}");
    }
}

#[test]
fn what_only_a_person_can_mend_is_said_unless_the_traffic_is_off_anyway() {
    let obstacle = Some("the Ingress is no canary".to_owned());
    let stuck = Observation { obstacle: obstacle.clone(), ..seen(50, 3, 3, 3) };
    let next = next_of(&plan(), Progress::default(), Some(&stuck), 0);
    assert_eq!(next, Next::Stuck("the Ingress is no canary".to_owned()));
    let off = Observation { obstacle, ..seen(0, 3, 3, 0) };
    assert_eq!(next_of(&plan(), Progress::default(), Some(&off), 0), Next::Done);
    let blind = Observation::of_share(Share(25));
    assert!(matches!(next_of(&plan(), Progress::default(), Some(&blind), 0), Next::Stuck(_)));
}

#[test]
fn nothing_is_decided_on_what_is_old_or_from_before_the_last_step() {
    let (plan, observed) = (plan(), seen(0, 3, 3, 3));
    let next = |progress, at: i64, now: i64| {
        let observed = Some((after(at), &observed));
        next_step(Standing { plan: &plan, since: start(), progress, observed, may_raise: true }, after(now))
    };
    assert_eq!(next_of(&plan, Progress::default(), None, 0), Next::Look);
    assert_eq!(next(Progress::default(), 7, 10), Next::Look, "three seconds old");
    assert_ne!(next(Progress::default(), 8, 10), Next::Look);
    let progress = Progress { last_step_ended_at: Some(after(9)), ..Progress::default() };
    assert_eq!(next(progress, 8, 10), Next::Look, "the step may have changed it");
    assert_ne!(next(progress, 9, 10), Next::Look);
}

#[test]
fn an_attempt_begins_with_what_the_last_poll_saw_if_nothing_was_in_the_way_and_the_step_makes_sure_of_it() {
    let off = Step::Shift { share: Share::ZERO, ready_at_least: 3 };
    let first = |progress, observed: &Observation, seconds_ago: i64| {
        let observed = Some((after(100 - seconds_ago), observed));
        let plan = plan();
        let standing = Standing { plan: &plan, since: after(100), progress, observed, may_raise: true };
        first_step(standing, after(100))
    };
    let begun = Progress::default();
    let fine = seen(25, 3, 3, 1);
    for seconds_ago in [3, 20, 60] {
        assert_eq!(first(begun, &fine, seconds_ago), Some(off), "{seconds_ago} s ago");
    }
    assert_eq!(first(begun, &fine, 61), None, "that poll is no word about now");
    assert_eq!(first(begun, &fine, 2), None, "that is decided upon as ever");
    let autoscaler =
        Autoscaler { object: "HorizontalPodAutoscaler api".to_owned(), min_replicas: 5, max_replicas: 9 };
    let scaled = |ready| Observation { autoscaler: Some(autoscaler.clone()), ..seen(25, 5, ready, 1) };
    let of_five = Step::Shift { share: Share::ZERO, ready_at_least: 5 };
    assert_eq!(first(begun, &scaled(5), 20), Some(of_five));
    let owner = Owner { name: "Rollout api".to_owned(), stance: Stance::ToBeStopped, rolls_out: true };
    for (observed, why) in [
        (seen(0, 3, 3, 1), "off already: somebody may have raised it since"),
        (seen(25, 3, 2, 1), "too few ready"),
        (scaled(4), "too few ready for the autoscaler"),
        (seen(25, 2, 3, 1), "stable is to be raised first"),
        (Observation { obstacle: Some("no canary".to_owned()), ..fine.clone() }, "it may be gone"),
        (Observation { owner: Some(owner), ..fine.clone() }, "somebody else's to end"),
        (Observation::of_share(Share(25)), "nobody knows what serves"),
    ] {
        assert_eq!(first(begun, &observed, 20), None, "{why}");
    }
    let later = Progress { last_step_ended_at: Some(after(50)), ..begun };
    assert_eq!(first(later, &fine, 20), None, "a step of this attempt may have changed it");
    let waits = Progress { waiting: Some(Pause::StableComingUp), ..begun };
    assert_eq!(first(waits, &fine, 20), None, "what was waited for was observed later");
    let flag = Plan::default();
    let observed = Some((start(), &fine));
    let standing = Standing { plan: &flag, since: start(), progress: begun, observed, may_raise: true };
    assert_eq!(first_step(standing, after(20)), None, "a plan that only takes traffic off needs none");
}

#[test]
fn a_target_that_only_moves_traffic_needs_no_look() {
    let plan = Plan::default();
    assert_eq!(next_of(&plan, Progress::default(), None, 0), Next::Do(Step::TrafficOff));
    let off = Progress { traffic_off_at: Some(after(1)), ..Progress::default() };
    assert_eq!(next_of(&plan, off, None, 1), Next::Done);
}

#[test]
fn where_stable_may_be_raised_no_more_the_traffic_goes_onto_what_there_is_and_a_person_has_to_settle_the_rest()
 {
    let plan = plan();
    let next = |observed: &Observation, progress, seconds| {
        let (now, observed) = (after(seconds), Some((after(seconds), observed)));
        next_step(Standing { plan: &plan, since: start(), progress, observed, may_raise: false }, now)
    };
    let begun = Progress::default();
    let off = |ready_at_least| Next::Do(Step::Shift { share: Share::ZERO, ready_at_least });
    assert_eq!(
        next(&seen(50, 2, 2, 3), begun, 0),
        Next::Do(Step::Shift { share: Share(34), ready_at_least: 2 })
    );
    assert_eq!(next(&seen(34, 2, 2, 3), begun, 0), wait(Pause::StableComingUp, Some(30)));
    assert_eq!(next(&seen(34, 2, 2, 3), begun, 30), off(1));
    assert_eq!(
        next(&seen(34, 0, 0, 3), begun, 0),
        Next::Do(Step::StableUp { replicas: 3 }),
        "nobody would serve"
    );
    let drained = Progress { traffic_off_at: Some(start()), ..begun };
    let Next::Undone(words) = next(&seen(0, 2, 2, 3), drained, 60) else { panic!("it waits in vain") };
    assert!(words.contains("raised to 3") && words.contains("to have 2"), "{words}");
    assert_eq!(next(&seen(0, 3, 2, 3), drained, 60), wait(Pause::StableShort, None), "they come up");
    assert_eq!(next(&seen(0, 2, 2, 0), drained, 60), Next::Done, "the guard looks at the rest");
}
