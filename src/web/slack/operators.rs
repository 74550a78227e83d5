//! Who may do more by a button than acknowledge.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::SlackConfig;
use crate::notification::slack::{Api, Trouble};

/// How long a group's members are believed. Who was taken out of it may press for a minute more.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

/// How long Slack may take to name them: somebody waits for what the button does.
const ASKED_FOR: Duration = Duration::from_secs(3);

/// Users by their id, and a user group.
#[derive(Debug)]
pub(super) struct Operators {
    users: Vec<String>,
    group: Option<String>,
    members: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl Operators {
    pub(super) fn new(config: &SlackConfig) -> Self {
        let (users, group) = (config.operators.clone(), config.operator_group.clone());
        Self { users, group, members: Mutex::new(None) }
    }

    /// Whether anybody may.
    pub(super) fn are_named(&self) -> bool {
        !self.users.is_empty() || self.group.is_some()
    }

    /// Whether a user may. Slack is asked only about whom the configuration does not name itself.
    ///
    /// # Errors
    /// When Slack does not name the group's members; then nobody of it may.
    pub(super) async fn allow(&self, user: &str, api: &Api) -> Result<bool, Trouble> {
        let Some(group) = self.group.as_deref().filter(|_| !self.names(user)) else {
            return Ok(self.names(user));
        };
        if let Some(is_member) = self.is_known_member(user) {
            return Ok(is_member);
        }
        let asked_at = Instant::now();
        let members: BTreeSet<_> = api.members(group, asked_at + ASKED_FOR).await?.into_iter().collect();
        let is_member = members.contains(user);
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked_at, members));
        Ok(is_member)
    }

    fn names(&self, user: &str) -> bool {
        self.users.iter().any(|named| named == user)
    }

    fn is_known_member(&self, user: &str) -> Option<bool> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, members) = members.as_ref().filter(|(asked_at, _)| asked_at.elapsed() < BELIEVED_FOR)?;
        Some(members.contains(user))
    }
}
