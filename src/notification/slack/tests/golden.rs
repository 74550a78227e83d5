//! Every message as JSON, compared with a file that people read. `UPDATE_GOLDEN=1` writes them anew.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::blocks::{self, Told};
use super::super::{is_loud, is_told_by_root};
use crate::config::SlackButtons;
use crate::incident::NoticeKind;
use crate::notification::fixtures::{longest_message, longest_place, message, place};
use crate::notification::{Message, Place};

/// What is sent for a notice: the message as the first of its subject, and later the reply.
pub(super) fn sent(message: &Message, place: &Place) -> Vec<(&'static str, Value)> {
    let mentions = if is_loud(&message.notice) { "<!subteam^S1>" } else { "" };
    let told = Told { mentions, left_out: 0 };
    let first = blocks::root(message, place, SlackButtons::All, is_told_by_root(message).then_some(told));
    let reply = blocks::reply(message, place, told);
    let marked = |content, call| serde_json::to_value(blocks::marked(content, message, call)).expect("JSON");
    vec![("root", marked(first, "root")), ("reply", marked(reply, "reply"))]
}

#[test]
fn every_kind_of_message_is_as_its_file_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/notifications/slack");
    let mut cases = Vec::new();
    for kind in NoticeKind::ALL {
        cases.push((format!("{kind}.json"), message(*kind), place()));
        cases.push((format!("{kind}.longest.json"), longest_message(*kind), longest_place()));
    }
    let mut known: Vec<_> = cases.iter().map(|(name, ..)| name.clone()).collect();
    known.sort();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).expect("a folder");
    }
    for (name, message, place) in cases {
        let sent: serde_json::Map<_, _> =
            sent(&message, &place).into_iter().map(|(call, content)| (call.to_owned(), content)).collect();
        let text = serde_json::to_string_pretty(&json!(sent)).expect("JSON") + "\n";
        let path = folder.join(&name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).expect("written");
        }
        let file =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, file, "{name} differs: run again with UPDATE_GOLDEN=1, and read the difference");
    }
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, known, "two files for each kind, and no other");
}
