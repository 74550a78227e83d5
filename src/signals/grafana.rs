//! Grafana's pictures of a dashboard, for evidence: what its image renderer shows at
//! `/render/d/<uid>/<slug>` (grafana/grafana, `pkg/api/render.go`).
//!
//! Nothing depends on such a picture, and one that shows something else than the dashboard would mislead
//! whoever reads the evidence. So each is looked at before it is kept, and compared with what the renderer
//! shows for a dashboard that there is not: one that shows the login page to everybody (grafana-image-renderer
//! issue 739), or an error, shows the same for both.

mod recognition;

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Url;

use super::SignalError;
use super::error::refused;
use crate::outbound::{Outbound, Reply, under};
pub use recognition::{Placeholder, Size};
use recognition::{recognise, shows_the_same};

/// How long one picture may take: a browser opens the dashboard and waits for all its queries. Grafana's
/// own default is as long.
pub const RENDER_TIMEOUT: Duration = Duration::from_secs(60);

/// What Grafana is told, so that it says why it gives up before nobody listens.
const RENDERER_TIMEOUT_SECONDS: u64 = 50;

/// Ten times what a dashboard of this size takes.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// What is asked for: the whole of the shipped dashboard, 31 rows of 38 pixels and its controls. Odd on
/// purpose, since what tells the pictures that Grafana has ready from a rendered one is, in every version,
/// that they have another size. The renderer makes none above 3000 pixels.
pub const SIZE: Size = Size { width: 1_601, height: 1_303 };

/// The last part of a dashboard's address, which Grafana doesn't look at.
const SLUG: &str = "backstop";

/// A uid that no dashboard has: longer than the 40 characters that Grafana allows.
const NO_DASHBOARD: &str = "backstop-asks-for-a-dashboard-that-there-is-not";

/// Grafana's image renderer, for one dashboard.
#[derive(Debug, Clone)]
pub struct GrafanaRenderer {
    outbound: Outbound,
    base: Url,
    dashboard_uid: String,
}

/// What the dashboard is to show.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The dashboard's variables, by name without `var-`.
    pub variables: &'a [(String, String)],
}

/// Why there is no picture of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// No picture came; what it says tells whether to ask again.
    #[error(transparent)]
    NotRendered(#[from] SignalError),
    /// A picture came that is not to be kept: a person has to look at Grafana's renderer.
    #[error("Grafana's picture is not kept: {0}")]
    NotKept(#[from] Placeholder),
}

impl GrafanaRenderer {
    /// `outbound` ends its requests within [`RENDER_TIMEOUT`]; `base` may have a path of its own.
    #[must_use]
    pub fn new(outbound: &Outbound, base: Url, dashboard_uid: String) -> Self {
        Self { outbound: outbound.with_answers_up_to(MAX_ANSWER_BYTES), base, dashboard_uid }
    }

    /// A PNG of [`SIZE`] that shows the dashboard. Takes two renderings.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub async fn render(&self, shown: &Shown<'_>) -> Result<Vec<u8>, RenderError> {
        let picture = self.ask(&self.dashboard_uid, shown).await?;
        // Whom it doesn't know it sends to its login page.
        if (300..400).contains(&picture.status) {
            return Err(Placeholder::WebPage.into());
        }
        if !picture.is_success() {
            return Err(refused("the render of the dashboard", &picture).into());
        }
        recognise(picture.content_type.as_deref(), &picture.body, SIZE)?;
        let other = self.ask(NO_DASHBOARD, shown).await?;
        // That it renders nothing for a dashboard that there is not tells them apart as well.
        if other.is_success() && shows_the_same(&picture.body, &other.body) {
            return Err(Placeholder::AnyPage.into());
        }
        Ok(picture.body)
    }

    async fn ask(&self, uid: &str, shown: &Shown<'_>) -> Result<Reply, SignalError> {
        let failed = |error| SignalError::NoAnswer(format!("the render of the dashboard: {error}"));
        self.outbound.get(self.address(uid, shown)).await.map_err(failed)
    }

    fn address(&self, uid: &str, shown: &Shown<'_>) -> Url {
        let mut url = under(&self.base, "render/d");
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(uid).push(SLUG);
        }
        let milliseconds = |at: DateTime<Utc>| at.timestamp_millis().to_string();
        url.query_pairs_mut()
            .append_pair("from", &milliseconds(shown.from))
            .append_pair("to", &milliseconds(shown.to))
            .append_pair("width", &SIZE.width.to_string())
            .append_pair("height", &SIZE.height.to_string())
            // An administrator may have set another default.
            .append_pair("scale", "1")
            .append_pair("tz", "UTC")
            .append_pair("theme", "light")
            .append_pair("kiosk", "true")
            .append_pair("timeout", &RENDERER_TIMEOUT_SECONDS.to_string())
            .extend_pairs(shown.variables.iter().map(|(name, value)| (format!("var-{name}"), value)));
        url
    }
}
