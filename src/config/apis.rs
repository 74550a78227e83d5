//! Who is asked by a ramp's criteria beside Prometheus: `[loki]`, and `[[rollouts.apis]]`.

use reqwest::Url;

use super::access::AccessConfig;
use super::reader::Reader;

/// `[loki]`
#[derive(Debug, Clone)]
pub struct LokiConfig {
    /// `None` only where the configuration is refused.
    pub url: Option<Url>,
    /// A tenant is a header: `X-Scope-OrgID`.
    pub access: AccessConfig,
}

impl LokiConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let url = required_url(reader, "http://127.0.0.1:3100");
        reader.expect_bases("url", url.as_slice());
        let access = AccessConfig::read(reader);
        reader.finish();
        Self { url, access }
    }
}

/// One of `[[rollouts.apis]]`: how criteria with `kind = "http"` reach an API that wants credentials.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Scheme, host and port count; `None` only where the configuration is refused.
    pub url: Option<Url>,
    pub access: AccessConfig,
}

impl ApiConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let url = required_url(reader, "https://ci.example.org");
        let has_more = |url: &Url| url.path() != "/" || url.query().is_some() || url.fragment().is_some();
        if url.as_ref().is_some_and(has_more) {
            let remedy = "write such as url = \"https://ci.example.org\"";
            reader.error("url", "has more than scheme, host and port, by which an API is known", remedy);
        }
        let access = AccessConfig::read(reader);
        reader.finish();
        Self { url, access }
    }
}

fn required_url(reader: &Reader<'_>, example: &str) -> Option<Url> {
    if reader.has("url") {
        return reader.url("url");
    }
    reader.required("url", example);
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    const ROLLOUT: &str = "[[rollouts]]\nname = \"x\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }\n";

    #[test]
    fn a_tenant_and_credentials_are_read_as_those_of_every_other_system_are() {
        let text = format!(
            "[loki]\nurl = \"http://127.0.0.1:3100/logs\"\nheaders = {{ \"X-Scope-OrgID\" = \"team-a\" }}\n{ROLLOUT}\
             [[rollouts.apis]]\nurl = \"https://ci.example.org:8443\"\nbearer_token_file = \"ci\"\n"
        );
        let config = Config::parse(&text, Path::new("/etc/backstop/backstop.toml")).expect("valid");
        let loki = config.loki.as_ref().expect("there");
        assert_eq!(loki.url.as_ref().map(|url| url.as_str()), Some("http://127.0.0.1:3100/logs"));
        assert_eq!(loki.access.headers.len(), 1);
        let files: Vec<_> = config.secret_files().into_iter().map(|(key, _)| key).collect();
        assert_eq!(files, ["rollouts[0].apis[0].bearer_token_file"]);
    }

    #[test]
    fn an_address_that_is_missing_or_says_too_much_is_named() {
        for (toml, key, words) in [
            (format!("[loki]\n{ROLLOUT}"), "loki.url", "is missing"),
            (format!("[loki]\nurl = \"http://l/?x=1\"\n{ROLLOUT}"), "loki.url", "has a query"),
            (format!("{ROLLOUT}[[rollouts.apis]]\n"), "rollouts[0].apis[0].url", "is missing"),
            (
                format!("{ROLLOUT}[[rollouts.apis]]\nurl = \"https://ci/api\"\n"),
                "rollouts[0].apis[0].url",
                "has more than scheme, host and port",
            ),
        ] {
            let report = Config::parse(&toml, Path::new("/x")).expect_err(&toml);
            let is_named =
                |problem: &crate::config::Problem| problem.key == key && problem.message.contains(words);
            assert!(report.problems.iter().any(is_named), "{toml}: {report:?}");
        }
    }
}
