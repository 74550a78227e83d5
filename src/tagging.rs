//! The tag that a success gets in a git repository, as the protocol has it: `git tag -a v1.4.0`, and a push where
//! that is asked for.
//!
//! Never a reason for a ramp to fail: what doesn't work is a named problem, and trying again does no harm.

mod candidates;
mod far;
mod git;

use std::path::PathBuf;

use crate::commands::{Commands, RunError};
use crate::incident::{RampId, Revision};
use crate::text::shown;
use candidates::{Named, named};
use git::Git;

/// What the protocol writes into the tag.
const MESSAGE: &str = "Canary deployment successful";

/// Where tags are pushed to.
const REMOTE: &str = "origin";

/// Tags in one repository of this machine.
#[derive(Debug, Clone)]
pub struct Tagger {
    pub commands: Commands,
    pub repository: PathBuf,
    /// Whether a tag goes to `origin`, too.
    pub push: bool,
}

/// What there is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    pub tag: String,
    /// Its full SHA.
    pub commit: String,
    /// It was there before, on the same commit.
    pub was_there: bool,
    pub is_pushed: bool,
}

/// Why a success has no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// A person has to mend the setting, or the rights.
    #[error("{} can't be used as a git repository: {why}", .repository.display())]
    Unusable { repository: PathBuf, why: String },
    /// It has to be fetched there, or the revision be named otherwise.
    #[error(
        "revision {} names no commit that the repository knows: fetch it there, or let the revision have the commit's SHA in it",
        shown(.0)
    )]
    NoCommit(String),
    /// It can't be known which is meant.
    #[error("revision {} names several commits: {}", shown(.revision), .commits.join(", "))]
    Ambiguous { revision: String, commits: Vec<String> },
    /// The revision has characters that no tag may have.
    #[error("{} is no name for a tag", shown(.0))]
    NoName(String),
    /// Somebody else has used the name: a person has to look.
    #[error("tag {tag} is on commit {there} already, and the ramp was of {commit}")]
    Taken { tag: String, there: String, commit: String },
    /// It may work later.
    #[error("tag {tag} can't be made: {why}")]
    NotMade { tag: String, why: String },
    /// The commit may be at the remote, which can't be asked for it. It may work later.
    #[error(
        "revision {} names no commit that the repository knows, and {REMOTE} can't be asked for it: fetch it there, and tag it by hand: {why}",
        shown(.revision)
    )]
    NotFetched { revision: String, why: String },
    /// The tag is there, and not at the remote. It may work later.
    #[error("tag {tag} is made, and can't be pushed to {REMOTE}: {why}")]
    NotPushed { tag: String, why: String },
    /// Git is not installed, took too long, or Backstop stops.
    #[error("git: {0}")]
    NotRun(#[from] RunError),
}

impl TagError {
    /// Whether the same may work a moment later, without anybody's doing.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotPushed { why, .. } | Self::NotFetched { why, .. } => !far::is_final(why),
            Self::NotMade { .. } => true,
            Self::NotRun(error) => !matches!(error, RunError::NoProgram(_) | RunError::Stopping),
            Self::Unusable { .. }
            | Self::NoCommit(_)
            | Self::Ambiguous { .. }
            | Self::NoName(_)
            | Self::Taken { .. } => false,
        }
    }
}

impl Tagger {
    /// Tags the commit of a revision whose ramp has succeeded. Done again it changes nothing.
    ///
    /// # Errors
    /// See [`TagError`].
    pub async fn tag(&self, revision: &Revision, ramp: &RampId) -> Result<Tagged, TagError> {
        let git = self.git();
        self.check().await?;
        let Named { tag, hex } = named(revision.as_str()).ok_or_else(|| no_name(revision))?;
        if !git.say(&["check-ref-format", &format!("refs/tags/{tag}")]).await?.is_yes {
            return Err(no_name(revision));
        }
        let there = git.commit_of_tag(&tag).await?;
        let (commit, fetched) = self.commit(&git, revision, &hex).await?;
        let (commit, was_there) = match (commit, there) {
            (Some(commit), Some(there)) if commit != there => {
                return Err(TagError::Taken { tag, there, commit });
            }
            (Some(commit), there) => (commit, there.is_some()),
            // A version whose tag was made before its ramp: that is the commit.
            (None, Some(there)) => (there, true),
            (None, None) => {
                let revision = revision.as_str().to_owned();
                return Err(match fetched {
                    Ok(()) => TagError::NoCommit(revision),
                    Err(why) => TagError::NotFetched { revision, why },
                });
            }
        };
        if !was_there {
            let message = format!("{MESSAGE}\n\nRamp: {}", shown(ramp.as_str()));
            let made = git.say(&["tag", "--annotate", "--message", &message, &tag, &commit]).await?;
            made.or(|why| TagError::NotMade { tag: tag.clone(), why })?;
        }
        if self.push {
            let pushed = git.say_far(&["push", "--quiet", REMOTE, &format!("refs/tags/{tag}")]).await?;
            pushed.or(|why| TagError::NotPushed { tag: tag.clone(), why })?;
        }
        Ok(Tagged { tag, commit, was_there, is_pushed: self.push })
    }

    /// Whether there is a repository that can be used. Changes nothing.
    ///
    /// # Errors
    /// As [`Tagger::tag`].
    pub async fn check(&self) -> Result<(), TagError> {
        let said = self.git().say(&["rev-parse", "--git-dir"]).await?;
        let unusable = |why| TagError::Unusable { repository: self.repository.clone(), why };
        said.or(unusable).map(drop)
    }

    /// How a person pushes a tag that is there, on a shell's command line.
    #[must_use]
    pub fn push_by_hand(&self, tag: &str) -> String {
        let repository = quoted(&self.repository.display().to_string());
        format!("git -C {repository} push {REMOTE} {}", quoted(&format!("refs/tags/{tag}")))
    }

    fn git(&self) -> Git<'_> {
        Git { commands: &self.commands, repository: &self.repository }
    }

    /// The commit that the revision names by a SHA in it.
    /// Beside it, whether the remote could be asked where that was needed.
    async fn commit(
        &self,
        git: &Git<'_>,
        revision: &Revision,
        hex: &[String],
    ) -> Result<(Option<String>, Result<(), String>), TagError> {
        let mut known = git.commits_of(hex).await?;
        let mut fetched = Ok(());
        if known.is_empty() && !hex.is_empty() && self.push {
            // A clone that nobody fetches into knows no new commit. A tag that is there needs none.
            fetched = git.say_far(&["fetch", "--quiet", REMOTE]).await?.or(|why| why).map(drop);
            known = git.commits_of(hex).await?;
        }
        match known.as_slice() {
            [] => Ok((None, fetched)),
            [only] => Ok((Some(only.clone()), fetched)),
            _ => Err(TagError::Ambiguous { revision: revision.as_str().to_owned(), commits: known }),
        }
    }
}

/// One word for a shell, whatever it is: a tag may have a `$` in it, and comes from outside.
fn quoted(word: &str) -> String {
    format!("'{}'", shown(word).replace('\'', r"'\''"))
}

fn no_name(revision: &Revision) -> TagError {
    TagError::NoName(revision.as_str().to_owned())
}

#[cfg(test)]
mod tests;
