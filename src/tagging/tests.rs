use std::path::Path;
use std::process::Command;

use super::*;

/// A repository with two commits, and a bare one as its origin.
struct Site {
    _folder: tempfile::TempDir,
    repository: PathBuf,
    origin: PathBuf,
    first: String,
    second: String,
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]).args(arguments);
    let output = command.output().expect("git");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        git(folder.path(), &["init", "--quiet", "--bare", "origin"]);
        git(folder.path(), &["init", "--quiet", "repository"]);
        let (repository, origin) = (at("repository"), at("origin"));
        git(&repository, &["remote", "add", "origin", origin.to_str().expect("text")]);
        let commit = |words: &str| {
            git(&repository, &["commit", "--quiet", "--allow-empty", "--message", words]);
            git(&repository, &["rev-parse", "HEAD"])
        };
        let (first, second) = (commit("first"), commit("second"));
        Self { _folder: folder, repository, origin, first, second }
    }

    async fn tag(&self, revision: &str, push: bool) -> Result<Tagged, TagError> {
        let tagger = Tagger { commands: Commands::default(), repository: self.repository.clone(), push };
        tagger.tag(&Revision::new(revision), &RampId::new("spark-ramp-1")).await
    }

    fn tags(&self) -> Vec<String> {
        git(&self.repository, &["tag", "--list"]).lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_success_is_tagged_once_on_the_commit_that_its_revision_names() {
    let site = Site::new();
    let revision = format!("v1.4.0-g{}", &site.first[..9]);
    let expected =
        Tagged { tag: revision.clone(), commit: site.first.clone(), was_there: false, is_pushed: false };
    assert_eq!(site.tag(&revision, false).await, Ok(expected.clone()));
    assert_eq!(git(&site.repository, &["rev-parse", &format!("{revision}^{{commit}}")]), site.first);
    let written = git(&site.repository, &["cat-file", "tag", &revision]);
    assert!(written.ends_with("Canary deployment successful\n\nRamp: spark-ramp-1"), "{written}");
    assert!(written.contains("tagger Backstop <backstop@localhost>"), "{written}");
    // As after a crash.
    assert_eq!(site.tag(&revision, false).await, Ok(Tagged { was_there: true, ..expected }));
    assert_eq!(site.tags(), [revision]);
    assert_eq!(git(&site.origin, &["tag", "--list"]), "", "nobody asked for a push");
}

#[tokio::test]
async fn a_bare_commit_and_a_version_that_was_tagged_before_are_known_by_what_they_are() {
    let site = Site::new();
    let tagged = site.tag(&site.second, false).await.expect("tagged");
    assert_eq!((tagged.tag, &tagged.commit), (format!("canary-{}", site.second), &site.second));
    git(&site.repository, &["tag", "v1.4.0", &site.first]);
    let tagged = site.tag("v1.4.0", false).await.expect("it is there");
    assert_eq!((tagged.commit, tagged.was_there), (site.first.clone(), true));
}

#[tokio::test]
async fn what_names_no_commit_two_of_them_or_no_tag_is_a_problem_of_its_own_and_tags_nothing() {
    let site = Site::new();
    let unknown = site.tag("v1.4.0", false).await.expect_err("no SHA in it");
    assert_eq!(unknown, TagError::NoCommit("v1.4.0".to_owned()));
    let unknown = site.tag("v1.4.0-0123456789ab", false).await.expect_err("of another repository");
    assert!(unknown.to_string().contains("fetch it there"), "{unknown}");
    let both = format!("{}-{}", site.first, site.second);
    let commits = vec![site.first.clone(), site.second.clone()];
    assert_eq!(site.tag(&both, false).await, Err(TagError::Ambiguous { revision: both, commits }));
    for odd in ["--delete", "a..b", "a b", "x.lock", ""].map(str::to_owned) {
        assert_eq!(site.tag(&odd, false).await, Err(TagError::NoName(odd)));
    }
    assert_eq!(site.tags(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tag_on_another_commit_is_left_where_it_is() {
    let site = Site::new();
    let tag = format!("v1-{}", site.first);
    git(&site.repository, &["tag", &tag, &site.second]);
    let taken = site.tag(&tag, false).await.expect_err("taken");
    let (there, commit) = (site.second.clone(), site.first.clone());
    assert_eq!(taken, TagError::Taken { tag: tag.clone(), there, commit });
    assert_eq!(git(&site.repository, &["rev-parse", &tag]), site.second);
}

#[tokio::test]
async fn where_a_push_is_asked_for_the_tag_is_at_the_remote_and_one_that_fails_is_tried_again() {
    let site = Site::new();
    let tag = format!("v1-{}", site.first);
    let away = site.origin.with_extension("away");
    std::fs::rename(&site.origin, &away).expect("moved");
    let failed = site.tag(&tag, true).await.expect_err("nobody there");
    assert!(matches!(&failed, TagError::NotPushed { tag: named, .. } if *named == tag), "{failed:?}");
    std::fs::rename(&away, &site.origin).expect("moved");
    let tagged = site.tag(&tag, true).await.expect("pushed");
    assert!(tagged.was_there && tagged.is_pushed, "{tagged:?}");
    assert_eq!(git(&site.origin, &["rev-parse", &format!("{tag}^{{commit}}")]), site.first);
    // The remote has it on another commit meanwhile: it is not moved.
    git(&site.origin, &["tag", "--force", &tag, &site.first]);
    let refused = site.tag(&tag, true).await.expect_err("another tag");
    assert!(matches!(refused, TagError::NotPushed { .. }) && !refused.may_pass(), "{refused:?}");
}

#[tokio::test]
async fn a_commit_that_may_be_at_a_remote_which_is_away_is_not_called_one_that_there_is_not() {
    let site = Site::new();
    git(&site.repository, &["remote", "set-url", "origin", "http://127.0.0.1:1/away.git"]);
    let away = site.tag("v2-0123456789ab", true).await.expect_err("away");
    assert!(matches!(&away, TagError::NotFetched { .. }) && away.may_pass(), "{away:?}");
    assert!(away.to_string().contains("127.0.0.1"), "{away}");
    // What the repository knows needs nobody.
    let known = site.tag(&format!("v1-{}", site.first), true).await.expect_err("away");
    assert!(matches!(&known, TagError::NotPushed { .. }) && known.may_pass(), "{known:?}");
}

#[test]
fn what_a_person_is_to_type_is_one_word_for_a_shell_whatever_the_tag_is() {
    let repository = PathBuf::from("/srv/it's here");
    let tagger = Tagger { commands: Commands::default(), repository, push: true };
    assert_eq!(
        tagger.push_by_hand("v1;$(reboot)"),
        r"git -C '/srv/it'\''s here' push origin 'refs/tags/v1;$(reboot)'"
    );
}

#[tokio::test]
async fn a_clone_that_nobody_fetches_into_learns_of_the_commit_where_it_may_push() {
    let site = Site::new();
    let other = site.repository.with_file_name("other");
    git(&site.repository, &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    git(
        site.origin.parent().expect("a folder"),
        &["clone", "--quiet", "--branch", "main", "origin", "other"],
    );
    git(&other, &["commit", "--quiet", "--allow-empty", "--message", "third"]);
    git(&other, &["push", "--quiet", "origin", "main"]);
    let third = git(&other, &["rev-parse", "HEAD"]);
    let revision = format!("v2-{third}");
    assert_eq!(site.tag(&revision, false).await, Err(TagError::NoCommit(revision.clone())));
    assert_eq!(site.tag(&revision, true).await.expect("fetched").commit, third);
}

#[tokio::test]
async fn a_repositorys_own_hooks_are_not_run() {
    let site = Site::new();
    let (hook, ran) = (site.repository.join(".git/hooks/pre-push"), site.repository.join("ran"));
    std::fs::create_dir_all(hook.parent().expect("a folder")).expect("made");
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\nexit 1\n", ran.display())).expect("written");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    site.tag(&format!("v1-{}", site.first), true).await.expect("pushed");
    assert!(!ran.exists());
}

#[tokio::test]
async fn a_folder_that_is_no_repository_or_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |repository: &Path| {
        let tagger = Tagger { commands: Commands::default(), repository: repository.to_owned(), push: false };
        async move { tagger.check().await.expect_err("no repository").to_string() }
    };
    let error = check(folder.path()).await;
    assert!(
        error.contains("can't be used as a git repository") && error.contains("not a git repository"),
        "{error}"
    );
    let error = check(&folder.path().join("nowhere")).await;
    assert!(error.contains("nowhere is no folder"), "{error}");
}
