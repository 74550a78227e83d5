//! The folders that a rollback writes into: the evidence's, and the store's.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::Examination;
use crate::config::Config;
use crate::finding::{Area, Check, Finding};
use crate::store::{StoreError, StoreLook, look_at_store};

/// Below this a rollback's evidence may not fit: the raw webhooks of a storm have some MiB each.
const TOO_LITTLE_BYTES: u64 = 16 << 20;

/// Below this somebody should look after the disk.
const LITTLE_BYTES: u64 = 512 << 20;

pub(super) fn examinations(config: &Config) -> Vec<Examination> {
    let (main, fallback) = (config.evidence.directory.clone(), config.evidence.fallback_directory.clone());
    let store = config.store.path.clone();
    vec![
        Examination::new(
            Area::Evidence,
            &main.display().to_string(),
            blocking(Area::Evidence, move || evidence(&main, &fallback)),
        ),
        Examination::new(
            Area::Store,
            &store.display().to_string(),
            blocking(Area::Store, move || of_store(&store)),
        ),
    ]
}

/// A file system may hang: on a thread that nobody waits for beyond the check's limit.
async fn blocking(area: Area, look: impl FnOnce() -> Vec<Finding> + Send + 'static) -> Vec<Finding> {
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| {
        vec![
            Check::new(area, "", "looked_at")
                .warning(format!("The check broke off: {error}."), "Report it: this is a bug in Backstop."),
        ]
    })
}

/// What was found out about a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Folder {
    Writable { free_bytes: u64, is_there: bool },
    Not(String),
}

/// Whether a file can be made in the folder, or the folder itself where it isn't there yet. Leaves nothing.
fn folder(path: &Path) -> Folder {
    let is_there = path.exists();
    let written = if is_there { write_in(path) } else { may_be_made(path) };
    let around = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    match written.and_then(|()| Ok(statvfs(around)?)) {
        // What root may use beyond that is not Backstop's.
        Ok(space) => Folder::Writable { free_bytes: space.f_bavail.saturating_mul(space.f_frsize), is_there },
        Err(error) => Folder::Not(error.to_string()),
    }
}

/// A file without a name, which is gone whatever becomes of us.
fn write_in(folder: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(b"backstop doctor")?;
    file.sync_all()
}

