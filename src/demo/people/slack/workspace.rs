//! What there is in the workspace: channels as threads, people, what the app may do.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::socket::Socket;
use super::{APP_TOKEN, BOT_TOKEN, Refusal};
use crate::demo::people::now;

pub(super) const BOT_USER: &str = "U0BACKSTOP";
pub(super) const TEAM: &str = "T0DEMO";
pub(super) const WORKSPACE_URL: &str = "https://backstop-demo.slack.com/";

/// What the bot may do unless a test takes it away.
const SCOPES: [&str; 5] =
    ["chat:write", "chat:write.public", "channels:history", "channels:read", "usergroups:read"];

/// One state of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub at: DateTime<Utc>,
    pub text: String,
    pub blocks: Vec<Value>,
    /// None where there is none.
    pub metadata: Option<Value>,
}

/// A message with everything that it ever was.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// Its id in the channel: seconds with six digits after the point.
    pub ts: String,
    /// The thread that it is a reply to.
    pub thread_ts: Option<String>,
    /// A reply that the channel shows too.
    pub is_broadcast: bool,
    /// The user that wrote it.
    pub user: String,
    /// Oldest first; never empty.
    pub versions: Vec<Version>,
}

impl Post {
    /// As it is shown now.
    #[must_use]
    pub fn current(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }

    /// Whether it was changed after it was posted.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.versions.len() > 1
    }
}

/// A message and the replies to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Thread {
    pub root: Post,
    /// Oldest first.
    pub replies: Vec<Post>,
}

/// What only one person sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Ephemeral {
    pub at: DateTime<Utc>,
    pub user: String,
    pub thread_ts: Option<String>,
    pub text: String,
}

/// A button that is on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub action_id: String,
    pub block_id: String,
    pub value: String,
    pub text: String,
    pub style: Option<String>,
    /// Where it leads to; such a button sends an interaction as well.
    pub url: Option<String>,
    /// Whether the person is asked once more.
    pub is_confirmed: bool,
}

/// That somebody pressed a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    pub at: DateTime<Utc>,
    /// The message that it is on.
    pub ts: String,
    pub user: String,
    pub text: String,
}

/// A channel.
#[derive(Debug, Clone)]
pub struct Channel {
    pub id: String,
    /// Without `#`.
    pub name: String,
    pub is_member: bool,
    pub is_archived: bool,
    /// Roots and replies, oldest first.
    pub posts: Vec<Post>,
    pub ephemerals: Vec<Ephemeral>,
    pub presses: Vec<Press>,
}

impl Channel {
    /// What it shows, oldest first.
    #[must_use]
    pub fn threads(&self) -> Vec<Thread> {
        let roots = self.posts.iter().filter(|post| post.thread_ts.is_none());
        let replies = |ts: &str| {
            let of = self.posts.iter().filter(|post| post.thread_ts.as_deref() == Some(ts));
            of.cloned().collect()
        };
        roots.map(|root| Thread { root: root.clone(), replies: replies(&root.ts) }).collect()
    }

    /// A message by its `ts`.
    #[must_use]
    pub fn post(&self, ts: &str) -> Option<&Post> {
        self.posts.iter().find(|post| post.ts == ts)
    }

    pub(super) fn post_mut(&mut self, ts: &str) -> Option<&mut Post> {
        self.posts.iter_mut().find(|post| post.ts == ts)
    }
}

/// Everything.
#[derive(Debug)]
pub(in crate::demo::people) struct Workspace {
    pub(super) scopes: Vec<String>,
    pub(super) channels: Vec<Channel>,
    /// Id and name.
    pub(super) users: Vec<(String, String)>,
    pub(super) user_groups: Vec<(String, Vec<String>)>,
    pub(super) socket: Socket,
    /// How often each `response_url` was used.
    pub(super) response_urls: Vec<super::button::ResponseUrl>,
    last_ts_microseconds: i64,
}

