//! What a person sees who follows a message's link in a browser: a browser sends no token, and JSON says
//! nothing at night of what to do. One plain page, without a script and without anything of an incident.

use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// Where incidents are read.
const INCIDENTS: &str = "/api/v1/incidents/";

/// Stands in a command for an id that the address does not have.
const ANY_ID: &str = "ID";

/// The longest id that is copied into a command.
const MAX_ID_CHARS: usize = 200;

/// Whether it is a browser that wants to show something to a person.
pub(super) fn is_for_a_person(method: &Method, headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).map(|one| one.split(';').next());
    *method == Method::GET
        && types.any(|one| one.is_some_and(|name| name.trim().eq_ignore_ascii_case("text/html")))
}

/// The page, with why the request was not let in. Nothing of the address but a harmless id is in it:
/// whoever makes somebody follow a link must not choose what they paste into a shell.
pub(super) fn page(status: StatusCode, why: &str, path: &str) -> Response {
    let commands = match path.strip_prefix(INCIDENTS) {
        Some(rest) => {
            let id = rest.split('/').next().filter(|id| is_harmless(id)).unwrap_or(ANY_ID);
            format!("backstop incident show {id}\nbackstop incident report {id}")
        }
        None => "backstop status".to_owned(),
    };
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Backstop needs a token</title>\n\
         <h1>Backstop needs a token here</h1>\n\
         <p>A browser sends none, and there is no page for one yet. Where the server's configuration and token file are, such as on its own machine, this tells the same:</p>\n\
         <pre>{}</pre>\n<p>For tools: {}</p>\n</html>\n",
        escaped(&commands),
        escaped(why)
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (VARY, "Accept"),
    ];
    (status, headers, body).into_response()
}

fn is_harmless(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    // A dash in front would be a flag.
    !id.is_empty() && !id.starts_with('-') && id.len() <= MAX_ID_CHARS && id.chars().all(plain)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use http_body_util::BodyExt;

    use super::*;

    async fn shown(path: &str) -> String {
        let page = page(StatusCode::UNAUTHORIZED, "send `Bearer <token>`", path);
        assert_eq!(page.status(), 401);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let body = page.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(body.to_vec()).expect("a text")
    }

    #[tokio::test]
    async fn a_person_reads_the_two_commands_for_the_incident_of_the_link() {
        for path in [
            "/api/v1/incidents/spark-20261104-030405-0001",
            "/api/v1/incidents/spark-20261104-030405-0001/report",
        ] {
            let page = shown(path).await;
            assert!(
                page.contains("<pre>backstop incident show spark-20261104-030405-0001\nbackstop incident report spark-20261104-030405-0001</pre>"),
                "{page}"
            );
            assert!(page.contains("send `Bearer &lt;token&gt;`") && !page.contains("<script"), "{page}");
        }
        assert!(shown("/api/v1/rollouts").await.contains("<pre>backstop status</pre>"));
    }

    #[tokio::test]
    async fn an_address_chooses_neither_html_nor_a_command() {
        for id in ["x;reboot", "$(reboot)", "<script>", "%3Cscript%3E", "--config=x", "a b", "", "x\u{202e}"]
        {
            let page = shown(&format!("/api/v1/incidents/{id}")).await;
            assert!(
                page.contains("<pre>backstop incident show ID\nbackstop incident report ID</pre>"),
                "{page}"
            );
        }
    }

    #[test]
    fn only_what_reads_and_shows_html_is_a_browser() {
        let is = |method: Method, accept: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            is_for_a_person(&method, &headers)
        };
        assert!(is(Method::GET, Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")));
        assert!(is(Method::GET, Some("application/json, Text/HTML;q=0.5")));
        for accept in [None, Some("*/*"), Some("application/json")] {
            assert!(!is(Method::GET, accept), "{accept:?}");
        }
        assert!(!is(Method::POST, Some("text/html")));
    }
}
