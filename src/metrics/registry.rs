//! The figures' names and what each says.

use prometheus_client::registry::Registry;

use super::Figures;

pub(super) fn of(figures: &Figures) -> Registry {
    let mut r = Registry::with_prefix("backstop");
    r.register("webhook_requests", "Webhook requests by what came of them", figures.webhook_requests.clone());
    r.register("alerts", "Alerts in webhooks", figures.alerts.clone());
    r.register(
        "alerts_of_unknown_severity",
        "Firing alerts of a rollout whose severity nobody knows, each time they are reported",
        figures.alerts_of_unknown_severity.clone(),
    );
    r.register(
        "alerts_known",
        "Alerts that a rollout remembers, firing or lately resolved",
        figures.alerts_known.clone(),
    );
    r.register("decisions", "Decisions by reason", figures.decisions.clone());
    r.register("rollbacks", "Rollbacks begun", figures.rollbacks.clone());
    r.register(
        "rollback_failures",
        "Rollback attempts not achieved or not verifiable",
        figures.rollback_failures.clone(),
    );
    r.register("verifications", "Verifications by verdict", figures.verifications.clone());
    r.register("incidents_open", "Open incidents", figures.incidents_open.clone());
    r.register(
        "grace_overdue_seconds",
        "Seconds by which an undecided grace is past its end",
        figures.grace_overdue_seconds.clone(),
    );
    r.register(
        "canary_share_percent",
        "The canary's share as last read, -1 if unreadable",
        figures.canary_share_percent.clone(),
    );
    r.register(
        "store_append_failures",
        "Appends that the store refused",
        figures.store_append_failures.clone(),
    );
    r.register("store_healthy", "Whether the last append was durable", figures.store_healthy.clone());
    r.register(
        "store_unrecorded_events",
        "Events held in memory because the store can't be written",
        figures.store_unrecorded_events.clone(),
    );
    r.register(
        "rollback_overdue_seconds",
        "Seconds by which a rollback that has not ended is past its deadline",
        figures.rollback_overdue_seconds.clone(),
    );
    r.register(
        "clock_ahead_seconds",
        "By how much the clock of a source is ahead of this one",
        figures.clock_ahead_seconds.clone(),
    );
    r.register("evidence_writes", "Writings of evidence", figures.evidence_writes.clone());
    r.register("reconciliation_failures", "Polls without an answer", figures.reconciliation_failures.clone());
    r.register(
        "reconciliation_last_success_timestamp_seconds",
        "When a poll was last answered",
        figures.reconciliation_last_success.clone(),
    );
    r.register(
        "watchdog_age_seconds",
        "Seconds since the Watchdog was heard, or since the start",
        figures.watchdog_age_seconds.clone(),
    );
    r.register("notices", "What people had to be told", figures.notices.clone());
    r.register("tasks_panicked", "Tasks that broke off", figures.tasks_panicked.clone());
    register_health(&mut r, figures);
    register_server(&mut r, figures);
    r
}

fn register_server(r: &mut Registry, figures: &Figures) {
    r.register("requests_panicked", "Requests that broke off", figures.requests_panicked.clone());
    r.register(
        "connections_evicted",
        "Connections without a request that were closed to make room",
        figures.connections_evicted.clone(),
    );
    r.register(
        "tls_reload_failures",
        "New TLS files that can't be used",
        figures.tls_reload_failures.clone(),
    );
    r.register(
        "tls_certificate_expiry_timestamp_seconds",
        "When the certificate in use expires, 0 without TLS",
        figures.tls_certificate_expiry.clone(),
    );
}

fn register_health(r: &mut Registry, figures: &Figures) {
    r.register("ready", "Whether /readyz answers 200", figures.ready.clone());
    r.register("live", "Whether /livez answers 200", figures.live.clone());
    r.register("loop_age_seconds", "Seconds since a vital loop has turned", figures.loop_age_seconds.clone());
    r.register(
        "store_rejected_submissions",
        "Submissions that can't be stored, ever, and were set aside",
        figures.store_rejected_submissions.clone(),
    );
    r.register(
        "log_lines_lost",
        "Stored events whose log lines are lost because the log is too slow",
        figures.log_lines_lost.clone(),
    );
}
