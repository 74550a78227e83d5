//! What a check has found, in words that a person can act upon: the vocabulary of `backstop doctor`.

use std::fmt;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It was looked at, and is as it should be.
    Fine,
    /// Nothing is wrong; it is good to know, or could not be looked at.
    Note,
    /// A rollback works, and something about it will surprise: it is undone later, or less is known of it.
    Warning,
    /// A rollback would be stopped, or nobody would see that one is needed.
    Error,
}

impl Severity {
    /// From the worst to the best.
    pub const ALL: [Self; 4] = [Self::Error, Self::Warning, Self::Note, Self::Fine];

    /// As it is written in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is looked at together, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    Configuration,
    Evidence,
    Store,
    Server,
    Traffic,
    Kubernetes,
    Prometheus,
    Alertmanager,
    Ramp,
    Clocks,
    Channels,
}

impl Area {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Configuration,
        Self::Evidence,
        Self::Store,
        Self::Server,
        Self::Traffic,
        Self::Kubernetes,
        Self::Prometheus,
        Self::Alertmanager,
        Self::Ramp,
        Self::Clocks,
        Self::Channels,
    ];

    /// As it is written in JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Evidence => "evidence",
            Self::Store => "store",
            Self::Server => "server",
            Self::Traffic => "traffic",
            Self::Kubernetes => "kubernetes",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
            Self::Ramp => "ramp",
            Self::Clocks => "clocks",
            Self::Channels => "channels",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "Configuration",
            Self::Evidence => "Evidence",
            Self::Store => "Store",
            Self::Server => "Server",
            Self::Traffic => "Traffic",
            Self::Kubernetes => "Kubernetes",
            Self::Prometheus => "Prometheus",
            Self::Alertmanager => "Alertmanager",
            Self::Ramp => "Ramp",
            Self::Clocks => "Clocks",
            Self::Channels => "Channels to people",
        })
    }
}

/// One thing that was found. `doctor --output json` prints it as it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub area: Area,
    /// The rollout, address, folder or channel that it is about; empty where the area says it all.
    pub about: String,
    /// What was looked at: a name that stays, for scripts.
    pub check: &'static str,
    pub severity: Severity,
    /// One sentence or more. Foreign text in it is not escaped: whoever shows it to a person does that.
    pub message: String,
    /// What to do, in the imperative; none where there is nothing to do.
    pub remedy: Option<String>,
}

/// Makes findings of one check about one thing.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    pub area: Area,
    pub about: &'a str,
    pub name: &'static str,
}

impl<'a> Check<'a> {
    /// A check, by the name that its findings carry.
    #[must_use]
    pub fn new(area: Area, about: &'a str, name: &'static str) -> Self {
        Self { area, about, name }
    }

    fn found(self, severity: Severity, message: String, remedy: Option<String>) -> Finding {
        Finding { area: self.area, about: self.about.to_owned(), check: self.name, severity, message, remedy }
    }

    /// All is well.
    #[must_use]
    pub fn fine(self, message: impl Into<String>) -> Finding {
        self.found(Severity::Fine, message.into(), None)
    }

    /// Good to know.
    #[must_use]
    pub fn note(self, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(Severity::Note, message.into(), Some(remedy.into()))
    }

    /// See [`Severity::Warning`].
    #[must_use]
    pub fn warning(self, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(Severity::Warning, message.into(), Some(remedy.into()))
    }

    /// See [`Severity::Error`].
    #[must_use]
    pub fn error(self, message: impl Into<String>, remedy: impl Into<String>) -> Finding {
        self.found(Severity::Error, message.into(), Some(remedy.into()))
    }
}
