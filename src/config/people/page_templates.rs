//! The requests of a status page that is told by templates.

use reqwest::Url;

use super::template::{TemplateError, TextTemplate, UrlTemplate};
use crate::config::flag_request::FlagMethod;
use crate::config::reader::Reader;

/// What a request may carry; `{id}` is the page's own, `{incident}` Backstop's.
const PLACES: [&str; 5] = ["title", "text", "status", "id", "incident"];

/// One request.
#[derive(Debug, Clone)]
pub struct PageCall {
    pub method: FlagMethod,
    pub url: UrlTemplate,
    pub body: TextTemplate,
}

/// How an incident is found that may have been posted.
#[derive(Debug, Clone)]
pub struct PageFind {
    pub url: UrlTemplate,
    /// JSON pointer to the list in the answer; empty: the answer is the list.
    pub items_pointer: String,
    /// JSON pointer, in an item, to the text in which Backstop's id of the incident stands.
    pub key_pointer: String,
    /// JSON pointer, in an item, to the page's id.
    pub id_pointer: String,
}

/// Every request, and the page's own words for where an incident stands.
#[derive(Debug, Clone)]
pub struct PageTemplates {
    pub open: PageCall,
    /// JSON pointer to the page's id of the incident, in the answer to `open`.
    pub id_pointer: String,
    pub update: PageCall,
    pub find: Option<PageFind>,
    /// For investigating, identified, monitoring and resolved.
    pub statuses: [String; 4],
}

impl PageTemplates {
    /// Reads every key; `needed`: whether they have to be there. `None` where one can't be used.
    pub(super) fn read(reader: &Reader<'_>, needed: bool) -> Option<Self> {
        let open = reader.table("open");
        let (open_call, id_pointer) = (read_call(&open, needed), pointer(&open, "id_pointer", "/id"));
        open.finish();
        let update = reader.table("update");
        let update_call = read_call(&update, needed);
        update.finish();
        let find = read_find(&reader.table("find"));
        let statuses = reader.table("statuses");
        let of = |name: &str| statuses.text(name).unwrap_or_else(|| name.to_owned());
        let words = ["investigating", "identified", "monitoring", "resolved"].map(of);
        statuses.finish();
        let (open, update) = (open_call?, update_call?);
        Some(Self { open, id_pointer, update, find, statuses: words })
    }
}

fn read_call(reader: &Reader<'_>, needed: bool) -> Option<PageCall> {
    let required = |key, example| {
        if needed { reader.required(key, example) } else { reader.text(key).unwrap_or_default() }
    };
    let methods = [("POST", FlagMethod::Post), ("PUT", FlagMethod::Put), ("PATCH", FlagMethod::Patch)];
    let method = reader.choice("method", &methods, FlagMethod::Post);
    let url = required("url", "https://page.example/incidents");
    let body = required("body", "{\"name\":\"{title}\",\"message\":\"{text}\",\"status\":\"{status}\"}");
    let url = read_url(reader, url);
    let body = if body.is_empty() { None } else { report(reader, "body", TextTemplate::new(body, &PLACES)) };
    Some(PageCall { method, url: url?, body: body? })
}

fn read_find(reader: &Reader<'_>) -> Option<PageFind> {
    let url = reader.text("url").unwrap_or_default();
    let find = PageFind {
        items_pointer: pointer(reader, "items_pointer", ""),
        key_pointer: pointer(reader, "key_pointer", "/metadata/backstop/incident"),
        id_pointer: pointer(reader, "id_pointer", "/id"),
        url: read_url(reader, url)?,
    };
    reader.finish();
    Some(find)
}

fn read_url(reader: &Reader<'_>, text: String) -> Option<UrlTemplate> {
    if text.is_empty() {
        return None;
    }
    // Braces are no part of an address: it is looked at as it is without them.
    let plain = text.replace(['{', '}'], "");
    let is_usable = Url::parse(&plain).is_ok_and(|url| {
        ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
    });
    if !is_usable {
        let remedy =
            "write such as \"https://page.example/incidents/{id}\", with the key in bearer_token_file";
        reader.error("url", "is no address of http or https, or carries credentials", remedy);
        return None;
    }
    report(reader, "url", UrlTemplate::new(text, &PLACES))
}

fn report<T>(reader: &Reader<'_>, key: &str, template: Result<T, TemplateError>) -> Option<T> {
    let remedy = match &template {
        Ok(_) => "",
        Err(TemplateError::TooLong) => "leave out what the page does not need",
        Err(TemplateError::UnknownPlace(_)) => "use {title}, {text}, {status}, {id} or {incident}",
        Err(TemplateError::NotJson(_)) => "write JSON, with quotes around each place",
        Err(TemplateError::NoAddress) => "write places in the path or the query only",
    };
    template.map_err(|error| reader.error(key, error.to_string(), remedy)).ok()
}

fn pointer(reader: &Reader<'_>, key: &str, default: &str) -> String {
    let text = reader.text(key).unwrap_or_else(|| default.to_owned());
    if !text.is_empty() && !text.starts_with('/') {
        reader.error(key, "is no JSON pointer", format!("write \"/{text}\""));
    }
    text
}
