//! A look at a database that changes nothing: not its schema, and no file beside it.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::schema::{broken_or, check_schema};
use crate::store::StoreError;

/// How a database was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreLook {
    /// The first start makes it.
    Absent,
    /// A process has it open.
    InUse,
    /// Nobody has it open, and this version can read it.
    Usable,
}

/// Looks whether a store could be opened. It holds the store's lock for some microseconds, in which no
/// server can start.
///
/// # Errors
/// [`StoreError::NewerSchema`], [`StoreError::Corrupt`] or [`StoreError::Unavailable`].
pub fn look_at_store(path: &Path) -> Result<StoreLook, StoreError> {
    let doing = "looking at `store.path`";
    let unavailable = |source: std::io::Error| StoreError::Unavailable { doing, source: source.into() };
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(StoreLook::Absent),
        Err(error) => return Err(unavailable(error)),
    };
    match file.try_lock() {
        Ok(()) => drop(file),
        Err(TryLockError::WouldBlock) => return Ok(StoreLook::InUse),
        Err(TryLockError::Error(error)) => return Err(unavailable(error)),
    }
    // Taken for unchangeable, SQLite makes no files beside it, which would be whose we are.
    let mut address = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                address.push(char::from(*byte))
            }
            other => address.push_str(&format!("%{other:02X}")),
        }
    }
    address.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection =
        Connection::open_with_flags(address, flags).map_err(|error| broken_or(path, doing, error))?;
    check_schema(&connection, path, doing)?;
    Ok(StoreLook::Usable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn a_look_says_how_the_store_is_and_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a store?.db");
        let names = || {
            let mut names: Vec<_> = std::fs::read_dir(folder.path())
                .expect("read")
                .flatten()
                .map(|one| one.file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(look_at_store(&path).expect("looked"), StoreLook::Absent);
        assert!(names().is_empty(), "{:?}", names());
        let store = SqliteStore::open(&path).expect("opened");
        assert_eq!(look_at_store(&path).expect("looked"), StoreLook::InUse);
        drop(store);
        let before = loop {
            // Its threads end a moment later, and with them the lock.
            if look_at_store(&path).expect("looked") == StoreLook::Usable {
                break names();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_eq!(look_at_store(&path).expect("looked"), StoreLook::Usable);
        assert_eq!(names(), before);
        let newer = Connection::open(&path).expect("opened");
        newer.pragma_update(None, "user_version", 1_000).expect("written");
        drop(newer);
        assert!(matches!(look_at_store(&path), Err(StoreError::NewerSchema { found: 1_000, .. })));
        std::fs::write(&path, "this is no database, and long enough to be looked at").expect("written");
        assert!(matches!(look_at_store(&path), Err(StoreError::Corrupt { .. })));
    }
}
