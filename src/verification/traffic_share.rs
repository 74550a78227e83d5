//! Whether the traffic is off the canary, by the system that moves it.

use async_trait::async_trait;

use super::probe::{Probe, Round, Seen};
use crate::execution::ReadError;
use crate::incident::CheckName;

/// No request can reach the canary: its share is 0 %, and no rule leads there beside it.
#[derive(Debug, Clone, Copy)]
pub struct TrafficShare;

#[async_trait]
impl Probe for TrafficShare {
    fn name(&self) -> CheckName {
        CheckName::TrafficShare
    }

    fn is_essential(&self) -> bool {
        true
    }

    async fn read(&self, round: &Round<'_>) -> Seen {
        match round.observed().await {
            Ok(observed) if observed.is_off() => Seen::pass(observed.words()),
            Ok(observed) => Seen::fail(format!("{} on the canary", observed.words())),
            Err(ReadError::NotConfigured) => Seen::left_out("traffic.read_url is not configured"),
            Err(error) => Seen::unknown(error.to_string()),
        }
    }
}
