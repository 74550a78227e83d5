//! Who else carries a rollout out.

use serde::{Deserialize, Serialize};

/// A controller that owns what a rollback would change, and would undo it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Such as `Argo Rollout api`.
    pub name: String,
    pub stance: Stance,
    /// Whether it is under way with a version that isn't the stable one.
    #[serde(default)]
    pub rolls_out: bool,
}

/// How a rollback stands to an owner. One that was told to stand aside is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// It is left to do as it likes, and all that it owns is left as it is.
    LeftAlone,
    /// It has to be told to stop before anything else.
    ToBeStopped,
    /// It takes the traffic off the canary itself, and its pods down.
    RollsBack,
}
