//! Stores alerts that can't be read, for a person to look at.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;

use super::UnreadableAlert;
use crate::pipeline::blob_ref;

/// Files that are stored, the newest ones: one for each kind of unreadable alert, because the same
/// text is written once. With [`super::MAX_LISTED`] of 8,192 characters in each, tens of megabytes.
const MAX_FILES: usize = 100;

/// The folder of unreadable alerts. Clones share its one writer.
#[derive(Debug, Clone)]
pub struct Quarantine {
    folder: Arc<Path>,
    /// One writes at a time: a disk that hangs must not gather threads.
    writing: Arc<Semaphore>,
}

impl Quarantine {
    /// The folder is created with its first file.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder: folder.into(), writing: Arc::new(Semaphore::new(1)) }
    }

    /// Begins to write the alerts of one body. Nobody waits for it: it stops no answer, and what is
    /// worth acting upon in the same body is under way.
    pub(super) fn keep(&self, received_at: DateTime<Utc>, alerts: Vec<UnreadableAlert>) {
        let Ok(alone) = Arc::clone(&self.writing).try_acquire_owned() else {
            return tracing::error!("an unreadable alert is not kept: another is being written");
        };
        let folder = Arc::clone(&self.folder);
        tokio::task::spawn_blocking(move || {
            let _alone = alone;
            match write(&folder, received_at, &alerts) {
                Ok(Some(file)) => {
                    tracing::error!(file = %file.display(), "what can't be read of a webhook is kept");
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, folder = %folder.display(), "an unreadable alert can't be kept");
                }
            }
        });
    }
}

/// Writes the file, unless the same is there already; then `None`.
fn write(
    folder: &Path,
    received_at: DateTime<Utc>,
    alerts: &[UnreadableAlert],
) -> io::Result<Option<PathBuf>> {
    let texts: Vec<_> = alerts.iter().map(|alert| alert.text.as_str()).collect();
    let name = format!("{}.json", &blob_ref(texts.join("\n").as_bytes()).sha256[..16]);
    let file = folder.join(name);
    if file.exists() {
        return Ok(None);
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    make_room(folder)?;
    let members = alerts
        .iter()
        .map(|alert| serde_json::json!({ "index": alert.index, "error": alert.error, "text": alert.text }));
    let content = serde_json::json!({ "received_at": received_at, "alerts": members.collect::<Vec<_>>() });
    // Only a new file: whoever put a link here must not choose what is overwritten.
    let mut writer = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    writer.write_all(content.to_string().as_bytes())?;
    writer.sync_all()?;
    Ok(Some(file))
}

/// Removes the oldest files until one more may come.
fn make_room(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let written_at = entry.metadata().and_then(|metadata| metadata.modified());
        files.push((written_at.unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
    }
    files.sort();
    let surplus = (files.len() + 1).saturating_sub(MAX_FILES);
    files[..surplus].iter().try_for_each(|(_, file)| fs::remove_file(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn unreadable(text: &str) -> [UnreadableAlert; 1] {
        [UnreadableAlert { index: 3, error: "it is no object".to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn the_same_text_is_kept_once_for_the_owner_alone_and_the_oldest_make_room() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("unreadable-alerts");
        let at = DateTime::UNIX_EPOCH;
        let first = write(&folder, at, &unreadable("7")).expect("written").expect("a file");
        assert_eq!(write(&folder, at, &unreadable("7")).expect("there already"), None);
        let content: serde_json::Value =
            serde_json::from_slice(&fs::read(&first).expect("read")).expect("JSON");
        assert_eq!((&content["alerts"][0]["text"], &content["alerts"][0]["index"]), (&"7".into(), &3.into()));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&first)), (0o700, 0o600));
        let old = fs::File::options().write(true).open(&first).expect("opened");
        old.set_modified(SystemTime::UNIX_EPOCH).expect("dated");
        for number in 0..MAX_FILES {
            write(&folder, at, &unreadable(&format!("[{number}]"))).expect("written");
        }
        assert_eq!(fs::read_dir(&folder).expect("read").count(), MAX_FILES);
        assert!(!first.exists(), "the oldest went");
    }
}
