//! What moves the traffic in a cluster: one object, which proxies follow.
//!
//! A router says what the object means and how it would have to look; it asks and sends nothing itself,
//! so all of it is tested by tables.

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::Value;

use super::changes::Fields;
use super::object::Object;
use crate::finding::{Check, Finding};
use crate::incident::Share;

/// What the proxies make of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) share: Share,
    /// See [`crate::incident::Observation::bypasses`].
    pub(super) bypasses: Vec<String>,
    /// See [`crate::incident::Observation::not_in_effect`].
    pub(super) not_in_effect: Option<String>,
    /// See [`crate::incident::Observation::obstacle`].
    pub(super) obstacle: Option<String>,
}

impl Route {
    /// With nothing in its way.
    pub(super) fn of_share(share: Share) -> Self {
        Self { share, bypasses: Vec::new(), not_in_effect: None, obstacle: None }
    }

    pub(super) fn is_off(&self) -> bool {
        self.share == Share::ZERO && self.bypasses.is_empty() && self.not_in_effect.is_none()
    }
}

/// A change of the object, as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) send: Send,
    /// What becomes of what, for evidence: what is taken away is named with its value, so that a person
    /// can put it back.
    pub(super) words: String,
}

/// How it is sent. Both carry the `resourceVersion` that was read, so that nobody's change is lost.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Send {
    /// A JSON merge patch: only what it names is changed.
    MergePatch(Value),
    /// The whole object: a merge patch replaces lists as a whole anyway.
    Replace(Value),
}

/// A kind of object that moves traffic.
pub(super) trait Router: std::marker::Send + Sync + std::fmt::Debug {
    fn object(&self) -> &Object;

    /// What the proxies make of it.
    ///
    /// # Errors
    /// When it is not such an object; the text says why.
    fn route(&self, object: &Value) -> Result<Route, String>;

    /// The change that lowers the canary's share to this, and for 0 % closes every other way; `None`: it
    /// is so, or lower, already.
    ///
    /// # Errors
    /// When it is not such an object; the text says why.
    fn with_share(&self, object: &Value, share: Share) -> Result<Option<Change>, String>;

    /// The change that sets the canary's share to this, up or down, and leaves every other way as it is; `None`:
    /// it is so already, or can't be changed.
    ///
    /// # Errors
    /// When it is not such an object; the text says why.
    fn with_exactly(&self, object: &Value, share: Share) -> Result<Option<Change>, String>;

    /// What is sent for it, in a few words.
    fn describe(&self, share: Share) -> String;

    /// The fields whose last change moved traffic.
    fn fields(&self) -> Fields;

    /// What is odd about an object that has no obstacle.
    fn doubts(&self, check: Check<'_>, object: &Value, canary_service: &str) -> Vec<Finding>;

    /// What is odd about it beside all Ingresses of its namespace.
    fn doubts_beside(&self, _check: Check<'_>, _object: &Value, _all: &[Ingress]) -> Vec<Finding> {
        Vec::new()
    }
}
