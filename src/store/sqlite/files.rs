//! The files of the database: nobody else's to read, one process's at a time, and still the ones
//! that were opened.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::ownership::{make_folders, open_or_make};

/// What a file of ours may be used for, and by whom: read and written by the owner.
const OURS: u32 = 0o600;

/// The rights of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The most bytes that are set aside: a bug that strikes every second must not fill the disk that
/// the store needs.
const MOST_SET_ASIDE_BYTES: u64 = 16 << 20;

fn unavailable(doing: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Unavailable { doing, source: source.into() }
}

/// A file beside the database: the ending follows the whole name, as with SQLite's `-wal`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Which file a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|found| Self { device: found.dev(), inode: found.ino() })
    }
}

/// The locks on a database; they go when dropped.
///
/// The database's own file is locked, because it may have several names (a symbolic or a hard link).
/// With `flock`, which does not touch SQLite's own locks; but these are lost when *any* descriptor of
/// the file is closed in this process. So this one is closed last, and the lock file, which keeps a
/// second store of this process away, is tried first.
#[derive(Debug)]
pub(super) struct Locks {
    _database: File,
    _name: File,
}

/// Makes the folder and the file where there are none, and keeps everybody else from them. Returns
/// the path without links, because SQLite names its other files after it.
pub(super) fn claim(path: &Path) -> Result<(PathBuf, Locks), StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folders(folder, 0o700).map_err(unavailable("creating the folder of `store.path`"))?;
    }
    // Where the file is a link to nowhere, or not there yet, its name is all there is.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = lock(&beside(&path, ".lock"), &path)?;
    let database = lock(&path, &path)?;
    for ending in ["-wal", "-shm"] {
        let other = beside(&path, ending);
        if other.exists() {
            close_to_others(&other).map_err(unavailable("restricting who may read the store"))?;
        }
    }
    // Its name may have been that of a link.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    Ok((path, Locks { _database: database, _name: name }))
}

fn lock(file: &Path, database: &Path) -> Result<File, StoreError> {
    let failed = unavailable("locking `store.path`");
    let opened = open_or_make(file, OpenOptions::new().truncate(false).read(true).write(true).mode(OURS));
    let opened = opened.map_err(&failed)?;
    match opened.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: database.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    close_to_others(file).map_err(failed)?;
    Ok(opened)
}

/// Whatever the umask was when it was made: who can open a database's file can lock it too.
fn close_to_others(file: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(file)?.permissions().mode();
    if mode & OTHERS != 0 {
        tracing::warn!(
            file = %file.display(),
            mode = format!("{:o}", mode & 0o777),
            "others could open this file of the store; it is now readable by its owner only"
        );
    }
    if mode & 0o777 != OURS {
        std::fs::set_permissions(file, Permissions::from_mode(OURS))?;
    }
    Ok(())
}

/// Appends a line of what can't be stored, and syncs it. Fails beyond [`MOST_SET_ASIDE_BYTES`].
pub(super) fn set_aside(database: &Path, line: &str) -> Result<(), StoreError> {
    let failed = unavailable("setting aside what can't be stored");
    let path = beside(database, ".rejected.jsonl");
    let opened = open_or_make(&path, OpenOptions::new().append(true).mode(OURS));
    let mut file = opened.map_err(&failed)?;
    let bytes = file.metadata().map_err(&failed)?.len() + line.len() as u64;
    if bytes > MOST_SET_ASIDE_BYTES {
        let full = format!("{} has {MOST_SET_ASIDE_BYTES} bytes; move it away", path.display());
        return Err(failed(io::Error::other(full)));
    }
    file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data()).map_err(failed)
}
