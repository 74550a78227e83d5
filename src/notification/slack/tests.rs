//! What Slack is sent, and what is done about what it answers.

mod buttons;
mod calls;
mod checks;
pub(crate) mod fake;
mod golden;
mod limits;

use std::path::Path;

use secrecy::ExposeSecret;

use super::*;
use crate::config::SecretFile;
use crate::notification::fixtures::place;

/// A configuration for a Slack at this address, with everything allowed.
pub(super) fn config(api_url: &str, folder: &Path) -> SlackConfig {
    let secret = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).expect("written");
        let file = SecretFile::new(folder.join(name));
        file.look();
        assert_eq!(file.read().expect("read").expose_secret(), text);
        file
    };
    SlackConfig {
        token: secret("token", "xoxb-not-a-real-one"),
        channel: "#spark-incidents".to_owned(),
        api_url: api_url.to_owned(),
        is_loopback: true,
        signing_secret: Some(secret("signing", "not-a-real-signing-secret")),
        app_token: Some(secret("app-token", "xapp-not-a-real-one")),
        app_id: None,
        operators: vec!["U0OPERATOR".to_owned()],
        operator_group: None,
        mentions: [vec!["<!subteam^S1>".to_owned()], vec!["<@U2>".to_owned()], Vec::new()],
    }
}

/// A channel that asks a Slack at this address.
pub(super) fn slack(api_url: &str, folder: &Path) -> Slack {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    Slack::new(&config(api_url, folder), place()).expect("a client")
}
