//! What people and tools read and ask for over HTTP: incidents, rollouts, a person's requests, and
//! on the other port the probes and metrics.

mod admin;
mod api;
mod auth;
mod listing;
mod next;
mod pagerduty;
mod ramp_view;
mod signpost;
pub mod slack;
mod told;
mod view;

pub use admin::{Readiness, admin_router};
pub use api::{AboutView, Api, TestAlertView, api_router};
pub use auth::{Access, Denied};
pub use listing::Listings;
pub use next::NextView;
pub use pagerduty::{PAGERDUTY_PATH, PagerDutyInbound, pagerduty_router};
pub use ramp_view::{CriterionView, RampView, StageView};
pub use told::{ChannelView, GivenUpView, NotificationView, UndeliveredView};
pub use view::{IncidentView, RolloutView};
