//! Starts a ramp: what it would be is found out first, and then whether it may is decided.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::{Api, ApiError, Asked, Through, ask, text, understood};
use crate::config::stages_of;
use crate::decision::{RampRefusal, RampRequest, Refusal};
use crate::incident::Revision;
use crate::pipeline::{NoPlan, RampWanted};
use crate::ramp::PlanChanges;
use crate::web::RampView;

/// How long finding out may take. Whoever asked waits for it, and each system that is asked has a limit of
/// its own.
const PREPARED_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    actor: String,
    revision: String,
    /// In per cent.
    stages: Option<Vec<i64>>,
    /// Such as `15m`.
    stage_duration: Option<String>,
    #[serde(default)]
    again: bool,
    reason: Option<String>,
    #[serde(default)]
    yes: bool,
    #[serde(default)]
    through: Through,
}

pub(super) async fn start(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<(StatusCode, Json<RampView>), ApiError> {
    let form = "{\"actor\", \"revision\", \"stages\"?, \"stage_duration\"?, \"again\"?, \"reason\"?, \"yes\"?, \"through\"?}";
    let Asked { rollout, body } = understood::<Start>(&api, name, body, form).await?;
    let wanted = wanted(&body)?;
    let actor = text("actor", &body.actor)?;
    let prepared = tokio::time::timeout(PREPARED_WITHIN, api.worker.prepare_ramp(&rollout, wanted)).await;
    let start = prepared
        .map_err(|_| {
            let seconds = PREPARED_WITHIN.as_secs();
            ApiError::Unavailable(format!(
                "nothing was started: what is asked before had no answer within {seconds} s; see `backstop doctor`"
            ))
        })?
        .map_err(|error| match error {
            NoPlan::Revision(_) | NoPlan::TooShort(..) | NoPlan::TooLong(_) => ApiError::BadRequest(error.to_string()),
            // Nothing is wrong with what was asked for: it can be asked for again once that is mended.
            NoPlan::Criteria(_) | NoPlan::Unwritten(_) => ApiError::Unavailable(error.to_string()),
        })?;
    let view = ask(&api, &rollout, &actor, RampRequest::Start(Box::new(start))).await?;
    Ok((StatusCode::CREATED, view))
}

/// What is asked for, as far as it makes sense by itself.
fn wanted(body: &Start) -> Result<RampWanted, ApiError> {
    let stages = body.stages.as_deref().map(stages_of).transpose();
    let stages = stages
        .map_err(|error| ApiError::BadRequest(format!("\"stages\" {error}; write such as 1,5,25,50,100")))?;
    let again_because = match (body.again, &body.reason) {
        (true, Some(reason)) => Some(text("reason", reason)?),
        (true, None) => return Err(ApiError::Refused(Refusal::Ramp(RampRefusal::NeedsReason))),
        (false, Some(_)) => {
            let error = "\"reason\" says why a revision is tried again: add \"again\"";
            return Err(ApiError::BadRequest(error.to_owned()));
        }
        (false, None) => None,
    };
    Ok(RampWanted {
        revision: Revision::new(text("revision", &body.revision)?),
        changes: PlanChanges {
            stages,
            stage_duration_seconds: body.stage_duration.as_deref().map(seconds).transpose()?,
        },
        through: body.through.words(),
        again_because,
        is_confirmed: body.yes,
    })
}

/// A whole number of seconds, such as of `15m`; how long a stage may be is decided with the plan.
fn seconds(span: &str) -> Result<u32, ApiError> {
    let parsed = humantime::parse_duration(span).map_err(|error| {
        ApiError::BadRequest(format!("\"stage_duration\": {error}; write such as \"15m\""))
    })?;
    u32::try_from(parsed.as_secs())
        .map_err(|_| ApiError::BadRequest("\"stage_duration\" is too long".to_owned()))
}
