//! What a person reads of channels that answer, refuse, say nothing, or lie.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::*;
use crate::incident::NoticeKind;
use crate::notification::{Message, Sent};

/// Answers every question alike; `None`: never.
#[derive(Debug)]
struct Answers(&'static str, Option<Result<&'static str, SendError>>);

impl Answers {
    async fn answer(&self) -> Result<String, SendError> {
        match &self.1 {
            Some(answer) => answer.clone().map(str::to_owned),
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Channel for Answers {
    fn name(&self) -> ChannelName {
        ChannelName::new(self.0)
    }

    fn wants(&self, _: NoticeKind) -> bool {
        true
    }

    fn next_call(&self, _: &Message) -> Option<&'static str> {
        None
    }

    async fn send(&self, _: &str, _: &Message) -> Result<Sent, SendError> {
        Ok(Sent::default())
    }

    async fn test(&self, now: DateTime<Utc>) -> Result<String, SendError> {
        self.answer().await.map(|answer| format!("{answer} at {}", now.timestamp()))
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        self.answer().await.map(|answer| vec![answer.clone(), answer])
    }
}

fn refused() -> Option<Result<&'static str, SendError>> {
    Some(Err(SendError::Refused { error: "invalid_auth\u{1b}[2J\nslack: ok".to_owned() }))
}

fn channels(answers: Vec<Answers>) -> Channels {
    let channels = answers.into_iter().map(|channel| Arc::new(channel) as Arc<dyn Channel>);
    Arc::new(channels.map(|channel| (channel.name(), channel)).collect::<BTreeMap<_, _>>())
}

fn lines(said: &[Said]) -> Vec<String> {
    said.iter().map(|said| anstream::adapter::strip_str(&said_text(said)).to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_channel_gets_a_line_with_what_came_back_and_one_that_hangs_holds_up_none() {
    let all =
        vec![Answers("page", Some(Ok("posted"))), Answers("pagerduty", None), Answers("slack", refused())];
    let all = channels(all);
    let begun = tokio::time::Instant::now();
    let said = tested(&all, None, DateTime::UNIX_EPOCH).await;
    assert_eq!(begun.elapsed(), PATIENCE, "all at once");
    let expected = [
        "page: posted at 0",
        "pagerduty: FAILED: no answer within 30 s (it may have arrived all the same)",
        "slack: FAILED: invalid_auth\\u{1b}[2J\\nslack: ok",
    ];
    assert_eq!(lines(&said), expected);
    assert_eq!(outcome(&said), Outcome::Failed);
    let one = tested(&all, Some("page"), DateTime::UNIX_EPOCH).await;
    assert_eq!((one.len(), outcome(&one)), (1, Outcome::Done));
    assert_eq!(outcome(&[]), Outcome::NothingToDo);
}

#[tokio::test(start_paused = true)]
async fn a_look_names_each_thing_that_was_found() {
    let said =
        checked(&channels(vec![Answers("page", Some(Ok("may post"))), Answers("slack", refused())])).await;
    let expected = ["page: may post\npage: may post", "slack: FAILED: invalid_auth\\u{1b}[2J\\nslack: ok"];
    assert_eq!(lines(&said), expected);
}
