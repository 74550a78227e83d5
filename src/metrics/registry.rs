//! The metrics' names and what each says.

use prometheus_client::registry::Registry;

use super::Families;
use super::reaction::Marks;

pub(super) fn of(families: &Families) -> Registry {
    let mut r = Registry::with_prefix("backstop");
    r.register(
        "webhook_requests",
        "Webhook requests by what came of them",
        families.webhook_requests.clone(),
    );
    r.register("alerts", "Alerts in webhooks", families.alerts.clone());
    r.register(
        "alerts_of_unknown_severity",
        "Firing alerts of a rollout whose severity nobody knows, each time they are reported",
        families.alerts_of_unknown_severity.clone(),
    );
    r.register(
        "alerts_known",
        "Alerts that a rollout remembers, firing or lately resolved",
        families.alerts_known.clone(),
    );
    r.register("decisions", "Decisions by reason", families.decisions.clone());
    r.register("rollbacks", "Rollbacks begun", families.rollbacks.clone());
    r.register(
        "rollback_failures",
        "Rollback attempts not achieved or not verifiable",
        families.rollback_failures.clone(),
    );
    r.register("verifications", "Verifications by verdict", families.verifications.clone());
    r.register("incidents_open", "Open incidents", families.incidents_open.clone());
    r.register(
        "grace_overdue_seconds",
        "Seconds by which an undecided grace is past its end",
        families.grace_overdue_seconds.clone(),
    );
    r.register(
        "canary_share_percent",
        "The canary's share as last read, -1 if unreadable",
        families.canary_share_percent.clone(),
    );
    r.register(
        "store_append_failures",
        "Appends that the store refused",
        families.store_append_failures.clone(),
    );
    r.register(
        "store_healthy",
        "Whether the last append or sign of life was durable",
        families.store_healthy.clone(),
    );
    r.register(
        "store_unrecorded_events",
        "Events held in memory because the store can't be written",
        families.store_unrecorded_events.clone(),
    );
    r.register(
        "rollback_overdue_seconds",
        "Seconds by which a rollback that has not ended is past its deadline",
        families.rollback_overdue_seconds.clone(),
    );
    r.register(
        "clock_ahead_seconds",
        "By how much the clock of a source is ahead of this one",
        families.clock_ahead_seconds.clone(),
    );
    register_evidence(&mut r, families);
    r.register(
        "reconciliation_failures",
        "Polls without an answer",
        families.reconciliation_failures.clone(),
    );
    r.register(
        "reconciliation_last_success_timestamp_seconds",
        "When a poll was last answered",
        families.reconciliation_last_success.clone(),
    );
    r.register(
        "watchdog_age_seconds",
        "Seconds since the Watchdog was heard, or since the start",
        families.watchdog_age_seconds.clone(),
    );
    register_people(&mut r, families);
    r.register("tasks_panicked", "Tasks that broke off", families.tasks_panicked.clone());
    register_health(&mut r, families);
    register_server(&mut r, families);
    families.interactions.register(&mut r);
    families.ramps.register(&mut r);
    r
}

fn register_people(r: &mut Registry, families: &Families) {
    r.register("notices", "What was reported to people", families.notices.clone());
    let messages = &families.messages;
    r.register(
        "messages",
        "Messages to people by what came of them; failed and unknown are tries, and are tried again",
        messages.total.clone(),
    );
    r.register("messages_undelivered", "Messages to people that wait", messages.undelivered.clone());
    r.register(
        "message_oldest_undelivered_age_seconds",
        "Seconds for which the oldest message has waited, 0 if none does",
        messages.oldest_age_seconds.clone(),
    );
    r.register(
        "channel_refusing",
        "1 while the last message that ended on the channel was refused for good, until one arrives there",
        messages.refusing.clone(),
    );
    r.register(
        "reaction_seconds",
        "Seconds from the start of the alert that caused it until it was received, until the traffic off was acknowledged, and until that was verified; once an incident each",
        families.reactions.0.clone(),
    );
    let Marks { warning, rollback_started, rollback_ended } = &families.marks;
    r.register("warning_timestamp_seconds", "When a grace last began, 0 before", warning.clone());
    r.register(
        "rollback_started_timestamp_seconds",
        "When a rollback last began, 0 before",
        rollback_started.clone(),
    );
    r.register(
        "rollback_ended_timestamp_seconds",
        "When an incident with a rollback last closed, 0 before",
        rollback_ended.clone(),
    );
}

fn register_evidence(r: &mut Registry, families: &Families) {
    r.register("evidence_writes", "Writings of evidence", families.evidence_writes.clone());
    r.register(
        "evidence_healthy",
        "Whether the last evidence was written, to its folder, and none found the record broken within the last hour; 1 again after a restart",
        families.evidence_healthy.clone(),
    );
    r.register(
        "evidence_problems",
        "Writings of evidence that found the manifest broken, cut or gone or a strange file in the way, or had to use the fallback folder",
        families.evidence_problems.clone(),
    );
}

fn register_server(r: &mut Registry, families: &Families) {
    r.register("requests_panicked", "Requests that broke off", families.requests_panicked.clone());
    r.register(
        "connections_evicted",
        "Connections without a request that were closed to make room",
        families.connections_evicted.clone(),
    );
    r.register(
        "tls_reload_failures",
        "New TLS files that can't be used",
        families.tls_reload_failures.clone(),
    );
    r.register(
        "tls_certificate_expiry_timestamp_seconds",
        "When the certificate in use expires, 0 without TLS",
        families.tls_certificate_expiry.clone(),
    );
    r.register(
        "log_lines_dropped",
        "Log lines that are in no log: stderr not read in time, not writable, or the same line too often",
        families.log_lines_dropped.clone(),
    );
    r.register(
        "secret_files",
        "Secret files by what their last looks came to: usable, gone (nobody is let in by it), unclear (it doesn't answer)",
        families.secret_files.clone(),
    );
}

fn register_health(r: &mut Registry, families: &Families) {
    r.register("ready", "Whether /readyz answers 200", families.ready.clone());
    r.register("live", "Whether /livez answers 200", families.live.clone());
    r.register(
        "loop_age_seconds",
        "Seconds since a vital loop has turned",
        families.loop_age_seconds.clone(),
    );
    r.register(
        "store_rejected_submissions",
        "Submissions that can't be stored, ever, and were set aside",
        families.store_rejected_submissions.clone(),
    );
    r.register(
        "log_lines_lost",
        "Stored events whose log lines are lost because the log is too slow",
        families.log_lines_lost.clone(),
    );
}
