//! How each outside system is reached, and how we authenticate to it: credentials, headers,
//! certificates, proxy.

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::client_tls::ClientTlsConfig;
use super::reader::Reader;
use super::secret::SecretFile;

/// Headers that the client sets itself: a second one would split or misdirect the request.
const OWN_HEADERS: [&str; 5] = ["content-length", "connection", "host", "te", "transfer-encoding"];

/// How one outside system is reached, and how we authenticate to it.
#[derive(Debug, Clone, Default)]
pub struct AccessConfig {
    pub credentials: Option<Credentials>,
    /// Sent with every request, such as a tenant's.
    pub headers: Vec<ExtraHeader>,
    pub tls: ClientTlsConfig,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count. By default they don't: a variable
    /// that somebody sets for another program must not redirect a rollback.
    pub proxy_from_environment: bool,
}

/// How we authenticate. A request carries one `Authorization`, so there is one of these.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// `Authorization: Bearer`, the file's first line.
    Bearer(SecretFile),
    /// The same with another word in place of `Bearer`, for a system that wants one of its own.
    Token { scheme: &'static str, file: SecretFile },
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// Without a colon, which would end it.
        username: String,
        password: SecretFile,
    },
}

/// A header that the configuration adds to every request.
#[derive(Debug, Clone)]
pub struct ExtraHeader {
    pub name: HeaderName,
    pub value: HeaderText,
}

/// A header's value: in the configuration or, where it is a secret, in a file.
#[derive(Debug, Clone)]
pub enum HeaderText {
    /// As it stands in the configuration; no secret.
    Literal(HeaderValue),
    /// A secret: the file's first line.
    File(SecretFile),
}

impl AccessConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let bearer = reader.secret("bearer_token_file").map(Credentials::Bearer);
        let basic = read_basic(reader);
        if bearer.is_some() && basic.is_some() {
            reader.error(
                "basic_auth",
                "is set beside bearer_token_file, and a request carries one of them",
                "remove one",
            );
        }
        Self {
            credentials: bearer.or(basic),
            headers: read_headers(reader),
            tls: ClientTlsConfig::read(reader),
            proxy_from_environment: reader.flag("proxy_from_environment"),
        }
    }

    /// The same, with the token sent under another scheme than `Bearer`.
    #[must_use]
    pub fn with_scheme(self, scheme: &'static str) -> Self {
        let credentials = self.credentials.map(|credentials| match credentials {
            Credentials::Bearer(file) | Credentials::Token { file, .. } => {
                Credentials::Token { scheme, file }
            }
            basic @ Credentials::Basic { .. } => basic,
        });
        Self { credentials, ..self }
    }

    /// Every secret file that is named, with the end of its key.
    pub(super) fn secret_files(&self) -> Vec<(String, &SecretFile)> {
        let credentials = match &self.credentials {
            None => None,
            Some(Credentials::Bearer(file) | Credentials::Token { file, .. }) => {
                Some(("bearer_token_file".to_owned(), file))
            }
            Some(Credentials::Basic { password, .. }) => {
                Some(("basic_auth.password_file".to_owned(), password))
            }
        };
        let headers = self.headers.iter().filter_map(|header| match &header.value {
            HeaderText::Literal(_) => None,
            HeaderText::File(file) => Some((format!("headers.{}.file", header.name), file)),
        });
        credentials.into_iter().chain(headers).collect()
    }
}

fn read_basic(reader: &Reader<'_>) -> Option<Credentials> {
    let is_there = reader.has("basic_auth");
    let table = reader.table("basic_auth");
    let required = |key, example| {
        if is_there { table.required(key, example) } else { table.text(key).unwrap_or_default() }
    };
    let username = required("username", "backstop");
    let password = required("password_file", "secrets/password");
    if username.contains(':') {
        table.error("username", "has a colon, which would end it (RFC 7617)", "use one without");
    }
    table.finish();
    let password = SecretFile::new(table.file_path(&password));
    is_there.then_some(Credentials::Basic { username, password })
}

fn read_headers(reader: &Reader<'_>) -> Vec<ExtraHeader> {
    let (table, keys) = reader.free_table("headers");
    keys.into_iter().filter_map(|key| read_header(&table, key)).collect()
}

fn read_header(table: &Reader<'_>, key: &str) -> Option<ExtraHeader> {
    let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
        table.error(key, "is no header's name", "use letters, digits and hyphens, such as X-Scope-OrgID");
        return None;
    };
    if OWN_HEADERS.contains(&name.as_str()) {
        table.error(key, "is set by the client itself", "remove it");
        return None;
    }
    if table.is_table(key) {
        let inner = table.table(key);
        let file = SecretFile::new(inner.file_path(&inner.required("file", "secrets/header")));
        inner.finish();
        return Some(ExtraHeader { name, value: HeaderText::File(file) });
    }
    let text = table.text(key)?;
    if name == AUTHORIZATION {
        let remedy = "use bearer_token_file or basic_auth, or write Authorization = { file = \"secrets/…\" }";
        table.error(key, "carries a secret, which the configuration is no place for", remedy);
        return None;
    }
    let Ok(value) = HeaderValue::from_str(&text) else {
        table.error(
            key,
            "has characters that no header may carry",
            "use visible ASCII characters and blanks",
        );
        return None;
    };
    Some(ExtraHeader { name, value: HeaderText::Literal(value) })
}
