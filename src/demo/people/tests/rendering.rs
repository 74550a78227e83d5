//! Pictures of a dashboard, asked for as for evidence.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use reqwest::Url;

use super::client;
use crate::config::{AccessConfig, Credentials, SecretFile};
use crate::demo::people::rendering::{DASHBOARD, Renderer};
use crate::demo::people::{Answer, People, grafana};
use crate::outbound::Connections;
use crate::signals::{GrafanaRenderer, Placeholder, RENDER_SIZE, RenderError, Shown, SignalError, Size};

struct Setup {
    people: People,
    renderer: GrafanaRenderer,
    _folder: tempfile::TempDir,
}

async fn setup_with(dashboard: &str, token: &str, timeout: Duration) -> Setup {
    let people = People::start().await.expect("started");
    let _same_provider = client();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, token).expect("written");
    let file = SecretFile::new(path);
    file.look();
    let access = AccessConfig { credentials: Some(Credentials::Bearer(file)), ..AccessConfig::default() };
    let outbound = Connections::default().to(&access, timeout).expect("a client");
    let base = Url::parse(&people.url("")).expect("an address");
    let renderer = GrafanaRenderer::new(&outbound, base, dashboard.to_owned());
    Setup { people, renderer, _folder: folder }
}

async fn setup() -> Setup {
    setup_with(DASHBOARD, grafana::TOKEN, super::PATIENCE).await
}

impl Setup {
    async fn render(&self) -> Result<Vec<u8>, RenderError> {
        let from = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000);
        let variables = [("rollout".to_owned(), "spark trading".to_owned())];
        let shown = Shown { from, to: from + TimeDelta::seconds(900), variables: &variables };
        self.renderer.render(&shown).await
    }
}

#[tokio::test]
async fn a_picture_of_the_dashboard_is_asked_for_with_its_times_and_variables() {
    let setup = setup().await;
    let picture = setup.render().await.expect("a picture");
    let info = png::Decoder::new(std::io::Cursor::new(&picture)).read_info().expect("a PNG");
    assert_eq!((info.info().width, info.info().height), (RENDER_SIZE.width, RENDER_SIZE.height));
    let calls = setup.people.calls_to("GET /render/d/*");
    assert_eq!(calls[0].path, format!("/render/d/{DASHBOARD}/backstop"));
    assert_eq!(
        calls[0].query,
        "from=1000000&to=1900000&width=1601&height=1303&scale=1&tz=UTC&theme=light&kiosk=true&timeout=50\
         &var-rollout=spark+trading"
    );
    assert!(!calls[1].path.contains(DASHBOARD), "compared with a dashboard that there is not");
}

#[tokio::test]
async fn what_is_no_picture_of_the_dashboard_is_not_kept() {
    let other_size = Placeholder::OtherSize { found: Size { width: 1_000, height: 500 }, asked: RENDER_SIZE };
    for (renderer, expected) in [
        (Renderer::NotInstalled, other_size),
        (Renderer::Early, Placeholder::Blank),
        (Renderer::NotLoggedIn, Placeholder::AnyPage),
    ] {
        let setup = setup().await;
        setup.people.renderer(renderer);
        assert_eq!(setup.render().await, Err(RenderError::NotKept(expected)), "{renderer:?}");
    }
    let missing = setup_with("elsewhere", grafana::TOKEN, super::PATIENCE).await;
    assert_eq!(missing.render().await, Err(RenderError::NotKept(Placeholder::AnyPage)));
    let page = setup().await;
    page.people.always("GET /render/*", Answer::garbage());
    assert_eq!(page.render().await, Err(RenderError::NotKept(Placeholder::WebPage)));
}

#[tokio::test]
async fn a_renderer_that_renders_nothing_for_a_dashboard_that_there_is_not_is_fine() {
    let setup = setup().await;
    setup.people.renderer(Renderer::Strict);
    assert!(setup.render().await.is_ok());
}

#[tokio::test]
async fn a_wrong_token_a_hang_and_an_endless_answer_are_named() {
    let denied = setup_with(DASHBOARD, "glsa_wrong", super::PATIENCE).await.render().await;
    let Err(RenderError::NotRendered(SignalError::Denied(words))) = denied else { panic!("{denied:?}") };
    assert!(words.contains("Invalid API key"), "{words}");

    let hang = setup_with(DASHBOARD, grafana::TOKEN, Duration::from_millis(200)).await;
    hang.people.always("GET /render/*", Answer::hang());
    let found = hang.render().await;
    let Err(RenderError::NotRendered(SignalError::NoAnswer(words))) = found else { panic!("{found:?}") };
    assert!(words.contains("no answer within 200ms"), "{words}");

    let endless = setup().await;
    endless.people.always("GET /render/*", Answer::text(200, &"x".repeat((8 << 20) + 1)));
    let found = endless.render().await;
    let Err(RenderError::NotRendered(SignalError::NoAnswer(words))) = found else { panic!("{found:?}") };
    assert!(words.contains("longer than 8388608 bytes"), "{words}");
}

#[tokio::test]
async fn without_a_token_grafana_leads_to_its_login_page() {
    let people = People::start().await.expect("started");
    let _same_provider = client();
    let outbound = Connections::default().to(&AccessConfig::default(), super::PATIENCE).expect("a client");
    let base = Url::parse(&people.url("")).expect("an address");
    let renderer = GrafanaRenderer::new(&outbound, base, DASHBOARD.to_owned());
    let from = DateTime::UNIX_EPOCH;
    let shown = Shown { from, to: from + TimeDelta::seconds(1), variables: &[] };
    assert_eq!(renderer.render(&shown).await, Err(RenderError::NotKept(Placeholder::WebPage)));
}
