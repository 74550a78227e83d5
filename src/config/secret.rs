//! Secrets: in files, looked at every second, never printed.
//!
//! Nobody who needs a secret waits for its file: the last look counts, and looking is done on
//! threads that may hang ([`super::secret_watch`]). What a look says decides what follows:
//!
//! - **Read**: it counts from now on. So a token is rotated without a restart.
//! - **Gone** (missing, empty, no longer readable for us): somebody took it away, so nobody is let in
//!   by it any more. Two looks in a row have to say so: `echo new > file` empties the file first.
//!   Whoever *presents* the secret goes on with what was last read: the other side checks it, and a
//!   rollback must not fail for it.
//! - **Unclear** (it hangs, an I/O error, no file descriptor left): nothing is said about the secret,
//!   so nothing changes, for however long it lasts. A limit of age would shut out Alertmanager
//!   whenever a network file system hangs, which is when alerts fire. Who must revoke a token
//!   meanwhile restarts the server: it does not start without its secrets.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::token::{accepted_problem, any_problem};

/// Tokens and keys are some hundred bytes; a wrong path should not fill the memory.
const MAX_BYTES: u64 = 64 << 10;

/// So many looks in a row must find a secret gone before it is: a file that is rewritten in place is
/// empty for a moment, and a look takes place once a second.
const LOOKS_UNTIL_GONE: u32 = 2;

/// A look that takes longer than this hangs. A busy disk answers within a second.
const HANGS_AFTER: Duration = Duration::from_secs(5);

/// Why a secret, or a line of it, can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Also when permission is denied: either way the secret was withdrawn from us.
    #[error("{path} can't be read: {problem}")]
    Missing { path: PathBuf, problem: String },
    #[error("{path} is empty")]
    Empty { path: PathBuf },
    /// Not a regular file, over 64 KiB long, or not UTF-8.
    #[error("{path} {problem}")]
    NotASecret { path: PathBuf, problem: &'static str },
    /// A line that no one can send, or that everybody could guess.
    #[error("line {line} of {path} {problem}")]
    BadLine { path: PathBuf, line: usize, problem: &'static str },
    /// Reading failed for a reason that says nothing about the secret.
    #[error("{path} can't be read now: {problem}")]
    Unclear { path: PathBuf, problem: String },
}

impl SecretError {
    /// What the operator should do, in the imperative and with the path.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing { path, .. } => {
                let path = path.display();
                format!("create {path} with the secret in its first line, readable by Backstop's user")
            }
            Self::Empty { path } => format!("write the secret into {}", path.display()),
            Self::NotASecret { path, .. } => format!("check that {} is the right file", path.display()),
            Self::BadLine { path, .. } => {
                let path = path.display();
                format!("write a new one: (umask 077; head -c 24 /dev/urandom | base64 > {path})")
            }
            Self::Unclear { path, .. } => format!("check the file system of {}", path.display()),
        }
    }

    fn is_unclear(&self) -> bool {
        matches!(self, Self::Unclear { .. })
    }
}

/// What became of a secret by the last looks at its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretState {
    Usable,
    /// A line of the file can't be used; the others can.
    PartlyUsable(SecretError),
    Gone(SecretError),
    /// The file doesn't answer; the last look counts.
    Unclear(SecretError),
}

#[derive(Debug)]
struct Held {
    lines: Vec<SecretString>,
    bad_line: Option<SecretError>,
    is_world_readable: bool,
}

#[derive(Debug, Default)]
struct Looked {
    held: Option<Held>,
    gone_looks: u32,
    error: Option<SecretError>,
    /// Set while a look is under way, so that a file that hangs holds one thread and no more.
    looking_since: Option<Instant>,
}

/// A file that holds a secret, or several, one a line. Clones share what was read.
///
/// Whoever presents a secret takes the first line; whoever checks one accepts every line. So a token
/// is rotated without a restart: add the new one as first line, switch its users, remove the old.
#[derive(Debug, Clone)]
pub struct SecretFile {
    path: PathBuf,
    /// Checks one line. Tokens that others send must meet more than secrets that we present.
    problem: fn(&str) -> Option<&'static str>,
    looked: Arc<Mutex<Looked>>,
}

