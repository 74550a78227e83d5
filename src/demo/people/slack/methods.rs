//! Methods that write.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::workspace::{BOT_USER, Channel, Ephemeral, Post, TEAM, Version, WORKSPACE_URL, Workspace};
use super::{Refusal, blocks};
use crate::demo::people::now;

/// Longer ones are refused (docs.slack.dev, chat.postMessage, "Truncating content").
const MAX_TEXT_CHARS: usize = 40_000;

/// A `thread_ts` outside of these seconds is refused (measured by backlot's authors).
const EARLIEST_THREAD_SECONDS: i64 = 631_152_000;
const MAX_THREAD_SECONDS_AHEAD: i64 = 3_600;

/// `chat.postMessage`. As at Slack, a `thread_ts` that names no message posts to the channel itself, and
/// one that names a reply posts to that reply's thread.
pub(super) fn post_message(workspace: &mut Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let name = arguments.required("channel")?;
    let version = Version { metadata: metadata(arguments)?, ..content(arguments)? };
    let may_post_anywhere = workspace.has_scope("chat:write.public");
    let ts = workspace.next_ts();
    let channel = workspace.channel_mut(&name).ok_or("channel_not_found")?;
    if channel.is_archived {
        return Err("is_archived".into());
    }
    if !channel.is_member && !may_post_anywhere {
        return Err("not_in_channel".into());
    }
    let thread_ts = thread(channel, arguments)?;
    let is_broadcast = thread_ts.is_some() && arguments.is_set("reply_broadcast");
    let user = BOT_USER.to_owned();
    let post = Post { ts: ts.clone(), thread_ts, is_broadcast, user, versions: vec![version] };
    let answer = json!({ "channel": channel.id, "ts": ts, "message": shown(&post, true) });
    channel.posts.push(post);
    Ok(answer)
}

/// The root of the thread that is named.
fn thread(channel: &Channel, arguments: &Arguments) -> Result<Option<String>, Refusal> {
    let Some(named) = arguments.text("thread_ts") else { return Ok(None) };
    let seconds = named.split('.').next().and_then(|seconds| seconds.parse::<i64>().ok()).unwrap_or(0);
    if seconds <= EARLIEST_THREAD_SECONDS || seconds > now().timestamp() + MAX_THREAD_SECONDS_AHEAD {
        return Err("invalid_thread_ts".into());
    }
    Ok(channel.post(&named).map(|post| post.thread_ts.clone().unwrap_or_else(|| post.ts.clone())))
}

/// `chat.update`: takes a channel's id only; what is left out stays as it is.
pub(super) fn update(workspace: &mut Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let (id, ts) = (arguments.required("channel")?, arguments.required("ts")?);
    let new = content(arguments)?;
    let (has_blocks, has_metadata) =
        (arguments.structure("blocks", "invalid_blocks_format")?.is_some(), metadata(arguments)?);
    let channel =
        workspace.channels.iter_mut().find(|channel| channel.id == id).ok_or("channel_not_found")?;
    if channel.is_archived {
        return Err("is_archived".into());
    }
    let post = channel.post_mut(&ts).ok_or("message_not_found")?;
    if post.user != BOT_USER {
        return Err("cant_update_message".into());
    }
    let before = post.current().clone();
    let blocks = if has_blocks { new.blocks } else { before.blocks };
    post.versions.push(Version { blocks, metadata: has_metadata.or(before.metadata), ..new });
    let mut message = shown(post, true);
    if let Some(members) = message.as_object_mut() {
        // It stands beside the message only.
        members.remove("ts");
    }
    Ok(json!({ "channel": id, "ts": ts, "text": post.current().text, "message": message }))
}

/// `chat.postEphemeral`: one person sees it, until they reload; takes ids only.
pub(super) fn post_ephemeral(workspace: &mut Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let (user, id) = (arguments.required("user")?, arguments.required("channel")?);
    let is_id = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if !user.starts_with(['U', 'W']) || !is_id(&user) {
        return Err("invalid_arguments".into());
    }
    let text = arguments.text("text").unwrap_or_default();
    let is_known = workspace.users.iter().any(|(known, _)| *known == user);
    let ts = workspace.next_ts();
    let channel =
        workspace.channels.iter_mut().find(|channel| channel.id == id).ok_or("channel_not_found")?;
    if !is_known {
        return Err("user_not_in_channel".into());
    }
    channel.ephemerals.push(Ephemeral { at: now(), user, thread_ts: arguments.text("thread_ts"), text });
    Ok(json!({ "message_ts": ts }))
}

