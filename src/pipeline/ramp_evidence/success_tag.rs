//! The tag in git that a success gets, where that is asked for.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use crate::commands::RunError;
use crate::incident::{Ramp, RampPhase};
use crate::pipeline::Rollout;
use crate::tagging::{TagError, Tagger};

/// Backstop stops before there was a tag: the next process makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfinished;

/// The pauses before a remote that is away is tried again: 5, 15, 45 and 120 s, which outlast the restart of a
/// server. Not for ever: the ramp's record is reported afterwards, and the next ramp waits for that.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
const TIMES_AGAIN: usize = 4;

/// How often and when it is tried again.
pub(super) fn patience() -> ExponentialBuilder {
    let pauses = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_factor(3.0);
    pauses.with_max_delay(LONGEST_PAUSE).with_max_times(TIMES_AGAIN)
}

/// Tags what a ramp that has succeeded was about. What keeps it from that is a sentence for the record's
/// problems: the ramp has succeeded all the same.
pub(super) async fn tag_success(
    rollout: &Rollout,
    ramp: &Ramp,
    patience: ExponentialBuilder,
) -> Result<Option<String>, Unfinished> {
    let Some(tagger) = rollout.tagger.as_ref().filter(|_| ramp.phase == RampPhase::Succeeded) else {
        return Ok(None);
    };
    let tried_again = |error: &TagError, pause: Duration| {
        tracing::warn!(ramp = %ramp.id, %error, ?pause, "the success is not tagged yet; this is tried again");
    };
    let tag = || tagger.tag(&ramp.plan.revision, &ramp.id);
    match tag.retry(patience).when(TagError::may_pass).notify(tried_again).await {
        Ok(tagged) => {
            let (tag, commit, pushed) = (&tagged.tag, &tagged.commit, tagged.is_pushed);
            tracing::info!(ramp = %ramp.id, tag, commit, pushed, "the success is tagged");
            Ok(None)
        }
        Err(TagError::NotRun(RunError::Stopping)) => Err(Unfinished),
        Err(error) => Ok(Some(problem(tagger, &error))),
    }
}

