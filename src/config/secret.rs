//! Secrets: read from files, read again when they change, never printed.

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use subtle::{Choice, ConstantTimeEq};

/// Tokens and keys are some hundred bytes; a wrong path should not fill the memory.
const MAX_BYTES: u64 = 64 << 10;

/// A secret. It has no way of being printed or serialised.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The text. For the one header that needs it, never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that tells nothing about where two texts differ.
    fn equals(&self, other: &str) -> Choice {
        self.0.as_bytes().ct_eq(other.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("{path} can't be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds nothing.
    #[error("{path} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something that is no secret.
    #[error("{path} is over {MAX_BYTES} bytes or not text")]
    NotASecret {
        /// The file.
        path: PathBuf,
    },
}

impl SecretError {
    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => {
                format!(
                    "create {} with the secret in its first line, readable by Backstop's user",
                    path.display()
                )
            }
            Self::Empty { path } => format!("write the secret into {}", path.display()),
            Self::NotASecret { path } => format!("check that {} is the right file", path.display()),
        }
    }
}

/// What tells that a file was replaced or rewritten.
type Version = (i64, i64, u64, u64);

/// What a file held when it was last read.
#[derive(Debug, Clone)]
struct Held {
    version: Version,
    first: Secret,
    /// The lines after it.
    others: Vec<Secret>,
}

/// A file that holds a secret, or several, one a line. Clones share what was read.
///
/// Whoever presents a secret takes the first line; whoever checks one accepts every line. So a token
/// is rotated without a restart: add the new one as first line, switch its users, remove the old.
#[derive(Debug, Clone)]
pub struct SecretFile {
    path: PathBuf,
    cached: Arc<Mutex<Option<Held>>>,
}

impl SecretFile {
    /// The secret in this file; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, cached: Arc::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret as it stands now, the first line. After a good read, a file that can't be read for
    /// a while (being replaced, or no file descriptor left) keeps its last value.
    ///
    /// # Errors
    /// When it was never read and can't be.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.held(|held| held.first.clone())
    }

    /// Whether the presented text is one of the lines. Every one is compared, in constant time.
    fn accepts(&self, presented: &str) -> Result<Choice, SecretError> {
        self.held(|held| {
            let matches = held.others.iter().map(|secret| secret.equals(presented));
            matches.fold(held.first.equals(presented), |any, one| any | one)
        })
    }

    fn held<T>(&self, take: impl FnOnce(&Held) -> T) -> Result<T, SecretError> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = self.read_if_changed(cached.as_ref());
        match (fresh, cached.as_mut()) {
            (Ok(Some(fresh)), _) => Ok(take(cached.insert(fresh))),
            (Ok(None) | Err(_), Some(known)) => Ok(take(known)),
            (Ok(None), None) => Err(SecretError::Empty { path: self.path.clone() }),
            (Err(error), None) => Err(error),
        }
    }

    fn read_if_changed(&self, cached: Option<&Held>) -> Result<Option<Held>, SecretError> {
        let unreadable = |source| SecretError::Unreadable { path: self.path.clone(), source };
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        let version = (metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino());
        if cached.is_some_and(|known| known.version == version) {
            return Ok(None);
        }
        let not_a_secret = || SecretError::NotASecret { path: self.path.clone() };
        if metadata.len() > MAX_BYTES {
            return Err(not_a_secret());
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&self.path).map_err(unreadable)?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| not_a_secret())?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut secrets = lines.map(|line| Secret(Arc::from(line)));
        let first = secrets.next().ok_or_else(|| SecretError::Empty { path: self.path.clone() })?;
        Ok(Some(Held { version, first, others: secrets.collect() }))
    }

    /// Whether every user of the machine can read it.
    #[must_use]
    pub fn is_world_readable(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
    }
}

/// Several tokens that are accepted alike: during a rotation the old one and the new one.
#[derive(Debug, Clone)]
pub struct TokenSet(Vec<SecretFile>);

impl TokenSet {
    /// These tokens; `None` where there is none.
    #[must_use]
    pub fn new(files: &[SecretFile]) -> Option<Self> {
        (!files.is_empty()).then(|| Self(files.to_vec()))
    }

    /// Whether the presented token is one of them. Every one is compared, in constant time.
    #[must_use]
    pub fn accepts(&self, presented: &str) -> bool {
        let matches = self.0.iter().map(|file| {
            file.accepts(presented).unwrap_or_else(|error| {
                tracing::error!(%error, "a token can't be read, so nobody is accepted by it");
                Choice::from(0)
            })
        });
        matches.fold(Choice::from(0), |any, one| any | one).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, SecretFile) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        std::fs::write(&path, text).expect("written");
        (directory, SecretFile::new(path))
    }

    #[test]
    fn a_rotated_token_is_accepted_without_restart_and_the_old_one_no_longer() {
        let (_directory, secret) = file("old\n");
        let tokens = TokenSet::new(std::slice::from_ref(&secret)).expect("a token");
        assert!(tokens.accepts("old") && !tokens.accepts("new"));
        std::fs::write(secret.path(), "newer\n").expect("written");
        assert!(tokens.accepts("newer") && !tokens.accepts("old"));
    }

    #[test]
    fn during_a_rotation_both_tokens_are_accepted_and_nothing_else() {
        let (_one, old) = file("old");
        let (_two, new) = file("new");
        let tokens = TokenSet::new(&[old, new]).expect("tokens");
        for (presented, accepted) in
            [("old", true), ("new", true), ("", false), ("ol", false), ("oldnew", false)]
        {
            assert_eq!(tokens.accepts(presented), accepted, "{presented:?}");
        }
    }

    #[test]
    fn a_file_with_two_lines_accepts_both_and_presents_the_first() {
        let (_directory, secret) = file("old\n");
        let tokens = TokenSet::new(std::slice::from_ref(&secret)).expect("a token");
        std::fs::write(secret.path(), "brand-new\r\n\n  old\n").expect("written");
        assert!(tokens.accepts("brand-new") && tokens.accepts("old"));
        assert!(!tokens.accepts("") && !tokens.accepts("brand-new\nold") && !tokens.accepts("  old"));
        assert_eq!(secret.read().expect("read").expose(), "brand-new");
        std::fs::write(secret.path(), "brand-new\n").expect("written");
        assert!(tokens.accepts("brand-new") && !tokens.accepts("old"));
    }

    #[test]
    fn a_file_that_vanishes_after_a_good_read_keeps_its_value() {
        let (_directory, secret) = file("token");
        assert_eq!(secret.read().expect("read").expose(), "token");
        std::fs::remove_file(secret.path()).expect("removed");
        assert_eq!(secret.read().expect("remembered").expose(), "token");
    }

    #[test]
    fn missing_and_empty_files_name_the_path_and_the_remedy() {
        let missing = SecretFile::new("/nowhere/token".into()).read().expect_err("missing");
        assert!(missing.to_string().contains("/nowhere/token") && missing.remedy().contains("create"));
        let (_directory, empty) = file(" \n");
        assert!(matches!(empty.read(), Err(SecretError::Empty { .. })));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let (_directory, secret) = file("s3cret");
        let read = secret.read().expect("read");
        assert!(!format!("{read:?} {secret:?}").contains("s3cret"));
    }
}
