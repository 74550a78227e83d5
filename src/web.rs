//! What people and tools read and ask for over HTTP: incidents, rollouts, a person's requests, and
//! on the other port the probes and figures.

mod admin;
mod api;
mod listing;
mod view;

pub use admin::{Readiness, admin_router};
pub use api::{Api, api_router};
pub use listing::Listings;
pub use view::{IncidentView, RolloutView};
