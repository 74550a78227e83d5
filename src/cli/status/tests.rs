//! What a person reads: when, who, and nothing forged.

use serde_json::json;

use super::*;

fn view(incident: serde_json::Value) -> RolloutView {
    serde_json::from_value(json!({
        "name": "spark-trading", "mode": "armed", "revision": "v1.4.0", "share_percent": 25, "stage": 3,
        "share_read_at": "2026-11-04T03:04:00Z", "share_since": "2026-11-04T02:54:00Z",
        "now": "2026-11-04T03:04:01Z", "firing_alerts": ["CanaryLatencyP95Warning"],
        "watchdog_age_seconds": 3, "watchdog_lost": false, "unrecorded_events": 0, "evidence_healthy": true, "incident": incident,
    }))
    .expect("a view")
}

fn held(text: &str) -> serde_json::Value {
    json!({
        "id": text, "rollout": text, "revision": text, "state": "held", "state_sentence": text, "reason": text,
        "state_reason": text, "cause": text, "further_causes": [], "triggered_by": text, "severity": "warning",
        "held_by": text, "next": { "at": "2026-11-04T03:34:01Z", "what": text },
        "opened_at": "2026-11-04T03:00:00Z", "alerts": [], "steps": [], "evidence": [],
        "notifications": [{ "at": "2026-11-04T03:00:00Z", "kind": "x", "text": text }],
        "acknowledged_by": text, "decisions": [{ "at": "2026-11-04T03:00:00Z", "event": "x", "reason": null, "text": text }],
    })
}

/// As it is printed without a terminal.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn status_says_since_when_the_share_is_so_who_holds_and_what_comes_next_in_how_many_seconds() {
    let text = plain(&rollout_text(&view(held("ada"))));
    for expected in [
        "spark-trading  armed  canary v1.4.0 at 25 % (stage 3) since 2026-11-04 02:54:00 UTC (10 min ago), read 1 s ago",
        "  firing: CanaryLatencyP95Warning",
        "    held by ada",
        "    next, in 1800 s (2026-11-04 03:34:01 UTC): ada",
        "    acknowledged by ada",
    ] {
        assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
    }
}

#[test]
fn status_says_what_a_step_has_sent_so_far_and_what_came_of_it() {
    let mut view = view(held("ada"));
    for (requests, last_answer, expected) in [
        (1, None, "    1 request sent so far, the last 1 s ago: no answer yet"),
        (
            3,
            Some("not carried out: status\n500"),
            "    3 requests sent so far, the last 1 s ago: not carried out: status\\n500",
        ),
    ] {
        let last_sent_at = view.now - TimeDelta::seconds(1);
        let last_answer = last_answer.map(str::to_owned);
        view.trying = Some(Trying { requests, last_sent_at, last_answer });
        let text = plain(&rollout_text(&view));
        assert_eq!(text.lines().last(), Some(expected), "{text}");
    }
}

#[test]
fn status_says_who_has_not_been_told_since_when_and_why() {
    let mut view = view(held("ada"));
    let told = |view: &RolloutView| {
        let text = plain(&rollout_text(view));
        text.lines().filter(|line| line.contains("not been told")).map(str::to_owned).collect::<Vec<_>>()
    };
    let waiting = |messages, seconds_ago, last_error: Option<&str>| UndeliveredView {
        channel: "slack".to_owned(),
        messages,
        since: "2026-11-04T03:04:01Z".parse::<DateTime<Utc>>().expect("a time")
            - TimeDelta::seconds(seconds_ago),
        last_error: last_error.map(str::to_owned),
        next_try_at: last_error.map(|_| "2026-11-04T03:04:13Z".parse().expect("a time")),
    };
    view.undelivered = vec![waiting(2, 9, None)];
    assert_eq!(told(&view), [""; 0], "it is on its way");
    view.undelivered = vec![waiting(1, 10, None), waiting(3, 161, Some("channel_not_found\nx"))];
    let expected = [
        "  slack has not been told since 2026-11-04 03:03:51 UTC (10 s ago): 1 message waits",
        "  slack has not been told since 2026-11-04 03:01:20 UTC (2 min ago): 3 messages wait; last error: channel_not_found\\nx; next try in 12 s (2026-11-04 03:04:13 UTC)",
    ];
    assert_eq!(told(&view), expected);
}

