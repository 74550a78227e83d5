//! The ways in which a flag API lets its callers down.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// How one endpoint behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Answers this status and does nothing.
    Status(u16),
    /// Answers 200 and does nothing.
    Lies,
    /// Does it, and answers only after this long.
    AppliesThenHangs(Duration),
    /// Does nothing, and answers only after this long.
    Hangs(Duration),
    /// Does it after this long and answers then; it is done even if the caller has gone.
    AppliesLate(Duration),
    /// Answers 200 with something that is no answer.
    Nonsense,
}

impl Fault {
    pub(super) fn applies(self) -> bool {
        match self {
            Self::None | Self::AppliesThenHangs(_) => true,
            Self::Status(_) | Self::Lies | Self::Hangs(_) | Self::AppliesLate(_) | Self::Nonsense => false,
        }
    }

    pub(super) async fn answer(self, good: Response) -> Response {
        match self {
            Self::None | Self::Lies => good,
            Self::Status(code) => {
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, "not now").into_response()
            }
            Self::AppliesThenHangs(pause) | Self::Hangs(pause) | Self::AppliesLate(pause) => {
                tokio::time::sleep(pause).await;
                good
            }
            Self::Nonsense => "<html>it works!</html>".into_response(),
        }
    }
}