fn may_be_made(path: &Path) -> std::io::Result<()> {
    let around = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let around = around.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(access(around, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn evidence(main: &Path, fallback: &Path) -> Vec<Finding> {
    let about = main.display().to_string();
    judged_evidence(
        Check::new(Area::Evidence, &about, "writable"),
        &folder(main),
        fallback,
        &folder(fallback),
    )
}

fn judged_evidence(check: Check<'_>, main: &Folder, fallback: &Path, other: &Folder) -> Vec<Finding> {
    let own = |folder: &str| {
        format!(
            "Make {folder} writable for Backstop's user (mode 0700), or name another folder in [evidence]."
        )
    };
    match (main, other) {
        (Folder::Not(why), Folder::Not(_)) => vec![check.error(
            format!(
                "Evidence can be written neither there ({why}) nor in {}: a rollback would leave none.",
                fallback.display()
            ),
            own(check.about),
        )],
        (Folder::Not(why), Folder::Writable { .. }) => vec![check.warning(
            format!("Evidence can't be written there: {why}. It would go to {}.", fallback.display()),
            own(check.about),
        )],
        (Folder::Writable { .. }, Folder::Not(why)) => {
            let mut found = vec![judged_space(check, main, "evidence")];
            found.push(check.warning(
                format!(
                    "The folder for when that one fails, {}, can't be written: {why}.",
                    fallback.display()
                ),
                own(&fallback.display().to_string()),
            ));
            found
        }
        (Folder::Writable { .. }, Folder::Writable { .. }) => vec![judged_space(check, main, "evidence")],
    }
}

fn judged_space(check: Check<'_>, folder: &Folder, what: &str) -> Finding {
    let Folder::Writable { free_bytes, is_there } = *folder else {
        return check.error("It can't be written.", "Make it writable for Backstop's user.");
    };
    let free = format!("{} MiB are free", free_bytes >> 20);
    let remedy = "Free space on that file system, or move it to a larger one.";
    if free_bytes < TOO_LITTLE_BYTES {
        return check.error(format!("Only {free}: there is no room for a rollback's {what}."), remedy);
    }
    if free_bytes < LITTLE_BYTES {
        return check.warning(format!("Only {free}."), remedy);
    }
    let there = if is_there { "It can be written" } else { "It is not there yet, and can be made" };
    check.fine(format!("{there}; {free}."))
}

fn of_store(path: &Path) -> Vec<Finding> {
    let about = path.display().to_string();
    let check = Check::new(Area::Store, &about, "openable");
    let around: PathBuf = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut found = judged_store(check, look_at_store(path));
    match folder(&around) {
        Folder::Not(why) => found.push(check.error(
            format!("Nothing can be written in its folder: {why}. Backstop would act, and record nothing."),
            "Make the folder and the store's files those of Backstop's user, on a file system that can be written.",
        )),
        space @ Folder::Writable { .. } => {
            found.push(judged_space(Check { name: "space", ..check }, &space, "record"));
        }
    }
    found
}

fn judged_store(check: Check<'_>, look: Result<StoreLook, StoreError>) -> Vec<Finding> {
    vec![match look {
        Ok(StoreLook::Absent) => {
            check.note("There is no store yet.", "Nothing: the server makes it at its first start.")
        }
        Ok(StoreLook::InUse) => check.fine("A Backstop process has it open, as it should."),
        Ok(StoreLook::Usable) => check.note(
            "It can be opened, and no process has it open: the server doesn't run on this store.",
            "Start it: backstop serve.",
        ),
        Err(error @ StoreError::NewerSchema { .. }) => {
            check.error(format!("{error}."), "Run the newer version, or give this one another store.path.")
        }
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            check.error(
                format!("{error}{cause}."),
                "Restore it from a backup, or give it to Backstop's user (mode 0600).",
            )
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    const ROOM: Folder = Folder::Writable { free_bytes: 4 << 30, is_there: true };

    #[test]
    fn evidence_is_in_danger_only_where_neither_folder_can_be_written() {
        let check = Check::new(Area::Evidence, "/evidence", "writable");
        let not = || Folder::Not("read-only file system".to_owned());
        let free = |mebibytes: u64| Folder::Writable { free_bytes: mebibytes << 20, is_there: true };
        for (main, other, severity, words) in [
            (ROOM, ROOM, Severity::Fine, "4096 MiB are free"),
            (not(), ROOM, Severity::Warning, "It would go to /fallback"),
            (ROOM, not(), Severity::Warning, "/fallback, can't be written"),
            (not(), not(), Severity::Error, "neither there (read-only file system) nor in /fallback"),
            (free(8), ROOM, Severity::Error, "no room for a rollback's evidence"),
            (free(100), ROOM, Severity::Warning, "Only 100 MiB"),
        ] {
            let found = judged_evidence(check, &main, Path::new("/fallback"), &other);
            let worst = found.iter().max_by_key(|finding| finding.severity).expect("a finding");
            assert_eq!(worst.severity, severity, "{main:?} {other:?} {found:?}");
            assert!(worst.message.contains(words), "{worst:?}");
        }
    }

    #[test]
    fn a_look_at_folders_leaves_nothing_and_makes_none() {
        let around = tempfile::tempdir().expect("a folder");
        let missing = around.path().join("one/two");
        assert!(matches!(folder(around.path()), Folder::Writable { is_there: true, .. }));
        assert!(matches!(folder(&missing), Folder::Writable { is_there: false, .. }));
        std::fs::write(around.path().join("file"), "").expect("written");
        assert!(matches!(folder(&around.path().join("file")), Folder::Not(_)), "a file is no folder");
        let left: Vec<_> = std::fs::read_dir(around.path())
            .expect("read")
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(left, ["file"]);
    }
}
