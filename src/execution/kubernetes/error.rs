//! Why a call to the API server brought nothing, and what a step or an observation makes of it.

use std::fmt;
use std::time::Duration;

use super::object::{ENDPOINT_SLICE, Object};
use crate::execution::{ActError, ReadError};
use crate::incident::Answer;
use crate::outbound::OutboundError;

/// What is asked of the API server, as a right has to name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Create,
    Patch,
    Update,
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Update => "update",
        }
    }
}

/// One call, in the words of a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) verb: Verb,
    /// With [`Verb::List`] and [`Verb::Create`] the name says of what; a right can't be limited to it.
    pub(super) object: Object,
    pub(super) subresource: Option<&'static str>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.object)?;
        self.subresource.map_or(Ok(()), |name| write!(f, "/{name}"))
    }
}

impl Call {
    /// Whether a right to it can be limited to the object's name. The names of EndpointSlices are generated.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.verb, Verb::Get | Verb::Patch | Verb::Update) && self.object.kind != ENDPOINT_SLICE
    }

    /// What to add to the Role, as it is written there.
    pub(super) fn right(&self) -> String {
        let Object { kind, namespace, name } = &self.object;
        let resource =
            self.subresource.map_or(kind.plural.to_owned(), |sub| format!("{}/{sub}", kind.plural));
        let names = if self.is_named() { format!(", resourceNames: [{name}]") } else { String::new() };
        let group = if kind.group.is_empty() { "\"\"" } else { kind.group };
        format!(
            "{{apiGroups: [{group}], resources: [{resource}]{names}, verbs: [{}]}} to a Role in the namespace {namespace}",
            self.verb.as_str(),
        )
    }
}

/// Why a call brought nothing; each variant says what can have happened on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    /// No client, or no credentials: nothing was sent, until a person mends what is named.
    #[error("not sent: {0}")]
    NotReady(String),
    /// No connection: nothing was sent.
    #[error("not sent: {0}")]
    Unreachable(String),
    #[error("no answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The connection ended before the answer did.
    #[error("no answer: {0}")]
    Broken(String),
    /// The API server, or a proxy before it, will not or can't.
    #[error("status {status}: {text}")]
    Answered { status: u16, text: String, retry_after: Option<Duration> },
    /// A success that isn't what was asked for: not an API server, or a newer one.
    #[error("not understood: {0}")]
    NotUnderstood(String),
}

/// A call that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {why}")]
pub(super) struct CallError {
    pub(super) call: Call,
    pub(super) why: Why,
}

impl CallError {
    pub(super) fn status(&self) -> Option<u16> {
        match self.why {
            Why::Answered { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Somebody changed the object since it was read.
    pub(super) fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }

    /// The object isn't there.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.status() == Some(404)
    }

    /// The API server answers 403 for two reasons: no right, which it words `User "…" cannot patch …`
    /// whatever grants rights there, and admission, which uses the words of whoever refused.
    pub(super) fn is_about_rights(&self) -> bool {
        matches!(&self.why, Why::Answered { text, .. } if text.contains(" cannot "))
    }

    /// The error, and what a person can do about it.
    pub(super) fn words(&self) -> String {
        self.remedy().map_or_else(|| self.to_string(), |remedy| format!("{self}; {remedy}"))
    }

    /// What a person can do about it, where the answer says so.
    pub(super) fn remedy(&self) -> Option<String> {
        let Call { object, .. } = &self.call;
        match self.status()? {
            401 => Some("renew the credentials of the kubeconfig or the ServiceAccount".to_owned()),
            403 if self.is_about_rights() => Some(format!("add {}", self.call.right())),
            403 => Some("the account has the right: a policy or quota of the cluster refuses it".to_owned()),
            404 => Some(format!(
                "there is no {object} in the namespace {}: create it, or mend the name in [rollouts.traffic]",
                object.namespace
            )),
            _ => None,
        }
    }

    fn answer(&self) -> Answer {
        Answer { status: self.status(), text: self.words() }
    }

    /// For a step that had only read: nothing can have changed.
    pub(super) fn before_a_change(self) -> ActError {
        match self.of_a_change() {
            ActError::Unknown(answer) => ActError::Retry { answer, after: None },
            other => other,
        }
    }

    /// For a step that had asked for its change.
    pub(super) fn of_a_change(self) -> ActError {
        let answer = self.answer();
        match self.why {
            Why::NotReady(_) | Why::Unreachable(_) => ActError::Retry { answer, after: None },
            Why::TimedOut(_) | Why::Broken(_) | Why::NotUnderstood(_) => ActError::Unknown(answer),
            // A gateway's time-out says nothing about what happened behind it.
            Why::Answered { status: 408 | 502 | 504, .. } => ActError::Unknown(answer),
            Why::Answered { status: 425 | 429 | 500..=599, retry_after, .. } => {
                ActError::Retry { answer, after: retry_after }
            }
            Why::Answered { .. } => ActError::Refused(answer),
        }
    }

    pub(super) fn of_an_observation(self) -> ReadError {
        let words = self.words();
        let Self { call, why } = self;
        let of = |text: String| format!("{call}: {text}");
        match why {
            Why::NotReady(text) => ReadError::NoAnswer(OutboundError::NotReady(of(text))),
            Why::Unreachable(text) => ReadError::NoAnswer(OutboundError::Unreachable(of(text))),
            Why::TimedOut(timeout) => ReadError::NoAnswer(OutboundError::TimedOut { timeout }),
            Why::Broken(text) => ReadError::NoAnswer(OutboundError::Broken(of(text))),
            Why::Answered { status, .. } => ReadError::Refused { status, text: words },
            Why::NotUnderstood(_) => ReadError::NotUnderstood(words),
        }
    }
}
