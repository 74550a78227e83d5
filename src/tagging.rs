//! The tag that a success gets in a git repository, as the protocol has it: `git tag -a v1.4.0`, and a push where
//! that is asked for.
//!
//! Never a reason for a ramp to fail: what doesn't work is a named problem, and trying again does no harm.

mod candidates;
mod git;

use std::path::PathBuf;

use crate::commands::{Commands, RunError};
use crate::incident::{RampId, Revision};
use crate::text::shown;
use candidates::{Named, named};
use git::{Git, Said};

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
    /// The tag is there, and not at the remote. It may work later.
    #[error("tag {tag} is made, and can't be pushed to {REMOTE}: {why}")]
    NotPushed { tag: String, why: String },
    /// Git is not installed, took too long, or Backstop stops.
    #[error("git: {0}")]
    NotRun(#[from] RunError),
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
        let (commit, was_there) = match (self.commit(&git, revision, &hex).await?, there) {
            (Some(commit), Some(there)) if commit != there => {
                return Err(TagError::Taken { tag, there, commit });
            }
            (Some(commit), there) => (commit, there.is_some()),
            // A version whose tag was made before its ramp: that is the commit.
            (None, Some(there)) => (there, true),
            (None, None) => return Err(TagError::NoCommit(revision.as_str().to_owned())),
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

    fn git(&self) -> Git<'_> {
        Git { commands: &self.commands, repository: &self.repository }
    }

    /// The commit that the revision names by a SHA in it.
    async fn commit(
        &self,
        git: &Git<'_>,
        revision: &Revision,
        hex: &[String],
    ) -> Result<Option<String>, TagError> {
        let mut known = git.commits_of(hex).await?;
        if known.is_empty() && !hex.is_empty() && self.push {
            // A clone that nobody fetches into knows no new commit. That it can't be reached shows in the push.
            let _may_fail: Said = git.say_far(&["fetch", "--quiet", REMOTE]).await?;
            known = git.commits_of(hex).await?;
        }
        match known.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            _ => Err(TagError::Ambiguous { revision: revision.as_str().to_owned(), commits: known }),
        }
    }
}

fn no_name(revision: &Revision) -> TagError {
    TagError::NoName(revision.as_str().to_owned())
}

#[cfg(test)]
mod tests;
