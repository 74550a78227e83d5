//! Git as a program: bounded, without a question to anybody, and without what a repository would have it run.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::commands::{Commands, Program, RunError, chosen};
use crate::text::kept;

/// What only looks at the disk takes milliseconds.
const NEAR_LIMIT: Duration = Duration::from_secs(10);

/// What goes to another machine: a fetch of a week's commits.
const FAR_LIMIT: Duration = Duration::from_secs(60);

/// What git gets of Backstop's own environment: where it and its configuration are, and how it authenticates.
const ENVIRONMENT: [&str; 3] = ["PATH", "HOME", "SSH_AUTH_SOCK"];

/// Who a tag is by: git refuses to make one by nobody.
const WHO: &str = "Backstop";
const ADDRESS: &str = "backstop@localhost";

pub(super) struct Git<'a> {
    pub(super) commands: &'a Commands,
    pub(super) repository: &'a Path,
}

/// What git answered.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) is_yes: bool,
    pub(super) words: String,
}

impl Said {
    /// An error with git's words where it says no.
    pub(super) fn or<E>(self, error: impl FnOnce(String) -> E) -> Result<String, E> {
        if self.is_yes { Ok(self.words) } else { Err(error(kept(&self.words))) }
    }
}

impl Git<'_> {
    /// Something that looks at this machine alone.
    pub(super) async fn say(&self, arguments: &[&str]) -> Result<Said, RunError> {
        self.run(arguments, NEAR_LIMIT).await
    }

    /// Something that may go over the network.
    pub(super) async fn say_far(&self, arguments: &[&str]) -> Result<Said, RunError> {
        self.run(arguments, FAR_LIMIT).await
    }

    /// The full SHA of the commit that a name stands for.
    pub(super) async fn commit_of(&self, name: &str) -> Result<Option<String>, RunError> {
        let commit = format!("{name}^{{commit}}");
        let said = self.say(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).await?;
        Ok(said.is_yes.then(|| said.words.trim().to_owned()))
    }

    /// The commit of a tag. Git takes a name that is no ref, and ends as what `git describe` writes does, for the
    /// commit in it: so the tag itself is looked for first.
    pub(super) async fn commit_of_tag(&self, tag: &str) -> Result<Option<String>, RunError> {
        let name = format!("refs/tags/{tag}");
        let is_there = self.say(&["show-ref", "--verify", "--quiet", &name]).await?.is_yes;
        if is_there { self.commit_of(&name).await } else { Ok(None) }
    }

    /// The commits that abbreviations stand for, each once. One that is longer than git knows, or is a date, is
    /// none.
    pub(super) async fn commits_of(&self, hex: &[String]) -> Result<Vec<String>, RunError> {
        let mut found: Vec<String> = Vec::new();
        for hex in hex {
            // A branch or tag may have such a name, too, and is none of these.
            let commit = self.commit_of(hex).await?.filter(|commit| commit.starts_with(hex.as_str()));
            found.extend(commit.filter(|commit| !found.contains(commit)));
        }
        Ok(found)
    }

    async fn run(&self, arguments: &[&str], limit: Duration) -> Result<Said, RunError> {
        let argv = std::iter::once("git").chain(arguments.iter().copied()).map(str::to_owned).collect();
        let program = Program {
            argv,
            directory: Some(self.repository.to_owned()),
            environment: chosen(&ENVIRONMENT.map(str::to_owned), &self.variables()),
            limit,
        };
        let ended = self.commands.run(&program).await;
        let is_yes = ended.code? == 0;
        Ok(Said { is_yes, words: String::from_utf8_lossy(&ended.output).into_owned() })
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let repository = self.repository.display().to_string();
        let settings = [
            // It may be another user's, and the configuration names it.
            ("safe.directory", repository.as_str()),
            // Nobody is there to unlock a key.
            ("tag.gpgSign", "false"),
            // What a repository would have run is not what Backstop is asked for.
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
        ];
        let mut variables = BTreeMap::from([
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_COMMITTER_NAME", WHO),
            ("GIT_COMMITTER_EMAIL", ADDRESS),
            // ssh asks by this program, which says no, and never on a terminal.
            ("SSH_ASKPASS", "/bin/false"),
            ("SSH_ASKPASS_REQUIRE", "force"),
            ("GIT_ASKPASS", "/bin/false"),
            ("LC_ALL", "C"),
        ])
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect::<BTreeMap<_, _>>();
        variables.insert("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string());
        for (number, (key, value)) in settings.into_iter().enumerate() {
            variables.insert(format!("GIT_CONFIG_KEY_{number}"), key.to_owned());
            variables.insert(format!("GIT_CONFIG_VALUE_{number}"), value.to_owned());
        }
        variables
    }
}
