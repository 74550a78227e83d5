//! Methods that read.

use serde_json::{Value, json};

use super::Refusal;
use super::arguments::Arguments;
use super::methods::shown;
use super::workspace::{Channel, Post, Workspace};

/// A page of messages holds no more (docs.slack.dev, conversations.history, "limit").
const MAX_LIMIT: usize = 999;

fn channel<'a>(workspace: &'a Workspace, arguments: &Arguments) -> Result<&'a Channel, Refusal> {
    let id = arguments.required("channel")?;
    let found = workspace.channels.iter().find(|channel| channel.id == id);
    found.ok_or_else(|| "channel_not_found".into())
}

fn described(channel: &Channel) -> Value {
    json!({
        "id": channel.id, "name": channel.name, "name_normalized": channel.name, "is_channel": true,
        "is_member": channel.is_member, "is_archived": channel.is_archived, "is_private": false,
        "created": 1_790_000_000, "creator": "U0ANA",
    })
}

/// `conversations.info`: takes an id only.
pub(super) fn info(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    Ok(json!({ "channel": described(channel(workspace, arguments)?) }))
}

/// `conversations.list`: here all are public. Its last page has an empty cursor.
pub(super) fn list(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let is_listed = |channel: &&Channel| !(channel.is_archived && arguments.is_set("exclude_archived"));
    let (channels, next) = page(workspace.channels.iter().filter(is_listed).collect(), arguments, 100)?;
    let channels: Vec<Value> = channels.into_iter().map(described).collect();
    Ok(json!({ "channels": channels, "response_metadata": { "next_cursor": next.unwrap_or_default() } }))
}

/// `conversations.history`: what the channel shows, replies only where broadcast; each page newest first.
/// Pages go back in time, but forward where `oldest` is the only bound: its first page is the oldest.
pub(super) fn history(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments)?;
    if !channel.is_member {
        return Err("not_in_channel".into());
    }
    let in_channel = |post: &&Post| post.thread_ts.is_none() || post.is_broadcast;
    let mut posts: Vec<&Post> =
        channel.posts.iter().filter(in_channel).filter(|post| within(post, arguments)).collect();
    let is_forward = arguments.text("oldest").is_some() && arguments.text("latest").is_none();
    if !is_forward {
        posts.reverse();
    }
    let (mut posts, next) = page(posts, arguments, 100)?;
    if is_forward {
        posts.reverse();
    }
    Ok(answer(&posts, next, channel, arguments))
}

/// `conversations.replies`: the root, then its replies, oldest first; also by the `ts` of a reply.
pub(super) fn replies(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let channel = channel(workspace, arguments)?;
    let ts = arguments.required("ts")?;
    let named = channel.post(&ts).ok_or("thread_not_found")?;
    let root = named.thread_ts.as_ref().unwrap_or(&named.ts);
    let in_thread = |post: &&Post| post.ts == *root || post.thread_ts.as_ref() == Some(root);
    let mut posts: Vec<&Post> = channel.posts.iter().filter(in_thread).collect();
    posts.retain(|post| post.ts == *root || within(post, arguments));
    let (posts, next) = page(posts, arguments, MAX_LIMIT)?;
    Ok(answer(&posts, next, channel, arguments))
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

/// The page that `cursor` and `limit` ask for, and the next one's cursor if there is one.
fn page<'a, T>(
    all: Vec<&'a T>,
    arguments: &Arguments,
    default_limit: usize,
) -> Result<(Vec<&'a T>, Option<String>), Refusal> {
    let limit = arguments.number("limit").unwrap_or(default_limit).clamp(1, MAX_LIMIT);
    let skipped = match arguments.text("cursor") {
        None => 0,
        Some(cursor) => cursor
            .strip_prefix("skip:")
            .and_then(|count| count.parse::<usize>().ok())
            .ok_or(Refusal::from("invalid_cursor"))?,
    };
    let next = (all.len() > skipped + limit).then(|| format!("skip:{}", skipped + limit));
    Ok((all.into_iter().skip(skipped).take(limit).collect(), next))
}

/// The last page has no `response_metadata` at all.
fn answer(posts: &[&Post], next: Option<String>, channel: &Channel, arguments: &Arguments) -> Value {
    let with_metadata = arguments.is_set("include_all_metadata");
    let messages: Vec<Value> = posts.iter().map(|post| with_counts(post, channel, with_metadata)).collect();
    let mut answer = json!({ "messages": messages, "has_more": next.is_some() });
    if let Some(next) = next {
        answer["response_metadata"] = json!({ "next_cursor": next });
    }
    answer
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
    let id = arguments.required("usergroup")?;
    let members = workspace.user_groups.iter().find(|(known, _)| *known == id).ok_or("no_such_subteam")?;
    Ok(json!({ "users": members.1 }))
}
