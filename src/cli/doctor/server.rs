//! The running server: whether it answers, and is the one that this configuration describes.

use std::sync::Arc;

use futures_util::FutureExt;

use crate::cli::client::{Client, ClientError};
use crate::config::Config;
use crate::doctor::{Examination, Heard};
use crate::finding::{Area, Check, Finding};
use crate::web::{AboutView, TestAlertView};

/// Asks it which it is.
pub(super) fn examination(config: &Config) -> Examination {
    let (config, about) = (config.clone(), config.server.listen.to_string());
    let address = about.clone();
    Examination::new(Area::Server, &about, async move {
        let answer = match Client::new(&config) {
            Ok(client) => client.get::<AboutView>("/api/v1/about").await,
            Err(error) => Err(error),
        };
        let own = AboutView::of(&config.fingerprint);
        vec![judged(Check::new(Area::Server, &address, "running"), &own, answer)]
    })
}

/// Asks it whether a test alert has come.
pub(super) fn heard(config: &Config) -> Heard {
    let config = config.clone();
    Arc::new(move |test: String| {
        let client = Client::new(&config);
        async move {
            let path = format!("/api/v1/test-alerts/{test}");
            let answer = client.map_err(|error| error.to_string())?.get::<TestAlertView>(&path).await;
            answer.map(|view| view.received_at.is_some()).map_err(|error| error.to_string())
        }
        .boxed()
    })
}

fn judged(check: Check<'_>, own: &AboutView, answer: Result<AboutView, ClientError>) -> Finding {
    match answer {
        Ok(server) if server.version != own.version => check.warning(
            format!("The server that runs is version {}, and this is {}.", server.version, own.version),
            "Restart it with this version, or run doctor of that one.",
        ),
        Ok(server) if server.configuration != own.configuration => check.warning(
            "The server runs with another text than the configuration has now: what was found here is not what it does.",
            "Restart it, or name its file with --config.",
        ),
        Ok(server) => check.fine(format!("It runs, version {}, with this configuration.", server.version)),
        Err(error @ ClientError::Down { .. }) => check.error(
            format!("The server can't be reached, so alerts lead to nothing: {error}."),
            "Start it: backstop serve, or systemctl start backstop.",
        ),
        Err(error @ ClientError::Refused { status: 404, .. }) => check.warning(
            format!("The server that runs is of another version: {error}."),
            "Restart it with this version.",
        ),
        Err(error) => check.warning(
            format!("The server can't be asked: {error}."),
            "Let this user read an operator's or a viewer's token, and check server.listen.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn a_server_that_is_down_is_an_error_and_another_one_than_this_a_warning() {
        let check = Check::new(Area::Server, "127.0.0.1:8080", "running");
        let own = AboutView::of("0123");
        let down = || ClientError::Down { address: "http://x".to_owned(), reason: "refused".to_owned() };
        let refused = |status| ClientError::Refused { status, message: "no".to_owned(), refusal: None };
        for (answer, severity, words) in [
            (Ok(own.clone()), Severity::Fine, "with this configuration"),
            (Ok(AboutView::of("4567")), Severity::Warning, "another text"),
            (
                Ok(AboutView { version: "9.9.9".to_owned(), ..own.clone() }),
                Severity::Warning,
                "version 9.9.9",
            ),
            (Err(down()), Severity::Error, "alerts lead to nothing"),
            (Err(refused(404)), Severity::Warning, "another version"),
            (Err(refused(401)), Severity::Warning, "can't be asked"),
        ] {
            let found = judged(check, &own, answer);
            assert_eq!(found.severity, severity, "{found:?}");
            assert!(found.message.contains(words), "{found:?}");
        }
    }
}
