//! `GET /api/v1/incidents`: few at once, and each made as it is read.
//!
//! A listing can be many megabytes, and it is read from the same store as evidence. Whoever asks for
//! hundreds, or asks and doesn't read, must take neither memory nor time from a rollback.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::IncidentView;
use super::api::{Api, ApiError};
use crate::incident::{Incident, Phase, RolloutName};
use crate::store::IncidentFilter;
use crate::text::kept;

/// Incidents in one answer unless asked otherwise, and the most that may be asked for.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// Listings under way at once. People and their tools need one.
const AT_ONCE: usize = 4;

/// How long one more waits for its turn. A listing takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The listings that are under way. Clones share them.
#[derive(Debug, Clone)]
pub struct Listings(Arc<Semaphore>);

impl Default for Listings {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Listings {
    async fn turn(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await;
        let busy = || ApiError::Unavailable(format!("{AT_ONCE} listings are under way; ask again"));
        turn.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    rollout: Option<String>,
    state: Option<String>,
    limit: Option<String>,
}

fn limit(asked: Option<&str>) -> Result<usize, ApiError> {
    let Some(asked) = asked else { return Ok(DEFAULT_LIMIT) };
    let limit = asked.parse().ok().filter(|limit| *limit > 0);
    let limit: usize = limit.ok_or_else(|| {
        ApiError::BadRequest(format!(
            "\"limit\" is a number from 1 to {MAX_LIMIT}, and not {:?}",
            kept(asked)
        ))
    })?;
    Ok(limit.min(MAX_LIMIT))
}

pub(super) async fn incidents(
    State(api): State<Arc<Api>>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(listing) = listing.map_err(|_| {
        ApiError::BadRequest(
            "the query can't be read: it takes rollout, state and limit, each once".to_owned(),
        )
    })?;
    if let Some(state) = listing.state.as_deref().filter(|state| !Phase::NAMES.contains(state)) {
        let known = Phase::NAMES.join(", ");
        return Err(ApiError::BadRequest(format!(
            "there is no state {:?}; choose one of {known}",
            kept(state)
        )));
    }
    let filter = IncidentFilter {
        rollout: listing.rollout.map(RolloutName::new),
        state: listing.state,
        limit: limit(listing.limit.as_deref())?,
    };
    let turn = api.listings.turn().await?;
    let mut incidents = api.worker.store.incidents(&filter).await?;
    if api.worker.metrics.unrecorded_events() > 0 {
        with_unrecorded(&api, &filter, &mut incidents);
    }
    Ok(([(CONTENT_TYPE, "application/json")], streamed(incidents, turn)).into_response())
}

/// The list piece by piece, one incident each; the turn ends with the last, or when nobody reads on.
fn streamed(incidents: Vec<Incident>, turn: OwnedSemaphorePermit) -> Body {
    let pieces = incidents.into_iter().enumerate().map(move |(number, incident)| {
        let _until_the_last = &turn;
        let mut piece = if number == 0 { Vec::new() } else { vec![b','] };
        serde_json::to_writer(&mut piece, &IncidentView::from(&incident)).map(|()| piece)
    });
    let around = |bracket| std::iter::once(Ok(vec![bracket]));
    Body::from_stream(stream::iter(around(b'[').chain(pieces).chain(around(b']'))))
}

/// While the store can't be written, the latest incidents are newer in memory than there.
fn with_unrecorded(api: &Api, filter: &IncidentFilter, incidents: &mut Vec<Incident>) {
    for incident in api.worker.journal.states().values().filter_map(|state| state.incident.as_deref()) {
        incidents.retain(|listed| listed.id != incident.id);
        if filter.admits(incident) {
            incidents.push(incident.clone());
        }
    }
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.opened_at));
    incidents.truncate(filter.limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_listing_too_many_waits_for_its_turn_and_is_then_told_to_come_again() {
        let listings = Listings::default();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(listings.turn().await.map_err(|_| ()).expect("a turn"));
        }
        let begun = tokio::time::Instant::now();
        let refused = listings.turn().await.expect_err("too many").into_response();
        assert_eq!((refused.status().as_u16(), begun.elapsed()), (503, PATIENCE));
        assert!(refused.headers().contains_key("retry-after"));
        let unread = streamed(Vec::new(), turns.pop().expect("a turn"));
        assert!(listings.turn().await.is_err(), "who doesn't read keeps the turn");
        drop(unread);
        assert!(listings.turn().await.is_ok());
    }
}
