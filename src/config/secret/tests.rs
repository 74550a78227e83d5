use super::super::token::TokenSet;
use super::*;

const OLD: &str = "an-old-token";
const NEW: &str = "a-new-token";

fn file(text: &str) -> (tempfile::TempDir, SecretFile) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("token");
    std::fs::write(&path, text).expect("written");
    let file = SecretFile::accepted(path);
    file.look();
    (directory, file)
}

fn set(files: &[&SecretFile]) -> TokenSet {
    let files: Vec<_> = files.iter().map(|file| (*file).clone()).collect();
    TokenSet::new(&files).expect("tokens")
}

fn write(file: &SecretFile, text: &str) {
    std::fs::write(file.path(), text).expect("written");
}

#[test]
fn a_rotated_token_is_accepted_without_restart_and_the_old_one_no_longer() {
    let (_directory, secret) = file(OLD);
    let tokens = set(&[&secret]);
    assert!(tokens.accepts(OLD) && !tokens.accepts(NEW));
    write(&secret, NEW);
    secret.look();
    assert!(tokens.accepts(NEW) && !tokens.accepts(OLD));
}

#[test]
fn during_a_rotation_both_tokens_are_accepted_and_nothing_else() {
    let ((_one, old), (_two, new)) = (file(OLD), file(NEW));
    let tokens = set(&[&old, &new]);
    for (presented, accepted) in
        [(OLD, true), (NEW, true), ("", false), ("an-old", false), ("an-old-tokena-new-token", false)]
    {
        assert_eq!(tokens.accepts(presented), accepted, "{presented:?}");
    }
}

#[test]
fn a_file_with_two_lines_accepts_both_and_presents_the_first() {
    let (_directory, secret) = file(OLD);
    let tokens = set(&[&secret]);
    write(&secret, &format!("{NEW}\r\n\n  {OLD}\n"));
    secret.look();
    assert!(tokens.accepts(NEW) && tokens.accepts(OLD) && !tokens.accepts(""));
    assert_eq!(secret.read().expect("read").expose_secret(), NEW);
}

#[test]
fn a_token_whose_file_is_deleted_or_emptied_is_revoked_at_the_second_look() {
    for take_away in [
        (|path: &Path| std::fs::remove_file(path).expect("removed")) as fn(&Path),
        |path| std::fs::write(path, "").expect("emptied"),
        |path| std::fs::write(path, "\n \n").expect("blanked"),
        |path| std::fs::write(path, "short").expect("written"),
        |path| std::fs::write(path, [0xff, 0xfe]).expect("written"),
    ] {
        let (_directory, secret) = file(OLD);
        let tokens = set(&[&secret]);
        take_away(secret.path());
        secret.look();
        assert!(tokens.accepts(OLD), "it may be a file that is being rewritten");
        secret.look();
        assert!(!tokens.accepts(OLD) && tokens.has_gone());
        assert!(matches!(secret.state(), SecretState::Gone(_)), "{:?}", secret.state());
        assert_eq!(secret.read().expect("remembered").expose_secret(), OLD, "the other side decides");
        write(&secret, NEW);
        secret.look();
        assert!(tokens.accepts(NEW) && !tokens.has_gone());
    }
}

#[test]
fn a_rotation_by_rename_or_rewriting_never_shuts_anybody_out() {
    let (directory, secret) = file(OLD);
    let tokens = set(&[&secret]);
    for round in 0..50 {
        let next = directory.path().join("next");
        std::fs::write(&next, format!("{OLD}\nround-number-{round}")).expect("written");
        std::fs::rename(&next, secret.path()).expect("renamed");
        secret.look();
        assert!(tokens.accepts(OLD) && tokens.accepts(&format!("round-number-{round}")));
        write(&secret, "");
        secret.look();
        assert!(tokens.accepts(OLD), "emptied for a moment");
        write(&secret, OLD);
        secret.look();
        assert!(tokens.accepts(OLD));
    }
}

#[test]
fn an_error_that_says_nothing_about_the_secret_never_revokes_it() {
    let (_directory, secret) = file(OLD);
    for _ in 0..100 {
        let unclear = SecretError::Unclear { path: secret.path.clone(), problem: "I/O error".to_owned() };
        secret.looked().take(Err(unclear));
    }
    assert!(set(&[&secret]).accepts(OLD));
    assert!(matches!(secret.state(), SecretState::Unclear(_)));
}

#[test]
fn a_look_that_hangs_holds_up_no_reader_and_is_not_joined_by_another() {
    let (_directory, secret) = file(OLD);
    assert!(secret.begin_look() && !secret.begin_look(), "one at a time");
    assert!(set(&[&secret]).accepts(OLD));
    assert_eq!(secret.state(), SecretState::Usable);
    secret.looked().looking_since = Instant::now().checked_sub(HANGS_AFTER);
    assert!(matches!(secret.state(), SecretState::Unclear(_)));
    assert!(set(&[&secret]).accepts(OLD));
    secret.finish_look();
    assert_eq!(secret.state(), SecretState::Usable);
}

#[test]
fn a_line_that_nobody_can_send_is_named_while_the_others_count() {
    let (_directory, secret) = file(&format!("\u{feff}{NEW}\n{OLD}\n"));
    assert!(set(&[&secret]).accepts(OLD));
    let SecretState::PartlyUsable(error) = secret.state() else { panic!("{:?}", secret.state()) };
    assert!(
        error.to_string().contains("line 1 of") && error.to_string().contains("byte order mark"),
        "{error}"
    );
}

#[test]
fn missing_and_empty_files_name_the_path_and_the_remedy() {
    let missing = SecretFile::new("/nowhere/token".into());
    missing.look();
    let error = missing.read().expect_err("missing");
    assert!(error.to_string().contains("/nowhere/token") && error.remedy().contains("create"));
    let (_directory, empty) = file(" \n");
    assert!(matches!(empty.read(), Err(SecretError::Empty { .. })));
    let folder = SecretFile::new("/tmp".into());
    folder.look();
    assert!(matches!(folder.read(), Err(SecretError::NotASecret { .. })));
}

#[test]
fn a_secret_is_never_printed() {
    let (_directory, secret) = file("s3cret-s3cret");
    let read = secret.read().expect("read");
    assert!(!format!("{read:?} {secret:?}").contains("s3cret"));
}
