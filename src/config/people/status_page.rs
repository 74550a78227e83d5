//! `[status_page]`

use reqwest::Url;

use super::page_templates::PageTemplates;
use crate::config::access::AccessConfig;
use crate::config::reader::Reader;

/// The longest name of the service: it stands in a title.
const MAX_SERVICE_CHARS: usize = 100;

/// The states that a component of Statuspage may be in.
const COMPONENT_STATES: [(&str, &str); 3] = [
    ("degraded_performance", "degraded_performance"),
    ("partial_outage", "partial_outage"),
    ("major_outage", "major_outage"),
];

/// `[status_page]`
#[derive(Debug, Clone)]
pub struct StatusPageConfig {
    /// What the public calls it.
    pub service: String,
    /// `None` only where the configuration is refused.
    pub kind: Option<PageKind>,
    pub access: AccessConfig,
}

/// How the page is told.
#[derive(Debug, Clone)]
pub enum PageKind {
    /// Atlassian Statuspage.
    Statuspage {
        /// `None`: Atlassian's.
        url: Option<Url>,
        page_id: String,
        components: Vec<String>,
        /// Theirs while an incident goes on.
        component_status: &'static str,
        deliver_notifications: bool,
    },
    /// Any other, by requests that the configuration spells out.
    Http(Box<PageTemplates>),
}

impl StatusPageConfig {
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let is_http = reader.choice("kind", &[("statuspage", false), ("http", true)], false);
        let service = read_service(reader);
        let url = reader.url("url");
        reader.expect_bases("url", url.as_slice());
        let page_id = if is_http { reader.text("page_id").unwrap_or_default() } else { read_page_id(reader) };
        let statuspage = PageKind::Statuspage {
            url,
            page_id,
            components: reader.texts("components"),
            component_status: reader.choice("component_status", &COMPONENT_STATES, "partial_outage"),
            deliver_notifications: reader.flag("deliver_notifications"),
        };
        let templates = PageTemplates::read(reader, is_http);
        warn_of_unused(reader, is_http);
        let kind = if is_http {
            templates.map(|templates| PageKind::Http(Box::new(templates)))
        } else {
            Some(statuspage)
        };
        let access = AccessConfig::read(reader);
        reader.finish();
        Self { service, kind, access }
    }
}

fn read_service(reader: &Reader<'_>) -> String {
    let service = reader.required("service", "Trading");
    if service.chars().count() > MAX_SERVICE_CHARS || service.chars().any(char::is_control) {
        let remedy = "write the name under which the public knows it";
        reader.error(
            "service",
            format!("is longer than {MAX_SERVICE_CHARS} characters, or has a line break"),
            remedy,
        );
    }
    service
}

fn read_page_id(reader: &Reader<'_>) -> String {
    let id = reader.required("page_id", "kctbh9vrtdwd");
    if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        reader.error("page_id", "is no id of a page", "copy it from the page's API settings");
    }
    id
}

/// What the other kind would need is no mistake of a key, and still somebody meant something by it.
fn warn_of_unused(reader: &Reader<'_>, is_http: bool) {
    let of_statuspage = ["url", "page_id", "components", "component_status", "deliver_notifications"];
    let of_http = ["open", "update", "find", "statuses"];
    let (unused, kind) = if is_http { (&of_statuspage[..], "http") } else { (&of_http[..], "statuspage") };
    for key in unused.iter().filter(|key| reader.has(key)) {
        let message = format!("is not used where kind is \"{kind}\"");
        reader.warning(key, message, "remove it, or choose the other kind");
    }
}
