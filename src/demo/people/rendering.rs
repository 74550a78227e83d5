//! Grafana's image renderer, as far as a caller sees it: `/render/d/<uid>/<slug>` (grafana/grafana,
//! `pkg/api/render.go` and `pkg/services/rendering`). Its pictures are real PNGs, of nothing in particular.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::grafana::{is_allowed, message};
use super::{People, Shared, form};

/// The dashboard that there is.
pub const DASHBOARD: &str = "risk-idempotency-pitr";

/// What the real renderer makes at most, in both directions.
const MAX_PIXELS: u32 = 3_000;

/// How large the pictures are that Grafana has ready; where it has none of that size asked for.
const READY: (u32, u32) = (1_000, 500);

/// What the renderer is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renderer {
    /// It renders the dashboard, and for any other a page that says that there is none.
    #[default]
    Works,
    /// There is none, or it is busy: 200, and a picture that Grafana has ready.
    NotInstalled,
    /// It can't log in: it renders the login page, whatever is asked for.
    NotLoggedIn,
    /// It takes the picture before anything is painted.
    Early,
    /// It renders nothing for a dashboard that there is not: 500.
    Strict,
}

/// What a picture shows, by how its pixels are painted.
#[derive(Debug, Clone, Copy)]
enum Page {
    Dashboard,
    NotFound,
    Login,
    Ready,
    Nothing,
}

impl People {
    /// What Grafana's renderer does from now on.
    pub fn renderer(&self, renderer: Renderer) {
        self.shared.change(|world| world.grafana.renderer = renderer);
    }
}

/// `GET /render/d/{uid}/{slug}`.
pub(super) async fn render(
    State(shared): State<Arc<Shared>>,
    Path((uid, _slug)): Path<(String, String)>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if !headers.contains_key("authorization") {
        return (StatusCode::FOUND, [(LOCATION, "/login")]).into_response();
    }
    if !is_allowed(&headers) {
        return message(StatusCode::UNAUTHORIZED, "Invalid API key");
    }
    let query = form::decode(&query.unwrap_or_default());
    let number = |name| form::first(&query, name).and_then(|value| value.parse::<u32>().ok());
    let asked = (number("width").unwrap_or(READY.0), number("height").unwrap_or(READY.1));
    let size = (asked.0.clamp(1, MAX_PIXELS), asked.1.clamp(1, MAX_PIXELS));
    let renderer = shared.world().grafana.renderer;
    let (page, size) = match renderer {
        Renderer::Works | Renderer::Strict if uid == DASHBOARD => (Page::Dashboard, size),
        Renderer::Works => (Page::NotFound, size),
        Renderer::Strict => return message(StatusCode::INTERNAL_SERVER_ERROR, "Rendering failed."),
        Renderer::NotInstalled => (Page::Ready, READY),
        Renderer::NotLoggedIn => (Page::Login, size),
        Renderer::Early => (Page::Nothing, size),
    };
    match painted(page, size) {
        Ok(bytes) => ([(CONTENT_TYPE, "image/png")], bytes).into_response(),
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn painted(page: Page, (width, height): (u32, u32)) -> Result<Vec<u8>, png::EncodingError> {
    let pixel = |x: u32, y: u32| match page {
        Page::Dashboard => (x / 100 + y / 80) as u8 | 0x80,
        Page::NotFound => u8::from(y / 20 == 3) * 0xff,
        Page::Login => u8::from((x / 100, y / 100) == (2, 2)) * 0xff,
        Page::Ready => (x % 7) as u8,
        Page::Nothing => 0xff,
    };
    let pixels: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}
