//! Who asks. A person who rolls back at night must not be refused for want of a name.

use clap::Args;

/// The longest name that the server stores; see `MAX_TEXT_CHARS` of the API.
const MAX_CHARS: usize = 500;

/// The flag that names whoever asks.
#[derive(Debug, Clone, Args)]
pub(super) struct Actor {
    /// Who asks; `$USER` if left out or, where that is empty, `$LOGNAME` or the user's number.
    #[arg(long = "actor", id = "actor", value_name = "NAME", value_parser = given)]
    given: Option<String>,
}

impl Actor {
    /// The name that is recorded: never empty, never too long to be stored.
    pub(super) fn name(&self) -> String {
        let set = |key| std::env::var_os(key).map(|value| value.to_string_lossy().into_owned());
        self.given.clone().unwrap_or_else(|| found(set, rustix::process::getuid().as_raw()))
    }
}

/// Text as the server would record it.
fn cleaned(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

fn given(text: &str) -> Result<String, String> {
    let name = cleaned(text);
    match name.chars().count() {
        0 => Err("a name is needed; leave --actor out to be recorded as the user you are".to_owned()),
        1..=MAX_CHARS => Ok(name),
        _ => Err(format!("a name has {MAX_CHARS} characters at most")),
    }
}

/// Cron and containers set `$USER` to nothing, which must count as not set.
fn found(set: impl Fn(&'static str) -> Option<String>, uid: u32) -> String {
    let names = ["USER", "LOGNAME"].into_iter().filter_map(set);
    let names = names.map(|name| cleaned(&name).chars().take(MAX_CHARS).collect::<String>());
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_without_a_name_leaves_the_users_number() {
        for (user, logname, expected) in [
            (Some("ada"), Some("bob"), "ada"),
            (Some(""), Some("bob"), "bob"),
            (Some(" \t"), Some("\n"), "uid 7"),
            (None, Some(" bob\u{1b}"), "bob"),
            (None, None, "uid 7"),
        ] {
            let set = |key| if key == "USER" { user } else { logname }.map(str::to_owned);
            assert_eq!(found(set, 7), expected);
        }
        let endless = found(|_| Some("x".repeat(10_000)), 7);
        assert_eq!(given(&endless), Ok(endless), "the server stores it");
    }

    #[test]
    fn a_name_that_could_not_be_recorded_is_refused_with_what_to_do() {
        for (name, says) in [("", "leave --actor out"), (" \n", "leave --actor out"), ("\u{0}", "leave")] {
            assert!(given(name).is_err_and(|error| error.contains(says)), "{name:?}");
        }
        assert!(given(&"x".repeat(501)).is_err());
        assert_eq!(given(" ada\tb "), Ok("ada b".to_owned()));
    }
}
