//! Methods that read.

use serde_json::{Value, json};

use super::Refusal;
use super::arguments::Arguments;
use super::methods::shown;
use super::workspace::{Channel, Post, Workspace};

/// A page of messages holds no more (docs.slack.dev, conversations.history, "limit").
const MAX_LIMIT: usize = 999;

fn channel<'a>(workspace: &'a Workspace, arguments: &Arguments) -> Result<&'a Channel, Refusal> {
    let id = arguments.text("channel").ok_or("channel_not_found")?;
    let found = workspace.channels.iter().find(|channel| channel.id == id);
    found.ok_or_else(|| "channel_not_found".into())
}

/// `conversations.info`: takes an id only.
pub(super) fn info(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments)?;
    Ok(json!({ "channel": {
        "id": channel.id, "name": channel.name, "name_normalized": channel.name, "is_channel": true,
        "is_member": channel.is_member, "is_archived": channel.is_archived, "is_private": false,
        "created": 1_790_000_000, "creator": "U0ANA",
    }}))
}

/// `conversations.history`: what the channel shows, newest first; replies only where broadcast.
pub(super) fn history(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments)?;
    if !channel.is_member {
        return Err("not_in_channel".into());
    }
    let in_channel = |post: &&Post| post.thread_ts.is_none() || post.is_broadcast;
    let mut posts: Vec<&Post> = channel.posts.iter().filter(in_channel).collect();
    posts.reverse();
    let after = arguments.text("cursor").and_then(|cursor| cursor.strip_prefix("before:").map(str::to_owned));
    posts.retain(|post| within(post, arguments) && after.as_ref().is_none_or(|after| post.ts < *after));
    Ok(page(&posts, channel, arguments, 100, "before:"))
}

/// `conversations.replies`: the root, then its replies, oldest first.
pub(super) fn replies(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments)?;
    let ts = arguments.text("ts").ok_or("thread_not_found")?;
    let named = channel.post(&ts).ok_or("thread_not_found")?;
    let root = named.thread_ts.as_ref().unwrap_or(&named.ts);
    let in_thread = |post: &&Post| post.ts == *root || post.thread_ts.as_ref() == Some(root);
    let after = arguments.text("cursor").and_then(|cursor| cursor.strip_prefix("after:").map(str::to_owned));
    let mut posts: Vec<&Post> = channel.posts.iter().filter(in_thread).collect();
    posts.retain(|post| post.ts == *root || within(post, arguments));
    posts.retain(|post| after.as_ref().is_none_or(|after| post.ts > *after));
    Ok(page(&posts, channel, arguments, 1000, "after:"))
}

/// Whether it lies between `oldest` and `latest`, themselves left out unless `inclusive`.
fn within(post: &Post, arguments: &Arguments) -> bool {
    let inclusive = arguments.is_set("inclusive");
    // Their digits are equally many, so that texts compare as numbers do.
    let later =
        arguments.text("oldest").is_none_or(|oldest| post.ts > oldest || inclusive && post.ts == oldest);
    let earlier =
        arguments.text("latest").is_none_or(|latest| post.ts < latest || inclusive && post.ts == latest);
    later && earlier
}

fn page(posts: &[&Post], channel: &Channel, arguments: &Arguments, default: usize, cursor: &str) -> Value {
    let limit = arguments.number("limit").unwrap_or(default).clamp(1, MAX_LIMIT);
    let with_metadata = arguments.is_set("include_all_metadata");
    let has_more = posts.len() > limit;
    let posts = &posts[..limit.min(posts.len())];
    let messages: Vec<Value> = posts.iter().map(|post| with_counts(post, channel, with_metadata)).collect();
    let next =
        posts.last().filter(|_| has_more).map_or_else(String::new, |last| format!("{cursor}{}", last.ts));
    json!({ "messages": messages, "has_more": has_more, "response_metadata": { "next_cursor": next } })
}

fn with_counts(post: &Post, channel: &Channel, with_metadata: bool) -> Value {
    let mut message = shown(post, with_metadata);
    let replies = channel.posts.iter().filter(|reply| reply.thread_ts.as_ref() == Some(&post.ts));
    if let Some(latest) = replies.clone().next_back() {
        message["thread_ts"] = post.ts.clone().into();
        message["reply_count"] = replies.count().into();
        message["latest_reply"] = latest.ts.clone().into();
    }
    message
}

/// `usergroups.users.list`
pub(super) fn user_group(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let id = arguments.text("usergroup").ok_or("no_such_subteam")?;
    let members = workspace.user_groups.iter().find(|(known, _)| *known == id).ok_or("no_such_subteam")?;
    Ok(json!({ "users": members.1 }))
}
