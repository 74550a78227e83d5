//! Tokens and passwords by which others are let in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::secret::{SecretFile, SecretState};

/// The shortest token that is accepted. Eight random characters of base64 are 48 bits: at ten
/// thousand guesses a second they take a thousand years, seven take ten.
const MIN_CHARS: usize = 8;

/// Below this a token is warned of, because most short ones are words. Not refused: a safety net
/// must not stay down after an upgrade for a token that has worked so far.
const WORDLIKE_CHARS: usize = 16;

/// What makes a line useless, whether we present it or accept it.
pub(super) fn any_problem(line: &str) -> Option<&'static str> {
    if line.starts_with('\u{feff}') {
        Some("begins with a byte order mark, which would be part of it: save the file without")
    } else if line.chars().any(char::is_control) {
        Some("has a control character in it")
    } else {
        None
    }
}

/// What is wrong with a token that others are to send.
pub(super) fn accepted_problem(line: &str) -> Option<&'static str> {
    any_problem(line).or_else(|| {
        if !line.chars().all(|c| c.is_ascii_graphic()) {
            Some("has a blank or a letter outside ASCII in it, so that nobody can send it in a header")
        } else if line.len() < MIN_CHARS {
            Some("is shorter than 8 characters, so that it can be guessed")
        } else {
            None
        }
    })
}

/// Whether a token is so short that it may be a word.
pub(super) fn is_wordlike(file: &SecretFile) -> bool {
    file.accepted_lines(|lines| lines.iter().any(|line| line.expose_secret().len() < WORDLIKE_CHARS))
}

/// Compares with each, in a time that does not reveal where two texts differ.
fn is_one_of(presented: &str, lines: &[SecretString]) -> Choice {
    let matches = lines.iter().map(|line| line.expose_secret().as_bytes().ct_eq(presented.as_bytes()));
    matches.fold(Choice::from(0), |any, one| any | one)
}

/// Several tokens that are accepted alike: during a rotation the old one and the new one.
#[derive(Debug, Clone)]
pub struct TokenSet(Vec<SecretFile>);

impl TokenSet {
    /// `None` without files: an empty set would accept nobody, and the caller decides what that means.
    #[must_use]
    pub fn new(files: &[SecretFile]) -> Option<Self> {
        (!files.is_empty()).then(|| Self(files.to_vec()))
    }

    /// Whether the presented token is one of them. Every one is compared, in constant time.
    #[must_use]
    pub fn accepts(&self, presented: &str) -> bool {
        let matches = self.0.iter().map(|file| file.accepted_lines(|lines| is_one_of(presented, lines)));
        matches.fold(Choice::from(0), |any, one| any | one).into()
    }

    /// Whether one of the files is gone, so that its tokens are accepted no longer.
    #[must_use]
    pub fn has_gone(&self) -> bool {
        self.0.iter().any(|file| matches!(file.state(), SecretState::Gone(_)))
    }
}

/// A name and a password by which somebody is let in.
#[derive(Debug, Clone)]
pub struct BasicAuth {
    /// Without a colon, which would end it (RFC 7617).
    pub username: String,
    /// Every line of the file is accepted, so that a password can be rotated.
    pub password: SecretFile,
}

impl BasicAuth {
    /// Whether these are the credentials, as `Authorization: Basic` carries them. They are compared
    /// encoded, so that nothing foreign is decoded.
    #[must_use]
    pub fn accepts(&self, presented: &str) -> bool {
        let encode = |password: &SecretString| {
            let plain = Zeroizing::new(format!("{}:{}", self.username, password.expose_secret()));
            SecretString::from(STANDARD.encode(plain.as_bytes()))
        };
        let encoded = self.password.accepted_lines(|lines| lines.iter().map(encode).collect::<Vec<_>>());
        is_one_of(presented, &encoded).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_nobody_can_send_or_everybody_guess_is_named() {
        for (line, word) in [
            ("\u{feff}0123456789abcdef", "byte order mark"),
            ("0123456789\0abcdef", "control character"),
            ("0123456789 abcdef", "blank"),
            ("0123456789çdefgh", "ASCII"),
            ("x", "shorter"),
            ("1234567", "shorter"),
        ] {
            let problem = accepted_problem(line);
            assert!(problem.is_some_and(|problem| problem.contains(word)), "{line:?}: {problem:?}");
        }
        assert_eq!(accepted_problem("bXk+dG9/2mVu=="), None);
        assert_eq!(any_problem("a pass phrase with blänks"), None);
    }

    #[test]
    fn basic_auth_accepts_its_name_with_each_line_of_its_password_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "new pass\nold:pass\n").expect("written");
        let auth = BasicAuth { username: "alertmanager".to_owned(), password: SecretFile::new(path) };
        let presented = |plain: &str| auth.accepts(&STANDARD.encode(plain));
        assert!(!presented("alertmanager:new pass"), "nothing is accepted before the file is read");
        auth.password.look();
        assert!(presented("alertmanager:new pass") && presented("alertmanager:old:pass"));
        for wrong in ["alertmanager:", "alertmanager", "", ":new pass", "other:new pass", "alertmanager:new"]
        {
            assert!(!presented(wrong), "{wrong:?}");
        }
        assert!(!auth.accepts("") && !auth.accepts("alertmanager:new pass"));
    }
}
