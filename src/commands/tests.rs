use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use rustix::process::{Pid, test_kill_process};
use tokio::task::JoinSet;

use super::*;

/// Longer than anything here takes, so that what it ends was not going to end.
const LONG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Program {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let path = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    Program { argv, directory: None, environment: Environment::new(BTreeMap::new(), &path), limit: LONG }
}

fn words(ended: &Ended) -> &str {
    std::str::from_utf8(&ended.output).expect("text")
}

/// Whether a process of this number still runs. One that nobody has asked for yet, a zombie, does not.
fn runs(id: &str) -> bool {
    let state = std::fs::read_to_string(Path::new("/proc").join(id).join("stat")).unwrap_or_default();
    let pid = Pid::from_raw(id.parse().expect("a number")).expect("above 0");
    test_kill_process(pid).is_ok() && !state.contains(") Z ")
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + LONG;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_program_says_how_it_ended_and_both_its_outputs_in_their_order() {
    let commands = Commands::default();
    for (script, code, said) in [
        ("echo one; echo two >&2; echo three", Ok(0), "one\ntwo\nthree\n"),
        ("exit 1", Ok(1), ""),
        ("cat; exit 7", Ok(7), ""),
        ("echo before; kill -KILL $$", Err(RunError::Signal(9)), "before\n"),
    ] {
        let ended = commands.run(&shell(script)).await;
        assert_eq!((&ended.code, words(&ended), ended.dropped_bytes), (&code, said, 0), "{script}");
    }
}

#[tokio::test]
async fn it_sees_the_variables_that_it_is_given_and_runs_where_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let beside = BTreeMap::from([("CI".to_owned(), "1".to_owned())]);
    let program = Program {
        argv: vec!["/usr/bin/env".to_owned()],
        directory: Some(folder.path().to_owned()),
        environment: Environment::new(
            BTreeMap::from([("PGPASSWORD".to_owned(), "hunter22".to_owned())]),
            &beside,
        ),
        limit: LONG,
    };
    let ended = Commands::default().run(&program).await;
    assert_eq!(words(&ended), "CI=1\nPGPASSWORD=[redacted]\n");
    let here = Program { argv: vec!["pwd".to_owned(), "-P".to_owned()], ..program };
    let ended = Commands::default().run(&here).await;
    let expected = folder.path().canonicalize().expect("a folder");
    assert_eq!(words(&ended).trim_end(), expected.to_str().expect("text"));
}

#[tokio::test]
async fn at_its_time_limit_a_program_ends_with_all_that_it_began() {
    // Its child keeps the pipe open, and neither hears a polite signal.
    let script = "trap '' TERM; sleep 1000 & echo $$ $!; wait";
    let program = Program { limit: Duration::from_millis(300), ..shell(script) };
    let ended = Commands::default().run(&program).await;
    assert_eq!(ended.code, Err(RunError::TimedOut(program.limit)));
    let ids: Vec<_> = words(&ended).split_whitespace().collect();
    assert_eq!(ids.len(), 2, "{ended:?}");
    for id in ids {
        until(id, || !runs(id)).await;
    }
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    let ended = Commands::default().run(&shell("sleep 1000 & echo $!")).await;
    assert_eq!(ended.code, Ok(0));
    let id = words(&ended).trim();
    until(id, || !runs(id)).await;
}

#[tokio::test]
async fn of_what_a_program_says_a_mebibyte_is_kept_and_the_rest_counted() {
    let ended = Commands::default().run(&shell("head -c 3000000 /dev/zero; exit 1")).await;
    assert_eq!((ended.code, ended.output.len()), (Ok(1), MAX_OUTPUT_BYTES));
    assert_eq!(ended.dropped_bytes, 3_000_000 - (1 << 20));
}

#[tokio::test]
async fn a_secret_at_the_cut_is_not_kept_by_half() {
    let secret = "s3cret".repeat(20);
    let own = BTreeMap::from([
        ("GH_TOKEN".to_owned(), secret.clone()),
        ("PATH".to_owned(), "/bin:/usr/bin".to_owned()),
    ]);
    let script = format!("head -c {} /dev/zero; printf %s \"$GH_TOKEN\"; echo", MAX_OUTPUT_BYTES - 50);
    let program = Program { environment: Environment::new(own, &BTreeMap::new()), ..shell(&script) };
    let ended = Commands::default().run(&program).await;
    assert!(ended.output.ends_with(b"[redacted]\n"), "{:?}", &ended.output[ended.output.len() - 60..]);
}

#[tokio::test]
async fn what_can_not_be_run_is_named() {
    let none = Program { argv: vec!["no-such-program".to_owned()], ..shell("") };
    let ended = Commands::default().run(&none).await;
    let error = ended.code.expect_err("not there").to_string();
    assert_eq!(error, "there is no program no-such-program in /usr/bin:/bin");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("broken");
    std::fs::write(&file, "#!/no/such/interpreter\n").expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    let broken = Program { argv: vec![file.display().to_string()], ..shell("") };
    let error = Commands::default().run(&broken).await.code.expect_err("no interpreter").to_string();
    assert!(error.starts_with("it did not start: "), "{error}");
}

#[tokio::test]
async fn a_few_programs_run_at_a_time_and_the_next_waits_for_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = |number: usize| folder.path().join(number.to_string());
    let endless = |number: usize| shell(&format!("touch {}; sleep 1000", begun(number).display()));
    let commands = Commands::default();
    let mut running = JoinSet::new();
    for number in 0..MAX_AT_ONCE {
        let (commands, program) = (commands.clone(), endless(number));
        running.spawn(async move { commands.run(&program).await.code });
    }
    until("all begun", || (0..MAX_AT_ONCE).all(|number| begun(number).exists())).await;
    let last = endless(MAX_AT_ONCE);
    let mut waiting = pin!(commands.run(&last));
    let once = std::future::poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_pending())).await;
    assert!(once && !begun(MAX_AT_ONCE).exists(), "there was room");
    commands.stop().await;
    assert_eq!(waiting.await.code, Err(RunError::Stopping));
    assert!(running.join_all().await.iter().all(|code| *code == Err(RunError::Stopping)));
}

/// A program with a child that writes both their numbers, and the file in which they will be.
fn with_a_child(folder: &Path) -> (Program, PathBuf) {
    let file = folder.join("ids");
    let script = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", file.display());
    (shell(&script), file)
}

async fn all_have_ended(file: &Path) {
    for id in std::fs::read_to_string(file).expect("written").split_whitespace() {
        until(id, || !runs(id)).await;
    }
}

#[tokio::test]
async fn as_backstop_stops_every_program_ends_and_none_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, file) = with_a_child(folder.path());
    let commands = Commands::default();
    let (ended, ()) = tokio::join!(commands.run(&program), async {
        until("begun", || file.exists()).await;
        commands.stop().await;
    });
    assert_eq!(ended.code, Err(RunError::Stopping));
    all_have_ended(&file).await;
    let later = commands.run(&shell("true")).await;
    assert_eq!(later.code, Err(RunError::Stopping));
}

#[tokio::test]
async fn a_program_that_nobody_waits_for_any_more_ends_with_all_that_it_began() {
    let folder = tempfile::tempdir().expect("a folder");
    let (program, file) = with_a_child(folder.path());
    let commands = Commands::default();
    tokio::select! {
        ended = commands.run(&program) => panic!("{ended:?}"),
        () = until("begun", || file.exists()) => {}
    }
    all_have_ended(&file).await;
    assert_eq!(commands.run(&shell("exit 1")).await.code, Ok(1), "there is room again");
}
