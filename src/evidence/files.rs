//! Files that are whole or not there, that nobody else can read, and that take no other's place.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use super::EvidenceError;
pub(super) use crate::incident::sha256_hex as sha256;
use crate::ownership::{give_to_owner_around, make_folders, open_or_make};

/// Evidence holds labels, answers and addresses: nobody's business but that of Backstop's user, and
/// who could open the lock's file could keep it for ever.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Names under which a strange file may be set aside; more of them than this are no accident.
const MAX_SET_ASIDE: usize = 99;

/// How often the lock is tried: writing takes milliseconds.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn io<'a>(
    path: &'a Path,
    doing: &'static str,
) -> impl FnOnce(std::io::Error) -> EvidenceError + 'a {
    move |source| EvidenceError::Io { path: path.to_owned(), doing, source }
}

/// Makes the folder, and closes it to everybody else, as one of an earlier version may not be. One with
/// other people's files in it and none of ours (`/var/log`, by a mistake) is not ours to close.
pub(super) fn private_folder(folder: &Path) -> Result<(), EvidenceError> {
    make_folder(folder)?;
    let mode = fs::metadata(folder).map_err(io(folder, "read"))?.permissions().mode();
    if mode & 0o777 != FOLDER_MODE
        && is_ours(folder)
        && let Err(error) = fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))
    {
        tracing::warn!(folder = %folder.display(), %error, "the evidence folder can't be closed to other users");
    }
    Ok(())
}

/// Makes a folder that nobody else can look into, where there is none.
pub(super) fn make_folder(folder: &Path) -> Result<(), EvidenceError> {
    make_folders(folder, FOLDER_MODE).map_err(io(folder, "created"))
}

/// Whether nothing is in it, or anything of ours.
fn is_ours(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut names = entries.flatten().map(|entry| entry.file_name()).peekable();
    let of_ours = |name: std::ffi::OsString| {
        ["manifest.", "rollback_"]
            .iter()
            .any(|beginning| name.as_encoded_bytes().starts_with(beginning.as_bytes()))
    };
    names.peek().is_none() || names.any(of_ours)
}

/// Opens a file of ours for writing, or makes it. A link in its place is not followed.
pub(super) fn open_private(path: &Path, options: &mut OpenOptions) -> Result<File, EvidenceError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = open_or_make(path, options.mode(FILE_MODE).custom_flags(flags));
    let file = opened.map_err(io(path, "opened"))?;
    // The umask takes bits away, and a file of an earlier version has too many.
    file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(io(path, "opened"))?;
    Ok(file)
}

fn temporary(folder: &Path, bytes: &[u8]) -> Result<NamedTempFile, EvidenceError> {
    let mut file = NamedTempFile::new_in(folder).map_err(io(folder, "written"))?;
    let path = file.path().to_owned();
    give_to_owner_around(file.as_file(), &path);
    file.as_file().set_permissions(Permissions::from_mode(FILE_MODE)).map_err(io(&path, "written"))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io(&path, "written"))?;
    Ok(file)
}

/// Writes under a name that nobody can guess, fsyncs, renames over what is there, fsyncs the folder.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
    let path = folder.join(name);
    temporary(folder, bytes)?.persist(&path).map_err(|error| io(&path, "written")(error.error))?;
    sync_folder(path.parent().unwrap_or(folder))
}

/// The same where nothing may lie yet; says whether nothing did.
pub(super) fn create(folder: &Path, name: &str, bytes: &[u8]) -> Result<bool, EvidenceError> {
    let path = folder.join(name);
    match temporary(folder, bytes)?.persist_noclobber(&path) {
        Ok(_) => sync_folder(path.parent().unwrap_or(folder)).map(|()| true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io(&path, "written")(error.error)),
    }
}

/// Moves what somebody else put under one of our names to another one; nothing is lost.
pub(super) fn set_aside(folder: &Path, name: &str) -> Result<String, EvidenceError> {
    let path = folder.join(name);
    for number in 1..=MAX_SET_ASIDE {
        let aside = format!("{name}.not-ours-{number}");
        let target = folder.join(&aside);
        if fs::symlink_metadata(&target).is_ok() {
            continue;
        }
        fs::rename(&path, &target).map_err(io(&path, "set aside"))?;
        sync_folder(folder)?;
        return Ok(aside);
    }
    Err(EvidenceError::NoNameLeft { file: name.to_owned(), folder: folder.to_owned() })
}

fn sync_folder(folder: &Path) -> Result<(), EvidenceError> {
    sync(folder).map_err(io(folder, "written"))
}

pub(super) fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The bytes, or `None` where there is no such file. What is no plain file (a link, a pipe that would
/// hang whoever reads it) is an error.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, EvidenceError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(path, "read")(error)),
    };
    if !file.metadata().map_err(io(path, "read"))?.is_file() {
        return Err(io(path, "read")(std::io::Error::other("it is no plain file")));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io(path, "read"))?;
    Ok(Some(bytes))
}

/// Waits for the lock of a file for as long as another writer may take.
pub(super) fn wait_for(path: &Path, file: File) -> Result<File, EvidenceError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(io(path, "locked")(error)),
        }
    }
    Err(EvidenceError::Busy { path: path.to_owned() })
}