#[test]
fn status_says_what_a_channel_refused_for_good_how_often_when_last_and_why() {
    let mut view = view(serde_json::Value::Null);
    let refused = |messages| GivenUpView {
        channel: "slack".to_owned(),
        messages,
        since: "2026-11-04T03:00:00Z".parse().expect("a time"),
        last_at: "2026-11-04T03:01:01Z".parse().expect("a time"),
        error: "Slack says token_revoked\nx".to_owned(),
    };
    for (messages, count) in [(1, "a message"), (4, "4 messages")] {
        view.given_up = vec![refused(messages)];
        let text = plain(&rollout_text(&view));
        let expected = format!(
            "  slack REFUSED {count} for good, the last at 2026-11-04 03:01:01 UTC (3 min ago), and none has arrived since: Slack says token_revoked\\nx"
        );
        assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
    }
}

#[test]
fn status_says_who_had_taken_note_before_an_attempt_failed() {
    let mut incident = held("ada");
    incident["acknowledged_by"] = serde_json::Value::Null;
    for (before, expected) in [
        (json!(null), "    acknowledged by nobody yet"),
        (
            json!("zoe took note, before attempt 1 failed"),
            "    acknowledged by nobody yet: zoe took note, before attempt 1 failed",
        ),
    ] {
        incident["noted_before"] = before;
        let text = plain(&rollout_text(&view(incident.clone())));
        assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
    }
}

#[test]
fn hostile_text_in_any_member_forges_no_line_of_status_and_leaves_no_control_character() {
    let hostile = "x\nspark-trading  armed\r\u{1b}[2J\u{9b}\u{202e}";
    let mut failed = held(hostile);
    failed["state"] = "failed".into();
    for incident in [held(hostile), failed] {
        let mut view = view(incident);
        view.undelivered = vec![UndeliveredView {
            channel: "slack".to_owned(),
            messages: 1,
            since: view.now,
            last_error: Some("refused".to_owned()),
            next_try_at: None,
        }];
        let honest =
            rollout_text(&RolloutView { incident: view.incident.clone(), ..view.clone() }).lines().count();
        for member in [&mut view.name, &mut view.mode, &mut view.revision, &mut view.firing_alerts[0]] {
            hostile.clone_into(member);
        }
        hostile.clone_into(&mut view.undelivered[0].channel);
        view.undelivered[0].last_error = Some(hostile.to_owned());
        let styled = rollout_text(&view);
        assert_eq!(styled.lines().count(), honest, "{styled}");
        // All that steers is our own, and goes with the styles; what was escaped stays.
        let ours = styled.matches('\u{1b}').count();
        let text = plain(&styled);
        assert!(ours > 0 && text.contains("\\u{1b}[2J"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text}");
    }
}

#[test]
fn what_is_overdue_says_for_how_long() {
    let now: DateTime<Utc> = "2026-11-04T03:04:01Z".parse().expect("a time");
    assert_eq!(due(now - TimeDelta::seconds(7), now), "due for 7 s (2026-11-04 03:03:54 UTC)");
    assert_eq!(ago(TimeDelta::hours(3)), "3 h ago");
}

#[test]
fn status_says_how_a_cluster_looks_and_what_stands_in_the_way_of_a_rollback() {
    use crate::incident::{Observation, Pods, Share, Workloads};
    let mut view = view(held("ada"));
    assert!(!plain(&rollout_text(&view)).contains("in the cluster"));
    let pods = |ready| Pods { wanted: 3, available: ready, ready_endpoints: ready };
    let workloads = Some(Workloads { stable: pods(1), canary: pods(3) });
    let obstacle = Some("Ingress api is no canary\n".to_owned());
    let warnings = vec!["It will pull it down\n".to_owned()];
    let not_in_effect = Some("not yet taken over by Gateway edge".to_owned());
    view.target = Some(Observation {
        workloads,
        obstacle,
        warnings,
        not_in_effect,
        ..Observation::of_share(Share(25))
    });
    let text = plain(&rollout_text(&view));
    let lines: Vec<_> = text
        .lines()
        .filter(|line| ["cluster", "CAN'T", "pull"].iter().any(|word| line.contains(word)))
        .collect();
    assert_eq!(
        lines,
        [
            "  in the cluster: 25 %, not yet taken over by Gateway edge; stable 1 of 3 ready, canary 3 of 3 ready",
            "  It will pull it down\\n",
            "  CAN'T BE ROLLED BACK as it is: Ingress api is no canary\\n",
        ]
    );
}
