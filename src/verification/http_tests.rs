//! What is believed of an application, which answers by script over a socket of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use reqwest::Url;

use super::*;
use crate::incident::CheckOutcome;
use crate::outbound::Outbound;

const STABLE: &str = r#"{"version":"v1.3.9"}"#;
const CANARY: &str = r#"{"version":"1.4.0"}"#;

type Answers = &'static [(u16, &'static str)];

/// An application at whose every address these answers are given, in turn and again. It is there as
/// long as what serves it.
async fn answering(answers: Answers) -> (StableVersion, Application, JoinSet<()>) {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let (status, body) = answers[asked.fetch_add(1, Ordering::Relaxed) % answers.len()];
        async move { (StatusCode::from_u16(status).expect("a status"), body) }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let url = |path| Url::parse(&format!("http://{address}{path}")).expect("a URL");
    let healthz = Healthz { url: url("/healthz"), stable_version: "v1.3.9".to_owned() };
    let mut server = JoinSet::new();
    let routes = Router::new().fallback(get(answer));
    server.spawn(async move { axum::serve(listener, routes).await.expect("served") });
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let version = StableVersion { outbound: outbound.clone(), healthz: Some(healthz) };
    (version, Application::new(outbound, Some(url("/metrics"))), server)
}

#[tokio::test]
async fn the_version_that_answers_is_said_beside_the_stable_one_and_no_version_is_unknown() {
    use CheckOutcome::{Fail, Pass, Unknown};
    let no_json = "healthz answers no JSON (expected value at line 1 column 1): is the address right?";
    let cases: [(Answers, CheckOutcome, &str); 8] = [
        (&[(200, STABLE)], Pass, "v1.3.9 answers"),
        (&[(200, r#"{"version":"1.3.9+7"}"#)], Pass, "1.3.9+7 answers, which is v1.3.9"),
        (&[(200, CANARY)], Fail, "1.4.0 answers, stable is v1.3.9"),
        (
            &[(200, STABLE), (200, STABLE), (200, STABLE), (200, CANARY)],
            Fail,
            "1.4.0 answers, stable is v1.3.9",
        ),
        (&[(503, "starting")], Unknown, "/healthz: status 503: starting"),
        (&[(404, "no page")], Unknown, "/healthz: status 404: no page: is the address right?"),
        (&[(200, "ok")], Unknown, no_json),
        (&[(200, r#"{"version":1.4}"#)], Unknown, "healthz has no text at .version: is the address right?"),
    ];
    for (answers, outcome, detail) in cases {
        let (version, _, _server) = answering(answers).await;
        let seen = version.answering().await;
        assert_eq!((seen.outcome, seen.detail.as_str()), (outcome, detail), "{answers:?}");
    }
}

#[tokio::test]
async fn metrics_are_taken_as_they_are_served_and_a_status_says_whether_to_ask_again() {
    let (_, application, _server) =
        answering(&[(200, "requests_total 7\n"), (206, "requests_total 8\n")]).await;
    assert_eq!(application.metrics().await, Ok(b"requests_total 7\n".to_vec()));
    assert_eq!(application.metrics().await, Ok(b"requests_total 8\n".to_vec()), "any 2xx is an answer");

    let said = |status| format!("/metrics: status {status}: not here");
    let a_persons: Answers =
        &[(301, "not here"), (308, "not here"), (404, "not here"), (405, "not here"), (410, "not here")];
    let (_, application, _server) = answering(a_persons).await;
    for (status, _) in a_persons {
        let expected = ApplicationError::NotAsExpected(said(status));
        assert_eq!(application.metrics().await, Err(expected), "another address is needed");
    }
    let times: Answers =
        &[(401, "not here"), (409, "not here"), (429, "not here"), (500, "not here"), (503, "not here")];
    let (_, application, _server) = answering(times).await;
    for (status, _) in times {
        let expected = ApplicationError::NoAnswer(said(status));
        assert_eq!(application.metrics().await, Err(expected), "it may be otherwise later");
    }
}

#[tokio::test]
async fn what_no_address_is_configured_for_is_left_out_by_the_name_of_its_key() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let version = StableVersion { outbound: outbound.clone(), healthz: None };
    let expected = Seen::left_out("verify.healthz_url is not configured");
    assert_eq!(version.answering().await, expected);
    let application = Application::new(outbound, None);
    assert_eq!(application.metrics().await, Err(ApplicationError::NotConfigured("verify.metrics_url")));
}
