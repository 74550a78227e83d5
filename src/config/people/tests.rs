//! The channels' tables, good and bad.

use std::path::Path;

use crate::config::{Config, Level, PageKind, Problem};

const CHANNELS: &str = r#"
[pagerduty]
routing_key_file = "pd"
webhook_secret_file = "pd-webhook"
level_routing_keys = { l2_file = "pd-l2", l3_file = "pd-l3" }
proxy_from_environment = true
[status_page]
service = "Trading"
page_id = "p4g3"
bearer_token_file = "page-key"
[grafana]
url = "https://grafana.example/sub"
bearer_token_file = "grafana-token"
[webhook]
url = "https://receiver.example/?team=a"
secret_file = "signing"
[teams]
url_file = "teams-url"
[[rollouts]]
name = "spark-trading"
traffic = { kind = "feature-flag", url = "http://127.0.0.1:1/", feature = "v1.4.0" }
"#;

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse(text, Path::new("/etc/backstop/backstop.toml")).map_err(|report| report.problems)
}

/// The errors once one text is replaced.
fn with(from: &str, to: &str) -> Vec<Problem> {
    assert!(CHANNELS.contains(from), "{from}");
    let problems = parse(&CHANNELS.replace(from, to)).err().unwrap_or_default();
    problems.into_iter().filter(|problem| problem.level == Level::Error).collect()
}

/// Which keys of channels are warned of.
fn warned(config: &Config) -> Vec<&str> {
    let channels = ["pagerduty", "status_page", "grafana", "webhook", "teams"];
    let keys = config.warnings.iter().map(|problem| problem.key.as_str());
    keys.filter(|key| channels.iter().any(|channel| key.starts_with(channel))).collect()
}

#[test]
fn every_channel_can_be_configured_and_every_secret_of_it_is_looked_at() {
    let config = parse(CHANNELS).expect("valid");
    assert_eq!(warned(&config), [""; 0]);
    let keys: Vec<_> = config.secret_files().into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "pagerduty.routing_key_file",
            "pagerduty.level_routing_keys.l2_file",
            "pagerduty.level_routing_keys.l3_file",
            "pagerduty.webhook_secret_file",
            "webhook.secret_file",
            "teams.url_file",
            "status_page.bearer_token_file",
            "grafana.bearer_token_file",
        ]
    );
    let people = config.people;
    assert!(people.pagerduty.is_some_and(|pagerduty| pagerduty.access.proxy_from_environment));
    let kind = people.status_page.and_then(|page| page.kind);
    let Some(PageKind::Statuspage { deliver_notifications, component_status, .. }) = kind else {
        panic!("{kind:?}")
    };
    assert_eq!((deliver_notifications, component_status), (false, "partial_outage"));
}

#[test]
fn each_mistake_is_named_with_its_key_and_remedy() {
    let http = "kind = \"http\"\nopen.url = \"https://page.example/\"\nopen.body = '{}'\n\
                update.url = \"https://page.example/{id}\"\nupdate.body = '{}'\nservice = \"Trading\"";
    let page = "service = \"Trading\"";
    let http_with = |from: &str, to: &str| http.replace(from, to);
    for (from, to, key, remedy) in [
        ("l2_file = \"pd-l2\", ", "", "pagerduty.level_routing_keys.l2_file", "l2_file = "),
        ("\"pd\"", "\"pd\"\nurl = \"https://pd.example/?key=a\"", "pagerduty.url", "path"),
        ("\"pd\"", "\"pd\"\nrouting_keys = 1", "pagerduty.routing_keys", "routing_key_file"),
        ("page_id = \"p4g3\"", "", "status_page.page_id", "page_id = "),
        ("\"p4g3\"", "\"../p4g3\"", "status_page.page_id", "copy it"),
        (page, "", "status_page.service", "service = "),
        (page, &format!("service = \"{}\"", "x".repeat(101)), "status_page.service", "the public knows"),
        (page, &http_with("open.body = '{}'\n", ""), "status_page.open.body", "body = "),
        (page, &http_with("'{}'", "'{name}'"), "status_page.open.body", "{title}"),
        (page, &http_with("'{}'", "'{\"a\":{title}}'"), "status_page.open.body", "quotes around"),
        (page, &http_with("/{id}", "/{page}"), "status_page.update.url", "{incident}"),
        (
            page,
            &http_with("page.example/{id}", "{id}.example/"),
            "status_page.update.url",
            "path or the query",
        ),
        (page, &http_with("https://page", "https://me:pw@page"), "status_page.open.url", "bearer_token_file"),
        (page, &format!("{http}\nopen.id_pointer = \"id\""), "status_page.open.id_pointer", "\"/id\""),
        ("url = \"https://grafana.example/sub\"", "", "grafana.url", "url = "),
        ("\"grafana-token\"", "\"a\"\nrender_dashboard = \"../x\"", "grafana.render_dashboard", "after /d/"),
        (
            "\"grafana-token\"",
            &format!("\"a\"\nrender_dashboard = \"{}\"", "x".repeat(41)),
            "grafana.render_dashboard",
            "after /d/",
        ),
        ("url = \"https://receiver.example/?team=a\"", "url = \"receiver\"", "webhook.url", "http://"),
        ("secret_file = \"signing\"", "", "webhook.secret_file", "secret_file = "),
        ("url_file = \"teams-url\"", "url = \"https://x.example\"", "teams.url", "url_file"),
    ] {
        let problems = with(from, to);
        let found = problems.iter().find(|problem| problem.key == key);
        let problem = found.unwrap_or_else(|| panic!("{to}: no problem at {key}: {problems:?}"));
        assert!(problem.remedy.contains(remedy), "{to}: {problem}");
    }
    assert!(with(page, http).is_empty(), "the requests are fine: {:?}", with(page, http));
}

#[test]
fn what_the_other_kind_of_page_would_need_is_warned_of() {
    let find = "service = \"Trading\"\nfind.url = \"https://x.example\"";
    let config = parse(&CHANNELS.replace("service = \"Trading\"", find)).expect("valid");
    assert_eq!(warned(&config), ["status_page.find"]);
}
