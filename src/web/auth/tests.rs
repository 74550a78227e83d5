use std::path::Path;

use axum::http::HeaderValue;

use super::*;
use crate::config::Config;

const ROLLOUT: &str = "[[rollouts]]
name = \"spark-trading\"
[rollouts.traffic]
kind = \"feature-flag\"
url = \"http://localhost:4001/rollout\"
feature = \"v1.4.0\"
";

/// Access by a `[server]` section, with the files of a folder.
fn access(folder: &Path, server: &str) -> Access {
    let config = Config::parse(&format!("[server]\n{server}\n{ROLLOUT}"), &folder.join("backstop.toml"));
    let config = config.expect("valid");
    config.secret_files().iter().for_each(|(_, file)| file.look());
    Access::new(&config.server)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for role in ["webhook", "operator", "viewer"] {
        std::fs::write(folder.path().join(role), format!("{role}-token-0123")).expect("written");
    }
    folder
}

fn ask(access: &Access, method: Method, headers: &[(header::HeaderName, &str)]) -> Result<(), Denied> {
    let headers =
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value")));
    access.check(&method, &Uri::from_static("/api/v1/incidents"), &headers.collect())
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json; charset=utf-8");

#[test]
fn who_may_read_and_who_may_change_follows_from_the_tokens() {
    let folder = folder();
    let operators = "auth.operator_token_files = [\"operator\"]";
    let viewers = "auth.viewer_token_files = [\"viewer\"]";
    let both = format!("{operators}\n{viewers}");
    type Answer = Result<(), Denied>;
    let cases: &[(&str, &str, Answer, Answer)] = &[
        // server, token, reading, changing
        ("", "", Ok(()), Err(Denied::NoOperators)),
        ("", "operator-token-0123", Ok(()), Err(Denied::NoOperators)),
        (operators, "", Err(Denied::NotAViewer), Err(Denied::NotAnOperator)),
        (operators, "operator-token-0123", Ok(()), Ok(())),
        (operators, "webhook-token-0123", Err(Denied::NotAViewer), Err(Denied::NotAnOperator)),
        (viewers, "", Err(Denied::NotAViewer), Err(Denied::NoOperators)),
        (viewers, "viewer-token-0123", Ok(()), Err(Denied::NoOperators)),
        (&both, "viewer-token-0123", Ok(()), Err(Denied::NotAnOperator)),
        (&both, "operator-token-0123", Ok(()), Ok(())),
    ];
    for (server, token, read, change) in cases {
        let access = access(folder.path(), server);
        let bearer = (header::AUTHORIZATION, format!("Bearer {token}"));
        let bearer = [(bearer.0, bearer.1.as_str()), JSON];
        assert_eq!(ask(&access, Method::GET, &bearer), *read, "read: {server:?} {token:?}");
        assert_eq!(ask(&access, Method::POST, &bearer), *change, "change: {server:?} {token:?}");
    }
}

#[test]
fn what_changes_something_is_json_whoever_sends_it() {
    let folder = folder();
    let access = access(folder.path(), "auth.operator_token_files = [\"operator\"]");
    let bearer = (header::AUTHORIZATION, "Bearer operator-token-0123");
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", ""]
    {
        let headers = [bearer.clone(), (header::CONTENT_TYPE, content_type)];
        assert_eq!(ask(&access, Method::POST, &headers), Err(Denied::NotJson), "{content_type:?}");
    }
    assert_eq!(ask(&access, Method::POST, std::slice::from_ref(&bearer)), Err(Denied::NotJson));
    assert_eq!(ask(&access, Method::POST, &[bearer.clone(), JSON]), Ok(()));
}

#[test]
fn a_method_that_nothing_serves_lets_nobody_in_and_tells_only_who_may_read() {
    let folder = folder();
    let roles = "auth.operator_token_files = [\"operator\"]\nauth.viewer_token_files = [\"viewer\"]";
    let access = access(folder.path(), roles);
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        for role in ["operator", "viewer"] {
            let bearer = format!("Bearer {role}-token-0123");
            let headers = [(header::AUTHORIZATION, bearer.as_str()), JSON];
            assert_eq!(ask(&access, method.clone(), &headers), Err(Denied::Method), "{method} {role}");
        }
        assert_eq!(ask(&access, method, &[JSON]), Err(Denied::NotAViewer));
    }
}

#[test]
fn without_tokens_a_page_of_another_site_can_not_read_by_a_name_that_points_here() {
    let folder = folder();
    let access = access(folder.path(), "external_url = \"http://backstop.test:8080\"");
    for (host, known) in [
        ("localhost:8080", true),
        ("LOCALHOST", true),
        ("127.0.0.1:8080", true),
        ("[::1]:8080", true),
        ("backstop.test", true),
        ("evil.example:8080", false),
        ("127.0.0.1.evil.example", false),
        ("10.0.0.1", false),
        ("", false),
    ] {
        let expected = if known { Ok(()) } else { Err(Denied::ForeignHost) };
        assert_eq!(ask(&access, Method::GET, &[(header::HOST, host)]), expected, "{host:?}");
    }
}

#[test]
fn a_token_whose_file_is_gone_opens_nothing_and_the_answer_says_why() {
    let folder = folder();
    let config = format!("[server]\nauth.operator_token_files = [\"operator\"]\n{ROLLOUT}");
    let config = Config::parse(&config, &folder.path().join("backstop.toml")).expect("valid");
    let access = Access::new(&config.server);
    let look = || config.secret_files().iter().for_each(|(_, file)| file.look());
    let headers = [(header::AUTHORIZATION, "Bearer operator-token-0123"), JSON];
    look();
    assert_eq!(ask(&access, Method::POST, &headers), Ok(()));
    std::fs::remove_file(folder.path().join("operator")).expect("removed");
    (0..2).for_each(|_| look());
    assert_eq!(ask(&access, Method::POST, &headers), Err(Denied::Revoked));
    assert_eq!(ask(&access, Method::GET, &headers), Err(Denied::Revoked));
    assert!(Denied::Revoked.to_string().contains("missing or empty"));
}

#[tokio::test]
async fn a_browser_without_a_token_is_shown_what_to_do_and_a_tool_gets_json() {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    let folder = folder();
    let access = Arc::new(access(folder.path(), "auth.viewer_token_files = [\"viewer\"]"));
    let router = Router::new()
        .route("/api/v1/incidents/{id}", get(|| async { "an incident" }))
        .route_layer(from_fn_with_state(access, authorize));
    let ask = async |headers: &[(header::HeaderName, &str)]| {
        let mut request = Request::get("/api/v1/incidents/spark-1");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let answer = router.clone().oneshot(request.body(Body::empty()).expect("a request")).await;
        let answer = answer.expect("answered");
        let content_type = answer.headers().get(header::CONTENT_TYPE).expect("a type").clone();
        (answer.status().as_u16(), content_type.to_str().expect("a text").to_owned())
    };
    let browser = (header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
    let of = |status, content_type: &str| (status, content_type.to_owned());
    assert_eq!(ask(std::slice::from_ref(&browser)).await, of(401, "text/html; charset=utf-8"));
    assert_eq!(ask(&[(header::ACCEPT, "*/*")]).await, of(401, "application/json"));
    let token = (header::AUTHORIZATION, "Bearer viewer-token-0123");
    assert_eq!(ask(&[browser, token]).await, of(200, "text/plain; charset=utf-8"));
}