impl SecretFile {
    /// A secret that is presented to others; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, problem: any_problem, looked: Arc::default() }
    }

    /// Tokens by which others are let in; nothing is read yet.
    #[must_use]
    pub fn accepted(path: PathBuf) -> Self {
        Self { path, problem: accepted_problem, looked: Arc::default() }
    }

    /// For messages: the path is no secret.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secret to present: the first line, as last read. It waits for no file.
    ///
    /// # Errors
    /// While no look has read it yet, with the error of the last one.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let looked = self.looked();
        let first = looked.held.as_ref().and_then(|held| held.lines.first()).cloned();
        first.ok_or_else(|| looked.error.clone().unwrap_or_else(|| self.unread()))
    }

    fn unread(&self) -> SecretError {
        SecretError::Unclear { path: self.path.clone(), problem: "it was not read yet".to_owned() }
    }

    /// The lines by which somebody is let in: none once the secret is gone.
    pub(super) fn accepted_lines<T>(&self, take: impl FnOnce(&[SecretString]) -> T) -> T {
        let looked = self.looked();
        let held = looked.held.as_ref().filter(|_| looked.gone_looks < LOOKS_UNTIL_GONE);
        take(held.map(|held| held.lines.as_slice()).unwrap_or_default())
    }

    /// Whether one of its lines convinces: for a secret with which others sign. Every one is tried. Once
    /// the secret is gone none does.
    #[must_use]
    pub fn any_convinces(&self, convinces: impl Fn(&str) -> bool) -> bool {
        let tried = |any, line: &SecretString| convinces(line.expose_secret()) | any;
        self.accepted_lines(|lines| lines.iter().fold(false, tried))
    }

    /// What the last looks came to. One that has run for 5 s hangs, which leaves the secret unclear.
    #[must_use]
    pub fn state(&self) -> SecretState {
        let looked = self.looked();
        let hangs = looked.looking_since.is_some_and(|since| since.elapsed() >= HANGS_AFTER);
        let problem = || format!("it has not answered for {} s", HANGS_AFTER.as_secs());
        match (&looked.held, &looked.error) {
            _ if hangs => {
                SecretState::Unclear(SecretError::Unclear { path: self.path.clone(), problem: problem() })
            }
            (_, Some(error)) if error.is_unclear() => SecretState::Unclear(error.clone()),
            (None, error) => SecretState::Gone(error.clone().unwrap_or_else(|| self.unread())),
            (Some(_), Some(error)) if looked.gone_looks >= LOOKS_UNTIL_GONE => {
                SecretState::Gone(error.clone())
            }
            (Some(held), _) => held.bad_line.clone().map_or(SecretState::Usable, SecretState::PartlyUsable),
        }
    }

    /// Whether every user of the machine can read it.
    #[must_use]
    pub fn is_world_readable(&self) -> bool {
        self.looked().held.as_ref().is_some_and(|held| held.is_world_readable)
    }

    /// Looks at the file. This may hang as long as its file system does, so it is for threads of
    /// their own; a look that is under way is not joined by a second one.
    pub fn look(&self) {
        if self.begin_look() {
            self.finish_look();
        }
    }

    /// Whether there is no look under way; then one is now.
    pub(super) fn begin_look(&self) -> bool {
        let mut looked = self.looked();
        let free = looked.looking_since.is_none();
        if free {
            looked.looking_since = Some(Instant::now());
        }
        free
    }

    pub(super) fn finish_look(&self) {
        let seen = self.read_lines();
        let mut looked = self.looked();
        looked.looking_since = None;
        looked.take(seen);
    }

    fn read_lines(&self) -> Result<Held, SecretError> {
        let path = || self.path.clone();
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => {
                SecretError::Missing { path: path(), problem: error.to_string() }
            }
            _ => SecretError::Unclear { path: path(), problem: error.to_string() },
        };
        let not_a_secret = |problem| SecretError::NotASecret { path: path(), problem };
        // Before opening: a named pipe would wait for somebody who writes.
        if !std::fs::metadata(&self.path).map_err(failed)?.is_file() {
            return Err(not_a_secret("is not a file that can be read again"));
        }
        let file = File::open(&self.path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(not_a_secret("is over 64 KiB long"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| not_a_secret("is not text"))?;
        let (mut lines, mut bad_line) = (Vec::new(), None);
        for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
            match (self.problem)(line) {
                None => lines.push(SecretString::from(line)),
                Some(problem) => {
                    bad_line =
                        bad_line.or(Some(SecretError::BadLine { path: path(), line: index + 1, problem }));
                }
            }
        }
        if lines.is_empty() {
            return Err(bad_line.unwrap_or(SecretError::Empty { path: path() }));
        }
        Ok(Held { lines, bad_line, is_world_readable: metadata.mode() & 0o004 != 0 })
    }
}

impl Looked {
    fn take(&mut self, seen: Result<Held, SecretError>) {
        match seen {
            Ok(held) => {
                self.held = Some(held);
                self.gone_looks = 0;
                self.error = None;
            }
            Err(error) => {
                if !error.is_unclear() {
                    self.gone_looks = self.gone_looks.saturating_add(1);
                }
                self.error = Some(error);
            }
        }
    }
}

/// A token of two roles would give each the rights of the other.
pub(super) fn share_a_line(one: &SecretFile, other: &SecretFile) -> bool {
    let lines: Vec<SecretString> = one.accepted_lines(<[SecretString]>::to_vec);
    let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
    other.accepted_lines(|others| others.iter().any(|b| lines.iter().any(|a| same(a, b))))
}

#[cfg(test)]
mod tests;
