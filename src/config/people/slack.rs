//! `[slack]`

use reqwest::Url;

use crate::config::reader::Reader;
use crate::config::secret::SecretFile;

/// Slack's own API. A test, or a proxy that adds a path, has another one.
const API_URL: &str = "https://slack.com/api";

/// Who may press which buttons under a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackButtons {
    /// A click would reach nobody: neither a signing secret nor an app's token is configured.
    None,
    /// Nobody is named who may do more.
    Acknowledge,
    All,
}

/// `[slack]`
#[derive(Debug, Clone)]
pub struct SlackConfig {
    pub token: SecretFile,
    /// A name such as `#spark-incidents`, or an id.
    pub channel: String,
    /// Without a slash at its end.
    pub api_url: String,
    /// Whether `api_url` is on this machine; only then may it be plain `http`.
    pub is_loopback: bool,
    /// Checks what Slack posts to `/slack/interactions`.
    pub signing_secret: Option<SecretFile>,
    /// Opens Socket Mode.
    pub app_token: Option<SecretFile>,
    /// The one app whose clicks count.
    pub app_id: Option<String>,
    /// Ids of users who may do more than acknowledge.
    pub operators: Vec<String>,
    /// Id of a user group whose members may, too.
    pub operator_group: Option<String>,
    /// Who is mentioned at the levels 1 to 3 of the escalation path.
    pub mentions: [Vec<String>; 3],
}

impl SlackConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let token = SecretFile::new(reader.file_path(&reader.required("token_file", "secrets/slack-token")));
        let channel = channel(reader);
        let (api_url, is_loopback) = api_url(reader);
        let (signing_secret, app_token) =
            (reader.secret("signing_secret_file"), reader.secret("app_token_file"));
        let app_id = id(reader, "app_id", reader.text("app_id"), "A");
        let operators = reader.texts("operators").into_iter();
        let operators = operators.filter_map(|text| id(reader, "operators", Some(text), "UW")).collect();
        let operator_group = id(reader, "operator_group", reader.text("operator_group"), "S");
        let levels = reader.table("mentions");
        let mentions = ["level_1", "level_2", "level_3"].map(|key| mentions(&levels, key));
        levels.finish();
        reader.finish();
        let config = Self {
            token,
            channel,
            api_url,
            is_loopback,
            signing_secret,
            app_token,
            app_id,
            operators,
            operator_group,
            mentions,
        };
        config.warn_without_operators(reader);
        config
    }

    /// Which buttons a message carries.
    #[must_use]
    pub fn buttons(&self) -> SlackButtons {
        if self.signing_secret.is_none() && self.app_token.is_none() {
            SlackButtons::None
        } else if self.operators.is_empty() && self.operator_group.is_none() {
            SlackButtons::Acknowledge
        } else {
            SlackButtons::All
        }
    }

    fn warn_without_operators(&self, reader: &Reader<'_>) {
        if self.buttons() == SlackButtons::Acknowledge {
            reader.warning(
                "operators",
                "and slack.operator_group are missing: nobody can roll back, hold or close in Slack, and everybody in the channel can acknowledge",
                "name who may: operators = [\"U0123ABCD\"], or operator_group = \"S0123ABCD\"",
            );
        }
    }

    pub(super) fn secret_files(&self) -> Vec<(&'static str, &SecretFile)> {
        let signing = self.signing_secret.iter().map(|file| ("slack.signing_secret_file", file));
        let app = self.app_token.iter().map(|file| ("slack.app_token_file", file));
        std::iter::once(("slack.token_file", &self.token)).chain(signing).chain(app).collect()
    }
}

fn channel(reader: &Reader<'_>) -> String {
    let channel = reader.text("channel").unwrap_or_else(|| "#spark-incidents".to_owned());
    let name = channel.strip_prefix('#').unwrap_or(&channel);
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || "<>&@#".contains(c)) {
        let message = format!("{channel:?} is neither a channel's name nor its id");
        reader.error("channel", message, "write such as \"#spark-incidents\" or \"C0123ABCD\"");
    }
    channel
}

/// The token goes there, so only to a machine that proves who it is, or to this one.
fn api_url(reader: &Reader<'_>) -> (String, bool) {
    let Some(url) = reader.url("api_url") else { return (API_URL.to_owned(), false) };
    reader.expect_bases("api_url", std::slice::from_ref(&url));
    let is_loopback = is_loopback(&url);
    if url.scheme() != "https" && !is_loopback {
        reader.error("api_url", "would send the token in the clear", format!("write such as \"{API_URL}\""));
    }
    (url.as_str().trim_end_matches('/').to_owned(), is_loopback)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An id of Slack begins with a letter that says of what it is.
fn id(reader: &Reader<'_>, key: &str, text: Option<String>, kinds: &str) -> Option<String> {
    let text = text?;
    if is_id(&text, kinds) {
        return Some(text);
    }
    let kind = kinds.chars().next().unwrap_or_default();
    let remedy = format!("write an id such as \"{kind}0123ABCD\", which Slack shows under \"Copy ID\"");
    reader.error(key, format!("{text:?} is not such an id"), remedy);
    None
}

fn is_id(text: &str, kinds: &str) -> bool {
    let of_kind = |first: char| kinds.contains(first);
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    text.starts_with(of_kind) && text.len() > 1 && text.chars().all(plain)
}

/// A wrong one would stand in every alarm as text, and wake nobody.
fn mentions(reader: &Reader<'_>, key: &str) -> Vec<String> {
    let texts = reader.texts(key);
    for text in texts.iter().filter(|text| !is_mention(text)) {
        let remedy = "write \"<@U0123ABCD>\" for a user, \"<!subteam^S0123ABCD>\" for a user group, \"<!here>\" or \"<!channel>\"";
        reader.error(key, format!("{text:?} mentions nobody"), remedy);
    }
    texts
}

fn is_mention(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) else { return false };
    let user = inner.strip_prefix('@').is_some_and(|id| is_id(id, "UW"));
    let group = inner.strip_prefix("!subteam^").is_some_and(|id| is_id(id, "S"));
    user || group || inner == "!here" || inner == "!channel"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_a_user_a_group_or_the_channel_in_slacks_own_notation() {
        for (text, expected) in [
            ("<@U0123ABCD>", true),
            ("<@W0123ABCD>", true),
            ("<!subteam^S0123ABCD>", true),
            ("<!here>", true),
            ("<!channel>", true),
            ("@ana", false),
            ("<@ana>", false),
            ("U0123ABCD", false),
            ("<!subteam^U1>", false),
            ("<!everyone>", false),
            ("<https://example.org>", false),
            ("<@U1> <@U2>", false),
            ("", false),
        ] {
            assert_eq!(is_mention(text), expected, "{text}");
        }
    }

    #[test]
    fn only_this_machine_may_be_asked_in_the_clear() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/api", true),
            ("http://[::1]:8080", true),
            ("http://localhost", true),
            ("http://127.0.0.1.evil.example", false),
            ("https://slack.com/api", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
    }
}
