//! Every key with its default and meaning: the README's table is checked against it, and it against
//! the keys that are really read.

/// One key, a row of the README's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyReference {
    pub key: &'static str,
    /// The default, or `required`, or `none`.
    pub default: &'static str,
    pub meaning: &'static str,
}

macro_rules! reference {
    ($($key:literal, $default:literal, $meaning:literal;)*) => {
        /// Every key, in the order of the documentation.
        pub const REFERENCE: &[KeyReference] = &[$(KeyReference { key: $key, default: $default, meaning: $meaning },)*];
    };
}

reference! {
    "server.listen", "127.0.0.1:8080", "Address for webhooks, the API and the page. A public one needs `server.tls` or `behind_proxy = true`";
    "server.admin_listen", "127.0.0.1:9091", "Address for `/livez`, `/readyz` and `/metrics`";
    "server.external_url", "http(s)://{listen}", "Address under which people reach it; with TLS its host must stand in the certificate";
    "server.behind_proxy", "false", "Says that a proxy in front ends TLS";
    "server.tls.cert_file", "none", "PEM: the certificate with its intermediates; with it `server.listen` speaks TLS only";
    "server.tls.key_file", "none", "PEM: its key";
    "server.tls.client_ca_file", "none", "PEM: authorities; only clients with a certificate of theirs are let in";
    "server.tls.ca_file", "none", "PEM: the authority that the command line trusts beside the system's; needed with an authority of your own";
    "server.tls.cli_identity_file", "none", "PEM: certificate and key that the command line presents; needed with `client_ca_file`";
    "server.auth.webhook_token_files", "none", "Files with tokens, one a line, that may post alerts; several during a rotation";
    "server.auth.webhook_basic_auth.username", "none", "Name that may post alerts with the password, for an Alertmanager with `basic_auth`";
    "server.auth.webhook_basic_auth.password_file", "none", "Its password; every line is accepted";
    "server.auth.operator_token_files", "none", "Files with tokens, one a line, that may roll back, hold, resume, acknowledge, close; without one nothing can be changed through the server";
    "server.auth.viewer_token_files", "none", "Files with tokens, one a line, that may read; without these and operators' ones reading is open on this machine";
    "server.drain", "20s", "How long work under way may take to end after the first SIGTERM or SIGINT";
    "store.kind", "sqlite", "Where events are kept";
    "store.path", "data/backstop.db", "The database's file";
    "store.retention", "90d", "How long closed incidents are kept";
    "evidence.directory", "evidence", "Where evidence files lie";
    "evidence.fallback_directory", "{store.path's folder}/evidence-fallback", "Where they are written while that can't be used or hangs";
    "alertmanager.urls", "none", "Every member of the cluster, for confirmation and reconciliation";
    "alertmanager.poll_interval", "20s", "How often shares and alerts are looked at";
    "alertmanager.watchdog_alertname", "Watchdog", "The alert that always fires";
    "alertmanager.watchdog_match", "{}", "Labels that it must carry to count, such as `{ prometheus = \"monitoring/k8s\" }`; without them it counts for alerts that it agrees with in every label both carry";
    "alertmanager.watchdog_timeout", "3m", "After this long without it its silence is reported, while a canary runs; nothing is rolled back for it";
    "alertmanager.severity_map", "none", "Your own words in the label `severity`, such as `{ page = \"critical\", P2 = \"warning\", info = \"ignore\" }`; case and blanks don't count";
    "prometheus.url", "none", "Prometheus, for verification and as tie-breaker";
    "notifications.environment", "none", "Where this is, such as `prod-eu`; stands in every message";
    "notifications.dashboard_url", "none", "A dashboard that messages link to";
    "slack.token_file", "required in [slack]", "The bot's token, `xoxb-…`; its scopes: see \"Slack\" below";
    "slack.channel", "#spark-incidents", "Where messages go: a name or, better, an id; the bot must be a member";
    "slack.api_url", "https://slack.com/api", "The API's address; plain `http` only on this machine";
    "slack.signing_secret_file", "none", "Checks the clicks that Slack posts to `/slack/interactions`; every line is accepted";
    "slack.app_token_file", "none", "The app's token, `xapp-…`: clicks come by Socket Mode, and nothing need be reachable from outside";
    "slack.app_id", "none", "The app whose clicks count, such as `A0123ABCD`; any that is signed without it";
    "slack.operators", "none", "Ids of users who may roll back, hold and close by a button, such as `U0123ABCD`; everybody in the channel may acknowledge";
    "slack.operator_group", "none", "Id of a user group whose members may, too, such as `S0123ABCD`";
    "slack.mentions.level_1", "none", "Who is mentioned when a person is needed, such as `[\"<@U0123ABCD>\", \"<!subteam^S0123ABCD>\"]`";
    "slack.mentions.level_2", "those of level_1", "Who is mentioned after 15 minutes";
    "slack.mentions.level_3", "those of level_2", "Who is mentioned after 30 minutes";
    "pagerduty.routing_key_file", "required in [pagerduty]", "The integration's key";
    "pagerduty.url", "https://events.pagerduty.com", "The Events API's address; the EU's is `https://events.eu.pagerduty.com`";
    "pagerduty.webhook_secret_file", "none", "Secret of a webhook of PagerDuty to `/pagerduty/webhook`, by which an acknowledgement there is one here; every line is accepted. Without it there is no such address";
    "pagerduty.level_routing_keys.l1_file", "routing_key_file", "Key of level 1, where it is another one";
    "pagerduty.level_routing_keys.l2_file", "required in level_routing_keys", "Key that is paged after 15 minutes. Only where no escalation policy of PagerDuty pages further levels: both would page twice";
    "pagerduty.level_routing_keys.l3_file", "required in level_routing_keys", "Key that is paged after 30 minutes";
    "status_page.kind", "statuspage", "`statuspage` (Atlassian), or `http`: told by the requests below, for Instatus, Better Stack or your own";
    "status_page.service", "required in [status_page]", "What the public calls the service; all texts are fixed sentences about it";
    "status_page.url", "https://api.statuspage.io", "Statuspage's address. Its key goes into `bearer_token_file`";
    "status_page.page_id", "required with statuspage", "The page's id";
    "status_page.components", "[]", "Ids of the components that an incident is about";
    "status_page.component_status", "partial_outage", "Theirs until the traffic is off: `degraded_performance`, `partial_outage` or `major_outage`";
    "status_page.deliver_notifications", "false", "Whether subscribers get mail";
    "status_page.open.url", "required with http", "Where an incident is posted";
    "status_page.open.method", "POST", "`POST`, `PUT` or `PATCH`";
    "status_page.open.body", "required with http", "JSON with `{title}`, `{text}`, `{status}` and `{incident}` (Backstop's id) in quotes";
    "status_page.open.id_pointer", "/id", "JSON pointer to the page's id in the answer";
    "status_page.update.url", "required with http", "Where it is updated and resolved; `{id}` is the page's id";
    "status_page.update.method", "POST", "As for `open`";
    "status_page.update.body", "required with http", "As for `open`, with `{id}` too";
    "status_page.find.url", "none", "Where incidents are listed, may have `{incident}`. Without it one that may have been posted is not posted again, and people are told to look";
    "status_page.find.items_pointer", "the answer", "JSON pointer to the list";
    "status_page.find.key_pointer", "/metadata/backstop/incident", "JSON pointer, in an item, to a text that holds `{incident}`";
    "status_page.find.id_pointer", "/id", "JSON pointer, in an item, to the page's id";
    "status_page.statuses.investigating", "investigating", "The page's own word, as for the next three";
    "status_page.statuses.identified", "identified", "See there";
    "status_page.statuses.monitoring", "monitoring", "See there";
    "status_page.statuses.resolved", "resolved", "See there";
    "grafana.url", "required in [grafana]", "Grafana's address; its token, of a service account that may write annotations, goes into `bearer_token_file`";
    "grafana.dashboard_uid", "none", "The dashboard that annotations belong to; without one they belong to all";
    "grafana.render_dashboard", "none", "The uid of the dashboard whose picture goes into a stage's evidence, where Grafana has an image renderer; its token may then read dashboards, too";
    "webhook.url", "required in [webhook]", "Where every notice is posted as JSON (`deploy/schemas/webhook.schema.json`)";
    "webhook.secret_file", "required in [webhook]", "Secret that signs it; the first line";
    "teams.url_file", "required in [teams]", "File with the address of a Teams workflow, which is its credential";
    "report.template_file", "the one in deploy/INCIDENT_TEMPLATE.md", "Your own form of incident reports: Markdown with placeholders such as `{{timeline}}`, read at start";
    "rollouts.name", "required", "The rollout's name";
    "rollouts.mode", "armed", "`armed` acts, `shadow` records what it would have done, `off` takes alerts in and does nothing";
    "rollouts.match", "{ rollout = name, canary_rollback = \"true\" }", "An alert belongs to the rollout when it carries all of these labels";
    "rollouts.revision", "traffic.feature, or what the cluster says", "The revision on canary, for incidents and evidence; in a cluster only until it was first observed";
    "rollouts.grace", "5m", "From a warning's `startsAt` to the decision";
    "rollouts.hold", "30m", "How long a hold lasts unless the person says otherwise";
    "rollouts.on_unverified", "roll_back", "At the end of a grace when nobody can say whether the alert still fires: `roll_back` or `hold`";
    "rollouts.verify.healthz_url", "none", "Where the serving `.version` is read";
    "rollouts.verify.metrics_url", "none", "Where the metrics snapshots are taken";
    "rollouts.verify.stable_version", "required with healthz_url", "The version that must answer after a rollback";
    "rollouts.verify.window", "10m", "How long a verification may take to reach its verdict";
    "rollouts.verify.interval", "5s", "The pause between two rounds of it";
    "rollouts.verify.guard", "5m in a cluster, else 0s", "How long a rollback is watched before it is called done; what undoes it is set again, three times at most";
    "rollouts.metrics.selector", "job {name}, or none", "PromQL matchers of the application's series: its job, or none, and no other application's";
    "rollouts.metrics.canary", "track!=\"stable\"", "Matchers of the canary's part of them, such as `variant=\"v1.4.0\"`; targets, gauges and exporters that carry none of its labels count, too";
    "rollouts.metrics.stable", "the opposite of canary", "Matchers of stable's part; to be given where `canary` has several";
    "rollouts.metrics.user_requests", "no probes or scrapes", "Matchers that leave out requests nobody's user made; by default by `route`, `path` and `handler`";
    "rollouts.metrics.database_selector", "selector", "As `selector`, for the histogram of database queries";
    "rollouts.metrics.pgbouncer_selector", "selector", "As `selector`, for pgBouncer's exporter";
    "rollouts.metrics.status_labels", "status, code", "Labels that may carry a request's status";
    "rollouts.metrics.server_errors", "5..", "Regular expression of the status of a request that failed on the server";
    "rollouts.metrics.requests", "http_requests_total", "Counter of requests; `none`, as for each of the following: the application has none, and its rules are left out";
    "rollouts.metrics.request_duration", "http_request_duration_seconds", "Histogram of a request's seconds, without `_bucket`";
    "rollouts.metrics.staleness", "spark_bist_staleness_seconds", "Gauge of the age of the exchange's data";
    "rollouts.metrics.csp_violations", "csp_violations_total", "Counter of reported CSP violations";
    "rollouts.metrics.idempotency_conflicts", "idempotency_conflict_total", "Counter of requests that met an idempotency conflict";
    "rollouts.metrics.database_duration", "database_query_duration_seconds", "Histogram of a query's seconds, without `_bucket`";
    "rollouts.metrics.pgbouncer", "pgbouncer_pools_server", "What pgBouncer's gauges begin with, before `_active` and the other states";
    "rollouts.ramp.stages", "[1, 5, 25, 50, 100]", "The canary's share in each stage, in per cent: ascending, 20 at most, the last 100";
    "rollouts.ramp.stage_duration", "15m", "How long a stage lasts at least, from when its share was read back";
    "rollouts.ramp.last_stage_duration", "30m", "The same for the one at 100 %";
    "rollouts.ramp.judge_interval", "15s", "The pause between two judgements of a stage's criteria";
    "rollouts.ramp.max_hold", "60m", "A stage that holds for longer pages";
    "rollouts.ramp.hold_reminder", "15m", "How often people are told that a stage still holds";
    "rollouts.ramp.watch_after", "24h", "How long after a success an alert of its revision still leads to a rollback";
    "rollouts.ramp.approval", "[]", "The stages, by their share, that are left only once a person has approved, such as `[25, 100]`";
    "rollouts.ramp.stable_down", "false", "Whether stable goes to 0 replicas after the last stage, as the protocol has it; in a cluster only";
    "rollouts.ramp.git_tag.repository", "none", "A git repository on this machine that gets a tag with each success";
    "rollouts.ramp.git_tag.push", "false", "Whether the tag is pushed to `origin`, too";
    "rollouts.freeze.name", "required", "A window in which no ramp starts, shown to people; `[[rollouts.freeze]]` may be there up to 20 times";
    "rollouts.freeze.cron", "none", "When it begins, such as `0 16 * * FRI`: minute, hour, day of the month, month, day of the week. A time that clocks leave out begins right after it, one that comes twice the first time";
    "rollouts.freeze.duration", "required with cron", "How long it then lasts, by a stopwatch, such as `64h`; at most 31 days";
    "rollouts.freeze.time_zone", "UTC", "Whose clocks `cron` and dates are by: an IANA name, such as `Europe/Istanbul`";
    "rollouts.freeze.from", "none", "Instead of `cron`: when it begins, such as `2026-12-20` or `2026-12-20T16:00:00+03:00`";
    "rollouts.freeze.until", "required with from", "The first instant, or day, that is not frozen any more";
    "rollouts.traffic.kind", "required", "`feature-flag`, `ingress-nginx` or `gateway-api`";
    "rollouts.traffic.url", "required with feature-flag", "Where the share is set, as all keys up to `body`";
    "rollouts.traffic.feature", "required with feature-flag", "The feature's name";
    "rollouts.traffic.read_url", "none", "Where the share can be read back";
    "rollouts.traffic.read_pointer", "/percentage", "JSON pointer into that answer";
    "rollouts.traffic.scale", "percent", "The unit of the share, set and read: `percent` (0 to 100) or `fraction` (0 to 1)";
    "rollouts.traffic.method", "POST", "How the share is set: `POST`, `PUT` or `PATCH`";
    "rollouts.traffic.body", "the protocol's", "What is sent: JSON with `{feature}`, `{revision}`, `{percentage}` (0 to 100) and `{fraction}` (0 to 1) filled in";
    "rollouts.traffic.timeout", "5s", "The longest one request may take, of any kind";
    "rollouts.traffic.namespace", "required in a cluster", "The namespace of all objects below";
    "rollouts.traffic.canary_ingress", "required with ingress-nginx", "The Ingress with `canary: \"true\"`, not the one beside it";
    "rollouts.traffic.http_route", "required with gateway-api", "The HTTPRoute whose rules name both Services";
    "rollouts.traffic.stable.deployment", "required in a cluster", "The stable version's Deployment";
    "rollouts.traffic.stable.service", "required in a cluster", "Its Service; traffic moves as its ready endpoints can carry it";
    "rollouts.traffic.stable.replicas", "3", "How many of its pods carry all of the traffic; it is scaled up to them, never down";
    "rollouts.traffic.canary.deployment", "required in a cluster", "The canary's Deployment; it is scaled to 0 at the end";
    "rollouts.traffic.canary.service", "required in a cluster", "Its Service";
    "rollouts.traffic.revision", "image-tag", "Where the canary's Deployment says its version: `image-tag` (of the first container), `image-tag:CONTAINER` or `label:NAME`";
    "rollouts.traffic.owner", "refuse", "Where a Flagger Canary or an Argo Rollout owns these objects: `refuse` changes nothing and tells people, `abort` tells it to stop by its own means";
    "rollouts.traffic.kubeconfig", "none", "The way to the cluster; without it the ServiceAccount of Backstop's own pod";
    "rollouts.traffic.critical_after", "30s", "With a critical: after so long any one ready pod of stable has to carry everything";
    "rollouts.traffic.warning_after", "5m", "The same with a warning";
    "rollouts.traffic.drain", "5s", "From traffic off to the canary's scaling down";
    "SYSTEM.bearer_token_file", "none", "Token to present. SYSTEM is `alertmanager`, `prometheus`, `rollouts.traffic`, `rollouts.verify` (healthz and metrics), `pagerduty`, `status_page`, `grafana`, `webhook` or `teams`";
    "SYSTEM.basic_auth.username", "none", "User of basic auth, instead of a token";
    "SYSTEM.basic_auth.password_file", "none", "The user's password";
    "SYSTEM.headers", "none", "Sent with every request: a text, or `{ file = \"…\" }` for a secret, such as `{ \"X-Scope-OrgID\" = \"team-a\" }`";
    "SYSTEM.ca_file", "none", "PEM: authorities trusted beside the machine's";
    "SYSTEM.client_cert_file", "none", "PEM: the certificate to present, with its intermediates; read at start";
    "SYSTEM.client_key_file", "none", "PEM: its key";
    "SYSTEM.proxy_from_environment", "false", "Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count";
}