/// `chat.getPermalink`: takes a channel's id only. Whatever is in a thread, its root too, leads to the
/// thread.
pub(super) fn permalink(workspace: &Workspace, arguments: &Arguments) -> Result<Value, Refusal> {
    let (id, ts) = (arguments.required("channel")?, arguments.required("message_ts")?);
    let channel = workspace.channels.iter().find(|channel| channel.id == id).ok_or("channel_not_found")?;
    let post = channel.post(&ts).ok_or("message_not_found")?;
    let is_root = channel.posts.iter().any(|reply| reply.thread_ts.as_ref() == Some(&ts));
    let root = post.thread_ts.as_ref().or(Some(&post.ts).filter(|_| is_root));
    let query = root.map_or_else(String::new, |root| format!("?thread_ts={root}&cid={id}"));
    let link = format!("{WORKSPACE_URL}archives/{id}/p{}{query}", ts.replace('.', ""));
    Ok(json!({ "channel": id, "permalink": link }))
}

fn content(arguments: &Arguments) -> Result<Version, Refusal> {
    let text = arguments.text("text").unwrap_or_default();
    let blocks = match arguments.structure("blocks", "invalid_blocks_format")? {
        None => Vec::new(),
        Some(Value::Array(blocks)) => blocks,
        Some(_) => return Err("invalid_blocks_format".into()),
    };
    if text.is_empty() && blocks.is_empty() {
        return Err("no_text".into());
    }
    if text.chars().count() > MAX_TEXT_CHARS {
        return Err("msg_too_long".into());
    }
    blocks::check(&blocks)?;
    let blocks = blocks.into_iter().enumerate().map(|(index, mut block)| {
        if block.get("block_id").is_none() {
            block["block_id"] = format!("b{index}").into();
        }
        block
    });
    Ok(Version { at: now(), text, blocks: blocks.collect(), metadata: None })
}

/// `{ event_type, event_payload }` (docs.slack.dev, "Message metadata").
fn metadata(arguments: &Arguments) -> Result<Option<Value>, Refusal> {
    let Some(metadata) = arguments.structure("metadata", "invalid_metadata_format")? else { return Ok(None) };
    if metadata["event_type"].as_str().is_none_or(str::is_empty) || !metadata["event_payload"].is_object() {
        return Err("invalid_metadata_format".into());
    }
    Ok(Some(metadata))
}

/// A message as Slack's answers show it.
pub(super) fn shown(post: &Post, with_metadata: bool) -> Value {
    let current = post.current();
    let mut message = json!({
        "type": "message", "user": post.user, "ts": post.ts, "text": current.text, "team": TEAM,
    });
    if post.user == BOT_USER {
        message["bot_id"] = "B0BACKSTOP".into();
        message["app_id"] = "A0BACKSTOP".into();
        message["bot_profile"] = json!({
            "id": "B0BACKSTOP", "app_id": "A0BACKSTOP", "user_id": BOT_USER, "name": "Backstop", "deleted": false,
            "icons": { "image_36": "https://a.slack-edge.com/36.png" }, "updated": 1_790_000_000, "team_id": TEAM,
        });
    }
    if !current.blocks.is_empty() {
        message["blocks"] = current.blocks.clone().into();
    }
    if let Some(root) = &post.thread_ts {
        message["thread_ts"] = root.clone().into();
        message["parent_user_id"] = BOT_USER.into();
    }
    if post.is_broadcast {
        message["subtype"] = "thread_broadcast".into();
    }
    if post.is_edited() {
        message["edited"] = json!({ "user": post.user, "ts": format!("{}.000000", current.at.timestamp()) });
    }
    if let Some(metadata) = current.metadata.as_ref().filter(|_| with_metadata) {
        message["metadata"] = metadata.clone();
    }
    message
}
