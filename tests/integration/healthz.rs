//! The version that an application says it is.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use backstop::incident::CheckOutcome;
use backstop::outbound::Outbound;
use backstop::verification::{Healthz, Seen, StableVersion};
use reqwest::Url;

use crate::support::prepare;

async fn check_of(healthz: String) -> Seen {
    prepare();
    let routes = Router::new().route("/healthz", get(move || async move { healthz }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/healthz", listener.local_addr().expect("an address"));
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await.expect("served") });
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let url = Url::parse(&url).expect("a URL");
    let healthz = Healthz { url, stable_version: "v1.3.9".to_owned() };
    StableVersion { outbound, healthz: Some(healthz) }.answering().await
}

#[tokio::test]
async fn healthz_is_believed_by_version_and_what_it_says_is_cut_before_it_is_kept() {
    let check = check_of(r#"{"version":"1.3.9+7"}"#.to_owned()).await;
    assert_eq!(
        (check.outcome, check.detail.as_str()),
        (CheckOutcome::Pass, "1.3.9+7 answers, which is v1.3.9")
    );
    let check = check_of(r#"{"version":"1.4.0"}"#.to_owned()).await;
    let both = "1.4.0 answers, stable is v1.3.9";
    assert_eq!((check.outcome, check.detail.as_str()), (CheckOutcome::Fail, both));
    let of_length = |length: usize| format!(r#"{{"version":"{}"}}"#, "x".repeat(length));
    let check = check_of(of_length(60_000)).await;
    assert!(check.outcome == CheckOutcome::Fail && check.detail.len() < 1_000, "{}", check.detail.len());
    let check = check_of(of_length(15 << 20)).await;
    assert!(check.outcome == CheckOutcome::Unknown && check.detail.len() < 1_000, "{}", check.detail.len());
    let check = check_of(r#"{"version":1.4}"#.to_owned()).await;
    assert_eq!(check.outcome, CheckOutcome::Unknown);
    assert!(check.detail.contains("no text at .version"), "{}", check.detail);
}
