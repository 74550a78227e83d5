//! The tag in git that a success gets, where that is asked for.

use crate::commands::RunError;
use crate::incident::{Ramp, RampPhase};
use crate::pipeline::Rollout;
use crate::tagging::TagError;

/// Backstop stops before there was a tag: the next process makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfinished;

/// Tags what a ramp that has succeeded was about. What keeps it from that is a sentence for the record's
/// problems: the ramp has succeeded all the same.
pub(super) async fn tag_success(rollout: &Rollout, ramp: &Ramp) -> Result<Option<String>, Unfinished> {
    let Some(tagger) = rollout.tagger.as_ref().filter(|_| ramp.phase == RampPhase::Succeeded) else {
        return Ok(None);
    };
    match tagger.tag(&ramp.plan.revision, &ramp.id).await {
        Ok(tagged) => {
            let (tag, commit, pushed) = (&tagged.tag, &tagged.commit, tagged.is_pushed);
            tracing::info!(ramp = %ramp.id, tag, commit, pushed, "the success is tagged");
            Ok(None)
        }
        Err(TagError::NotRun(RunError::Stopping)) => Err(Unfinished),
        Err(error) => Ok(Some(format!("the success has no tag: {error}"))),
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

        assert_eq!(tag_success(&not_asked, &ramp(&revision, RampEvent::Succeeded)).await, Ok(None));
        let aborted =
            RampEvent::Aborted { actor: "ada".to_owned(), words: "slow".to_owned(), incident: None };
        assert_eq!(tag_success(&asked, &ramp(&revision, aborted)).await, Ok(None));
        assert_eq!(tags(), "");
        assert_eq!(tag_success(&asked, &ramp(&revision, RampEvent::Succeeded)).await, Ok(None));
        assert_eq!(tags(), revision);

        let unknown = tag_success(&asked, &ramp("v2", RampEvent::Succeeded)).await.expect("said");
        assert!(
            unknown.is_some_and(|said| said.contains("the success has no tag: revision v2 names no commit"))
        );
        commands.stop().await;
        assert_eq!(tag_success(&asked, &ramp(&revision, RampEvent::Succeeded)).await, Err(Unfinished));
    }
}
