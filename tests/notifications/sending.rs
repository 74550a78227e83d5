//! Our Slack channel, and messages for it, outside of the program.

use std::path::Path;
use std::sync::Arc;

use backstop::clock::{Clock, SystemClock};
use backstop::config::{SecretFile, SlackConfig};
use backstop::incident::{Notice, NoticeFact, NoticeId, References, Revision, RolloutName};
use backstop::notification::slack::Slack;
use backstop::notification::{Channel, Message, Place, Subject};

/// The channel at a Slack of this address; its token is kept in the folder.
pub(crate) fn slack(api_url: &str, channel: &str, token: &str, folder: &Path) -> Slack {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let file = folder.join(format!("token-{token}"));
    std::fs::write(&file, token).expect("written");
    let token = SecretFile::new(file);
    token.look();
    let config = SlackConfig {
        token,
        channel: channel.to_owned(),
        api_url: api_url.to_owned(),
        is_loopback: true,
        signing_secret: None,
        app_token: None,
        app_id: None,
        operators: Vec::new(),
        operator_group: None,
        mentions: Default::default(),
    };
    let place = Place {
        environment: Some("prod-eu".to_owned()),
        external_url: "https://backstop.example".to_owned(),
        dashboard_url: None,
    };
    Slack::new(&config, place).expect("a client")
}

/// The message of a notice about a rollout, which needs no incident.
pub(crate) fn message(number: u32, fact: NoticeFact, references: &References) -> Message {
    let notice = Notice {
        at: SystemClock.now(),
        kind: fact.kind(),
        id: Some(NoticeId(number)),
        fact: Some(fact),
        stage: None,
        share: None,
        text: String::new(),
    };
    Message {
        subject: Subject::Rollout {
            name: RolloutName::new("spark-trading"),
            revision: Revision::new("v1.4.0"),
            ramp: None,
        },
        notice: Arc::new(notice),
        done: Vec::new(),
        references: references.clone(),
        may_have_arrived: false,
        left_out: 0,
    }
}

/// Makes every call that the message needs, and returns which these were.
pub(crate) async fn deliver(
    slack: &Slack,
    mut message: Message,
    references: &mut References,
) -> Vec<&'static str> {
    let mut calls = Vec::new();
    while let Some(call) = slack.next_call(&message) {
        let sent = slack.send(call, &message).await.expect("sent");
        references.extend(sent.references.clone());
        message.references.extend(sent.references);
        message.done.push(call.to_owned());
        calls.push(call);
    }
    calls
}

/// What a rollout may have to say.
pub(crate) const LOST: NoticeFact = NoticeFact::WatchdogLost { silent_seconds: 192 };

/// Where the subject's message is: the channel's id, and its `ts`.
pub(crate) fn first(references: &References) -> (&str, &str) {
    (&references["channel"], &references["root"])
}