impl Default for Workspace {
    fn default() -> Self {
        let mut workspace = Self {
            scopes: SCOPES.map(str::to_owned).to_vec(),
            channels: Vec::new(),
            users: Vec::new(),
            user_groups: Vec::new(),
            socket: Socket::default(),
            response_urls: Vec::new(),
            last_ts_microseconds: 0,
        };
        workspace.set_channel("spark-incidents", true, false);
        for (id, name) in [(BOT_USER, "Backstop"), ("U0ANA", "ana"), ("U0BEN", "ben"), ("U0EVE", "eve")] {
            workspace.add_user(id, name);
        }
        workspace.set_user_group("S0ONCALL", &["U0ANA", "U0BEN"]);
        workspace
    }
}

impl Workspace {
    pub(super) fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| is_called(channel, name))
    }

    pub(super) fn channel_mut(&mut self, name: &str) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| is_called(channel, name))
    }

    pub(super) fn set_channel(&mut self, name: &str, is_member: bool, is_archived: bool) -> String {
        if let Some(channel) = self.channel_mut(name) {
            (channel.is_member, channel.is_archived) = (is_member, is_archived);
            return channel.id.clone();
        }
        let id = format!("C0CHANNEL{}", self.channels.len() + 1);
        self.channels.push(Channel {
            id: id.clone(),
            name: name.trim_start_matches('#').to_owned(),
            is_member,
            is_archived,
            posts: Vec::new(),
            ephemerals: Vec::new(),
            presses: Vec::new(),
        });
        id
    }

    pub(super) fn add_user(&mut self, id: &str, name: &str) {
        self.users.push((id.to_owned(), name.to_owned()));
    }

    pub(super) fn user_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.users.iter().find(|(known, _)| known == id).map_or(id, |(_, name)| name)
    }

    pub(super) fn set_user_group(&mut self, id: &str, members: &[&str]) {
        self.user_groups.retain(|(known, _)| known != id);
        self.user_groups.push((id.to_owned(), members.iter().map(|&user| user.to_owned()).collect()));
    }

    pub(super) fn say(
        &mut self,
        user: &str,
        channel: &str,
        text: &str,
        thread_ts: Option<&str>,
    ) -> Option<String> {
        let ts = self.next_ts();
        let version = Version { at: now(), text: text.to_owned(), blocks: Vec::new(), metadata: None };
        self.channel_mut(channel)?.posts.push(Post {
            ts: ts.clone(),
            thread_ts: thread_ts.map(str::to_owned),
            is_broadcast: false,
            user: user.to_owned(),
            versions: vec![version],
        });
        Some(ts)
    }

    /// The id of the next message: the time, and never the same twice.
    pub(super) fn next_ts(&mut self) -> String {
        self.last_ts_microseconds = now().timestamp_micros().max(self.last_ts_microseconds + 1);
        let (seconds, rest) = (self.last_ts_microseconds / 1_000_000, self.last_ts_microseconds % 1_000_000);
        format!("{seconds}.{rest:06}")
    }

    pub(super) fn identity(&self) -> Value {
        json!({
            "url": WORKSPACE_URL, "team": "Backstop demo", "user": "backstop", "team_id": TEAM,
            "user_id": BOT_USER, "bot_id": "B0BACKSTOP", "is_enterprise_install": false,
        })
    }

    /// Whether the token may call the method; scopes by each method's page.
    pub(super) fn authorize(&self, method: &str, token: Option<&str>) -> Result<(), Refusal> {
        let for_app = method == "apps.connections.open";
        match token {
            None => return Err("not_authed".into()),
            Some(APP_TOKEN) if for_app => return Ok(()),
            Some(BOT_TOKEN) if !for_app => {}
            Some(APP_TOKEN | BOT_TOKEN) => return Err("not_allowed_token_type".into()),
            Some(_) => return Err("invalid_auth".into()),
        }
        let needed = match method {
            "chat.postMessage" | "chat.update" | "chat.postEphemeral" => "chat:write",
            "conversations.info" | "conversations.list" => "channels:read",
            "conversations.history" | "conversations.replies" => "channels:history",
            "usergroups.users.list" => "usergroups:read",
            _ => return Ok(()),
        };
        if self.has_scope(needed) {
            return Ok(());
        }
        let more = json!({ "needed": needed, "provided": self.scopes.join(",") });
        Err(Refusal { error: "missing_scope", more })
    }

    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

fn is_called(channel: &Channel, name: &str) -> bool {
    channel.id == name || channel.name.eq_ignore_ascii_case(name.trim_start_matches('#'))
}