/// What is missing, and what to do about it.
fn problem(tagger: &Tagger, error: &TagError) -> String {
    match error {
        TagError::NotPushed { tag, .. } => {
            let by_hand = tagger.push_by_hand(tag);
            format!(
                "the tag of the success is in the repository of this machine alone, push it by hand with `{by_hand}`: {error}"
            )
        }
        _ => format!("the success has no tag: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;

    use super::super::fixtures::{id, plan, start};
    use super::*;
    use crate::commands::Commands;
    use crate::incident::{Event, RampEvent, RampStarted, Revision, RolloutState, Share, StoredAs};
    use crate::pipeline::fixtures::{Flag, name, rollout};
    use crate::tagging::Tagger;

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .current_dir(folder)
            .args(["-c", "user.name=a", "-c", "user.email=a@b.example"])
            .args(arguments);
        let output = command.output().expect("git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn ramp(revision: &str, ended: RampEvent) -> Arc<Ramp> {
        let plan = crate::incident::RampPlan { revision: Revision::new(revision), ..plan() };
        let started = RampStarted {
            plan: Arc::new(plan),
            plan_sha256: String::new(),
            actor: "ada".to_owned(),
            through: "command line".to_owned(),
            again_because: None,
            warnings: Vec::new(),
        };
        let mut state = RolloutState::default();
        for happened in [RampEvent::Started(started), ended] {
            let event = Event::Ramp { ramp: id(), happened };
            state.apply(&StoredAs { at: start(), rollout: name(), incident: None, event });
        }
        state.ramp.expect("a ramp")
    }

    #[tokio::test]
    async fn a_success_is_tagged_where_that_is_asked_for_and_no_other_end_is() {
        let folder = tempfile::tempdir().expect("a folder");
        git(folder.path(), &["init", "--quiet"]);
        git(folder.path(), &["commit", "--quiet", "--allow-empty", "--message", "first"]);
        let commit = git(folder.path(), &["rev-parse", "HEAD"]);
        let commands = Commands::default();
        let tagger = Tagger { commands: commands.clone(), repository: folder.path().to_owned(), push: false };
        let asked = Rollout { tagger: Some(tagger), ..rollout(Flag::new(Some(Share::ALL))) };
        let not_asked = Rollout { tagger: None, ..asked.clone() };
        let revision = format!("v1-{commit}");
        let tags = || git(folder.path(), &["tag", "--list"]);

        assert_eq!(tag(&not_asked, &ramp(&revision, RampEvent::Succeeded)).await, Ok(None));
        let aborted =
            RampEvent::Aborted { actor: "ada".to_owned(), words: "slow".to_owned(), incident: None };
        assert_eq!(tag(&asked, &ramp(&revision, aborted)).await, Ok(None));
        assert_eq!(tags(), "");
        assert_eq!(tag(&asked, &ramp(&revision, RampEvent::Succeeded)).await, Ok(None));
        assert_eq!(tags(), revision);

        let unknown = tag(&asked, &ramp("v2", RampEvent::Succeeded)).await.expect("said");
        assert!(
            unknown.is_some_and(|said| said.contains("the success has no tag: revision v2 names no commit"))
        );
        commands.stop().await;
        assert_eq!(tag(&asked, &ramp(&revision, RampEvent::Succeeded)).await, Err(Unfinished));
    }

    /// With pauses that a test can wait for.
    async fn tag(rollout: &Rollout, ramp: &Ramp) -> Result<Option<String>, Unfinished> {
        let pause = Duration::from_millis(1);
        tag_success(rollout, ramp, patience().with_min_delay(pause).with_max_delay(pause)).await
    }

    fn write_program(path: &Path, script: &str) {
        std::fs::write(path, script).expect("written");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    }

    /// A rollout whose tags go to an origin that refuses so many pushes first, and the folder of both repositories.
    fn pushed_to_an_origin_that_refuses(pushes: usize) -> (tempfile::TempDir, Rollout, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        git(folder.path(), &["init", "--quiet", "--bare", "origin"]);
        git(folder.path(), &["init", "--quiet", "repository"]);
        git(&at("repository"), &["remote", "add", "origin", "../origin"]);
        git(&at("repository"), &["commit", "--quiet", "--allow-empty", "--message", "first"]);
        let commit = git(&at("repository"), &["rev-parse", "HEAD"]);
        let (hook, asked) = (at("origin").join("hooks/pre-receive"), at("asked"));
        let asked = asked.display();
        let script = format!("#!/bin/sh\necho once >> {asked}\ntest $(wc -l < {asked}) -gt {pushes}\n");
        write_program(&hook, &script);
        let tagger = Tagger { commands: Commands::default(), repository: at("repository"), push: true };
        let rollout = Rollout { tagger: Some(tagger), ..rollout(Flag::new(Some(Share::ALL))) };
        (folder, rollout, format!("v1-{commit}"))
    }

    #[tokio::test]
    async fn a_push_that_fails_for_a_moment_is_tried_again_and_one_that_goes_on_failing_says_how_to_do_it_by_hand()
     {
        for (refused, times, is_pushed) in [(0, 1, true), (4, 5, true), (5, 5, false)] {
            let (folder, rollout, revision) = pushed_to_an_origin_that_refuses(refused);
            let said = tag(&rollout, &ramp(&revision, RampEvent::Succeeded)).await.expect("not stopping");
            let asked = std::fs::read_to_string(folder.path().join("asked")).expect("asked");
            assert_eq!(asked.lines().count(), times, "{refused} refused");
            let there = git(&folder.path().join("origin"), &["tag", "--list"]);
            assert_eq!(there, if is_pushed { revision.as_str() } else { "" }, "{refused} refused");
            let repository = folder.path().join("repository");
            let by_hand = format!("`git -C '{}' push origin 'refs/tags/{revision}'`", repository.display());
            let says_how =
                said.as_ref().is_some_and(|said| said.contains(&by_hand) && said.contains("pre-receive"));
            assert_eq!((said.is_none(), says_how), (is_pushed, !is_pushed), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_remote_that_has_another_tag_of_the_name_is_asked_once() {
        let (folder, rollout, revision) = pushed_to_an_origin_that_refuses(0);
        let (origin, repository) = (folder.path().join("origin"), folder.path().join("repository"));
        let (spoken, pack) = (folder.path().join("spoken"), folder.path().join("pack"));
        let script = format!("#!/bin/sh\necho once >> {}\nexec git-receive-pack \"$@\"\n", spoken.display());
        write_program(&pack, &script);
        git(&repository, &["config", "remote.origin.receivepack", pack.to_str().expect("text")]);
        git(&repository, &["push", "--quiet", "origin", &format!("HEAD:refs/tags/{revision}")]);
        let said = tag(&rollout, &ramp(&revision, RampEvent::Succeeded)).await.expect("not stopping");
        assert!(said.as_ref().is_some_and(|said| said.contains("already exists")), "{said:?}");
        let commit = git(&repository, &["rev-parse", "HEAD"]);
        assert_eq!(git(&origin, &["rev-parse", &revision]), commit, "it is as it was");
        let spoken_to = std::fs::read_to_string(folder.path().join("spoken")).expect("spoken to");
        assert_eq!(spoken_to.lines().count(), 2, "once by hand, and once for the ramp");
    }
}
