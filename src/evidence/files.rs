//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::EvidenceError;

/// SHA-256 in lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn io<'a>(
    path: &'a Path,
    doing: &'static str,
) -> impl FnOnce(std::io::Error) -> EvidenceError + 'a {
    move |source| EvidenceError::Io { path: path.to_owned(), doing, source }
}

/// Writes under a temporary name, fsyncs, renames, fsyncs the folder.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
    let temporary = folder.join(format!(".{name}.tmp"));
    let path = folder.join(name);
    let mut file = File::create(&temporary).map_err(io(&temporary, "created"))?;
    file.write_all(bytes).map_err(io(&temporary, "written"))?;
    file.sync_all().map_err(io(&temporary, "written"))?;
    fs::rename(&temporary, &path).map_err(io(&path, "written"))?;
    sync_folder(folder)
}

pub(super) fn sync_folder(folder: &Path) -> Result<(), EvidenceError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder, "written"))
}

/// The bytes, or `None` where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, EvidenceError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(path, "read")(error)),
    }
}
