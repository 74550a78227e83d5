//! What a program sees of the environment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode_str;

/// A value that is shorter is not looked for in what a program says: taking every `1` out of it would hide more
/// than it protects.
const MIN_SECRET_BYTES: usize = 6;

/// What stands in place of a secret.
const REDACTED: &[u8] = b"[redacted]";

/// Parts of names whose variables hold secrets as a rule: `GH_TOKEN`, `PGPASSWORD`, `AWS_SECRET_ACCESS_KEY`,
/// `DATABASE_URL`.
const SECRET_NAMES: &[&str] = &["TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL", "URL", "URI", "DSN", "AUTH"];

/// Parts of the names of settings in such a value that are secrets by themselves.
const SECRET_SETTINGS: &[&str] = &["PASS", "PWD", "TOKEN", "SECRET"];

/// The variables of a program. Those of Backstop's own environment may be secrets, so only names are printed.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    secrets: Vec<String>,
}

/// The named ones of Backstop's own environment, and these beside them. A name that it doesn't have is left out.
#[must_use]
pub fn chosen(names: &[String], beside: &BTreeMap<String, String>) -> Environment {
    let own = names.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
    Environment::new(own.collect(), beside)
}

impl Environment {
    /// `own` may be secrets, `beside` are none: they stand in the configuration.
    #[must_use]
    pub fn new(own: BTreeMap<String, String>, beside: &BTreeMap<String, String>) -> Self {
        let is_secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            SECRET_NAMES.iter().any(|part| name.contains(part))
        };
        let secrets = own.iter().filter(|(name, _)| is_secret(name));
        let whole_and_parts =
            secrets.flat_map(|(_, value)| std::iter::once(value.clone()).chain(passwords_in(value)));
        let mut secrets: Vec<_> = whole_and_parts.filter(|part| part.len() >= MIN_SECRET_BYTES).collect();
        // The longest first: a part of one that is a secret, too, must not break it up.
        secrets.sort_by(|one, other| (other.len(), other).cmp(&(one.len(), one)));
        secrets.dedup();
        let mut variables = own;
        variables.extend(beside.iter().map(|(name, value)| (name.clone(), value.clone())));
        Self { variables, secrets }
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &String)> {
        self.variables.iter()
    }

    pub(super) fn longest_secret_bytes(&self) -> usize {
        self.secrets.first().map_or(0, String::len)
    }

    /// A program's words without the secrets that it was given: a tool that fails may print its address with
    /// the password in it, and this becomes evidence.
    pub(super) fn redacted(&self, output: Vec<u8>) -> Vec<u8> {
        self.secrets.iter().fold(output, |output, secret| replaced(output, secret.as_bytes()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// The passwords in an address or a connection string, as they are written there and decoded: a client that can't
/// log in names them by themselves, or puts them into an address of its own making.
fn passwords_in(value: &str) -> Vec<String> {
    let of_address = value.split_once("://").and_then(|(_, rest)| {
        // A slash in a password should have been encoded, and is understood all the same.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let (user, _) = authority.rsplit_once('@').or_else(|| rest.rsplit_once('@'))?;
        Some(user.split_once(':')?.1)
    });
    // `password=…` of a query or of a list of settings.
    let of_settings =
        value.split(|c: char| c.is_whitespace() || matches!(c, '?' | '&' | ';')).filter_map(|part| {
            let (name, password) = part.split_once('=')?;
            let name = name.to_ascii_uppercase();
            SECRET_SETTINGS.iter().any(|part| name.contains(part)).then(|| password.trim_matches(['\'', '"']))
        });
    let written = of_address.into_iter().chain(of_settings);
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    written.flat_map(|text| [Some(text.to_owned()), decoded(text)]).flatten().collect()
}

fn replaced(output: Vec<u8>, secret: &[u8]) -> Vec<u8> {
    let is_here = |at: usize| output[at..].starts_with(secret);
    if !(0..output.len()).any(is_here) {
        return output;
    }
    let (mut out, mut at) = (Vec::with_capacity(output.len()), 0);
    while at < output.len() {
        if is_here(at) {
            out.extend_from_slice(REDACTED);
            at += secret.len();
        } else {
            out.push(output[at]);
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_a_program_repeats_of_its_secrets_is_taken_out_and_all_else_stays() {
        let own = map(&[
            ("PATH", "/usr/bin:/bin"),
            ("DATABASE_URL", "postgres://spark:hunter22@db/spark"),
            ("PGPASSWORD", "hunter22"),
            ("CI_KEY", "1"),
        ]);
        let environment = Environment::new(own, &map(&[("API_URL", "http://127.0.0.1:4001")]));
        for (said, kept) in [
            ("can't reach postgres://spark:hunter22@db/spark: no", "can't reach [redacted]: no"),
            ("hunter22hunter22", "[redacted][redacted]"),
            (
                "1 of 12 at http://127.0.0.1:4001 in /usr/bin:/bin",
                "1 of 12 at http://127.0.0.1:4001 in /usr/bin:/bin",
            ),
            ("", ""),
        ] {
            let redacted = environment.redacted(said.as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(&redacted), kept);
        }
        assert_eq!(environment.longest_secret_bytes(), "postgres://spark:hunter22@db/spark".len());
    }

    #[test]
    fn the_password_in_an_address_is_taken_out_by_itself_as_it_is_written_and_decoded() {
        for (name, value, said, kept) in [
            ("DATABASE_URL", "postgres://spark:hunter22@db/spark", "FATAL: hunter22", "FATAL: [redacted]"),
            (
                "DATABASE_URL",
                "postgres://spark:hunter%2F22@db/spark",
                "no hunter/22, hunter%2F22, spark",
                "no [redacted], [redacted], spark",
            ),
            ("DATABASE_URL", "postgres://spark:hunt@er:22@db/spark", "hunt@er:22@db", "[redacted]@db"),
            ("DATABASE_URL", "postgres://spark:hunter/22@db/spark", "hunter/22", "[redacted]"),
            ("REDIS_URI", "redis://:hunter22@cache", "AUTH hunter22", "AUTH [redacted]"),
            ("PG_DSN", "host=db password='hunter22' user=spark", "hunter22 host=db", "[redacted] host=db"),
            (
                "API_URL",
                "https://api/?user=spark&access_token=abc%2Bdef",
                "abc+def spark",
                "[redacted] spark",
            ),
            // Nothing that is secret by itself.
            ("API_URL", "https://api:4001/spark", "api:4001 spark", "api:4001 spark"),
            ("DATABASE_URL", "postgres://postgres@db/spark", "postgres spark", "postgres spark"),
            ("DATABASE_URL", "postgres://spark:1@db/spark", "1 of 12", "1 of 12"),
        ] {
            let environment = Environment::new(map(&[(name, value)]), &BTreeMap::new());
            let redacted = environment.redacted(said.as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(&redacted), kept, "{value}");
        }
    }

    #[test]
    fn an_environment_is_printed_by_its_names_alone() {
        let environment = Environment::new(map(&[("GH_TOKEN", "gho_0123456789")]), &map(&[("CI", "1")]));
        assert_eq!(format!("{environment:?}"), r#"{"CI", "GH_TOKEN"}"#);
    }

    #[test]
    fn only_what_is_named_comes_from_the_own_environment() {
        let environment =
            chosen(&["PATH".to_owned(), "BACKSTOP_HAS_NO_SUCH_VARIABLE".to_owned()], &map(&[("CI", "1")]));
        let names: Vec<_> = environment.all().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CI", "PATH"]);
    }
}
