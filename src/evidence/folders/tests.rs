//! A folder that fails or hangs, and a database that knows or can't be asked.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;
use crate::evidence::Finding;
use crate::evidence::directory::tests::{at, blobs, incident};
use crate::incident::Trigger;

#[derive(Debug)]
enum Earlier {
    Knows(Vec<KnownFile>),
    Fails,
    Hangs,
}

#[async_trait]
impl WrittenEarlier for Earlier {
    async fn files(&self) -> Result<Vec<KnownFile>, String> {
        match self {
            Self::Knows(files) => Ok(files.clone()),
            Self::Fails => Err("the disk is full".to_owned()),
            Self::Hangs => std::future::pending().await,
        }
    }
}

fn site(earlier: Earlier) -> (TempDir, EvidenceFolders) {
    let folder = tempfile::tempdir().expect("a folder");
    let (configured, fallback) = (folder.path().join("evidence"), folder.path().join("fallback"));
    (folder, EvidenceFolders::new(configured, fallback, Arc::new(earlier)))
}

async fn record(folders: &EvidenceFolders, number: u16) -> Result<Recorded, EvidenceError> {
    let incident = incident(number, "CanaryErrorRateCritical", Trigger::Automatic);
    folders.record(Arc::new(incident), blobs(), false, at()).await
}

#[tokio::test]
async fn a_folder_that_fails_is_written_beside_and_said() {
    let (folder, folders) = site(Earlier::Knows(Vec::new()));
    fs::write(folder.path().join("evidence"), "in the way").expect("written");
    let recorded = record(&folders, 1).await.expect("written");
    assert!(recorded.problems[0].contains("fallback instead: "), "{:?}", recorded.problems);
    let directory = recorded.files[0].directory.clone().expect("recorded with its folder");
    assert!(directory.ends_with("/fallback"), "{directory}");
    fs::remove_file(folder.path().join("evidence")).expect("removed");
    let recorded = record(&folders, 2).await.expect("written");
    assert_eq!(recorded.problems, [] as [String; 0]);
    let known = folders.known().files.clone();
    for dir in [&folders.configured.dir, &folders.fallback.dir] {
        let report = dir.verify(&known_in(dir.path(), &known)).expect("verified");
        assert!(report.is_clean() && report.files == 4, "{report:?}");
    }
}

#[tokio::test]
async fn where_neither_folder_can_be_written_both_reasons_are_said() {
    let (folder, folders) = site(Earlier::Knows(Vec::new()));
    fs::write(folder.path().join("evidence"), "in the way").expect("written");
    fs::write(folder.path().join("fallback"), "in the way").expect("written");
    let error = record(&folders, 1).await.expect_err("both are in the way").to_string();
    assert!(error.contains("/evidence can't be") && error.contains("/fallback can't be"), "{error}");
}

/// A folder hangs in the system; what is under test is whoever waits for it, so permits that never
/// come back stand for threads that never end.
#[tokio::test(start_paused = true)]
async fn a_folder_that_hangs_holds_up_no_rollbacks_evidence_for_longer_than_the_limit() {
    let (_folder, folders) = site(Earlier::Knows(Vec::new()));
    let hung = folders.configured.permits.clone().acquire_many_owned(WRITINGS_AT_ONCE as u32).await;
    let started = tokio::time::Instant::now();
    let both = tokio::join!(record(&folders, 1), record(&folders, 2));
    for recorded in [both.0, both.1] {
        let recorded = recorded.expect("written to the other folder");
        assert!(
            recorded.problems[0].contains("evidence hangs: nothing was written within 5 s"),
            "{:?}",
            recorded.problems
        );
    }
    assert_eq!(started.elapsed().as_secs(), WRITE_TIMEOUT.as_secs());
    drop(hung);
    assert_eq!(record(&folders, 3).await.expect("written").problems, [] as [String; 0]);
}

#[tokio::test]
async fn a_pipe_that_would_hang_its_reader_is_moved_aside() {
    let (_folder, folders) = site(Earlier::Knows(Vec::new()));
    let path = folders.configured.dir.path();
    fs::create_dir(path).expect("made");
    let pipe = path.join("rollback_20261104_030405.txt");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let recorded = record(&folders, 1).await.expect("written");
    assert!(recorded.problems[0].contains("not-ours-1"), "{:?}", recorded.problems);
}

#[tokio::test(start_paused = true)]
async fn what_the_database_knows_is_missed_and_a_database_that_is_silent_is_named() {
    let id = incident(9, "x", Trigger::Automatic).id;
    let file = crate::incident::EvidenceFile::new("rollback_20250101_000000.txt".into(), "00".into());
    let elsewhere = crate::incident::EvidenceFile { directory: Some("/elsewhere".into()), ..file.clone() };
    let known = [file, elsewhere].map(|file| KnownFile { owner: id.to_string(), file });
    for (earlier, said) in [
        (Earlier::Knows(known.to_vec()), "MISSING: rollback_20250101_000000.txt"),
        (Earlier::Fails, "could not be checked: the disk is full"),
        (Earlier::Hangs, "could not be checked: the database didn't answer"),
    ] {
        let (_folder, folders) = site(earlier);
        let recorded = record(&folders, 1).await.expect("written all the same");
        assert_eq!(recorded.problems.len(), 1, "{:?}", recorded.problems);
        assert!(recorded.problems[0].contains(said), "{:?}", recorded.problems);
    }
}

#[tokio::test]
async fn what_this_process_wrote_is_missed_without_the_database() {
    let (_folder, folders) = site(Earlier::Knows(Vec::new()));
    record(&folders, 1).await.expect("written");
    fs::remove_dir_all(folders.configured.dir.path()).expect("emptied");
    let recorded = record(&folders, 2).await.expect("written");
    assert!(recorded.problems[0].contains("MISSING: "), "{:?}", recorded.problems);
    let report = folders.configured.dir.verify(&[]).expect("verified");
    assert!(matches!(report.findings.as_slice(), [Finding::FoundBroken { .. }]), "{report:?}");
}
