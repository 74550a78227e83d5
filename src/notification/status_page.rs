//! The status page: what the public reads.
//!
//! Only fixed sentences go there ([`public`]): no host, version, person or alert. A page is opened once
//! an incident. Where the opening may have arrived, the page is looked for first, and where it can't be
//! looked for nothing is sent any more: people are told that they have to look. The protocol gives the
//! first update five minutes.

mod atlassian;
mod public;
mod templated;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use atlassian::{Atlassian, Components};
pub use public::{Public, PublicStatus};
pub use templated::Templated;

use super::answers::still_unknown;
use super::{Channel, Message, SendError, Sent};
use crate::incident::{ChannelName, NoticeKind, References};

/// The channel's name.
const NAME: &str = "status_page";

/// The protocol, "Communication": "Update within 5 minutes".
const FIRST_WITHIN: Duration = Duration::from_secs(5 * 60);

/// The longest id that a page may give; it becomes part of addresses.
const MAX_ID_CHARS: usize = 255;

/// Under which it is remembered where on the page the incident is.
const ID: &str = "id";

/// Under which it is remembered what was said there last.
const SAID: &str = "said";

/// What a page has of an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    /// The texts that were posted.
    pub texts: Vec<String>,
}

/// A kind of status page.
#[async_trait]
pub trait StatusPage: Debug + Send + Sync {
    /// Posts an incident, and returns the page's id of it.
    ///
    /// # Errors
    /// See [`SendError`]; [`SendError::Unknown`] also where it is posted and its id can't be read.
    async fn open(&self, post: &Public) -> Result<String, SendError>;

    /// Adds to an incident that was posted, or ends it.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn update(&self, id: &str, post: &Public) -> Result<(), SendError>;

    /// Whether [`StatusPage::find`] can answer.
    fn can_find(&self) -> bool;

    /// The incident on the page that was posted for Backstop's incident of this id and is not resolved.
    ///
    /// # Errors
    /// See [`SendError`].
    async fn find(&self, incident: &str) -> Result<Option<Found>, SendError>;

    /// Looks whether it could be used; a sentence.
    ///
    /// # Errors
    /// What is wrong.
    async fn check(&self) -> Result<String, SendError>;
}

/// A status page as a channel.
#[derive(Debug)]
pub struct StatusPages {
    page: Arc<dyn StatusPage>,
    /// What the public calls the service.
    service: String,
}

impl StatusPages {
    /// Sends nothing yet.
    #[must_use]
    pub fn new(page: Arc<dyn StatusPage>, service: String) -> Self {
        Self { page, service }
    }

    async fn open(&self, message: &Message, post: &Public) -> Result<Sent, SendError> {
        if message.may_have_arrived || message.was_given_up_before(&self.name()) {
            if !self.page.can_find() {
                let error = "an earlier try may have posted it, and this page can't be searched: look at it, and post there yourself";
                return Err(SendError::Refused { error: error.to_owned() });
            }
            if let Some(found) = self.page.find(&post.incident).await.map_err(still_unknown)? {
                let said = found.texts.contains(&post.text);
                return Ok(remember(found.id, if said { post.said } else { "" }));
            }
        }
        self.page.open(post).await.map(|id| remember(id, post.said))
    }

    async fn update(&self, message: &Message, post: &Public) -> Result<Sent, SendError> {
        let id = message.references.get(ID).cloned().unwrap_or_default();
        if message.may_have_arrived && self.page.can_find() {
            let is_there = match self.page.find(&post.incident).await.map_err(still_unknown)? {
                Some(found) => found.texts.contains(&post.text),
                // It lists only what is not resolved: then this update, or a person, resolved it.
                None => post.status == PublicStatus::Resolved,
            };
            if is_there {
                return Ok(remember(id, post.said));
            }
        }
        self.page.update(&id, post).await.map(|()| remember(id, post.said))
    }
}

fn remember(id: String, said: &str) -> Sent {
    Sent { references: References::from([(ID.to_owned(), id), (SAID.to_owned(), said.to_owned())]) }
}

/// An id as the page gave it, if it can stand in an address.
fn usable_id(id: &str) -> Option<String> {
    let is_usable = !id.trim_matches('.').is_empty() && id.chars().count() <= MAX_ID_CHARS;
    is_usable.then(|| id.to_owned())
}

#[async_trait]
impl Channel for StatusPages {
    fn name(&self) -> ChannelName {
        ChannelName::new(NAME)
    }

    fn wants(&self, kind: NoticeKind) -> bool {
        public::says_something(kind)
    }

    fn first_within(&self) -> Option<Duration> {
        Some(FIRST_WITHIN)
    }

    fn next_call(&self, message: &Message) -> Option<&'static str> {
        let post = Public::of(message, &self.service)?;
        let is_open = message.references.get(ID).is_some_and(|id| !id.is_empty());
        let is_said = message.references.get(SAID).is_some_and(|said| said == post.said);
        match (is_open, is_said) {
            // What the public never heard of, it needn't hear the end of.
            (false, _) => (post.status != PublicStatus::Resolved && !post.ends).then_some("open"),
            // A rollback that fails again is no news to the public.
            (true, true) => None,
            (true, false) => Some("update"),
        }
    }

    async fn send(&self, call: &str, message: &Message) -> Result<Sent, SendError> {
        let post = Public::of(message, &self.service);
        match (call, post) {
            ("open", Some(post)) => self.open(message, &post).await,
            ("update", Some(post)) => self.update(message, &post).await,
            _ => Err(SendError::Refused { error: format!("there is no call {call} for this notice") }),
        }
    }

    /// Sends nothing: whatever was sent, the public would read.
    async fn test(&self, _now: DateTime<Utc>) -> Result<String, SendError> {
        let found = self.page.check().await?;
        Ok(format!("{found}; nothing was posted, because the public would have read it"))
    }

    async fn check(&self) -> Result<Vec<String>, SendError> {
        self.page.check().await.map(|found| vec![found])
    }
}

#[cfg(test)]
mod tests;
