//! Whom a ramp's criteria ask, by the kind of their question.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;

use crate::clock::{Clock, SystemClock};
use crate::commands::{CommandJudge, Commands, Configured};
use crate::config::{AccessConfig, Config, RolloutConfig};
use crate::incident::{Criterion, Question};
use crate::outbound::Connections;
use crate::ramp::{ANSWERED_WITHIN_SECONDS, Asked, Judge, NobodyAnswers, StageSpan};
use crate::signals::{HttpJudge, HttpSystem, Loki, Prometheus, QueryJudge};

/// The longest one request to Loki may take: it reads a quarter of an hour of a log, by scanning it.
const LOKI_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest one request of an HTTP criterion may take: the API may run its checks as it is asked.
const API_TIMEOUT: Duration = Duration::from_secs(20);

const _: () = assert!(
    3 * LOKI_TIMEOUT.as_secs() <= ANSWERED_WITHIN_SECONDS as u64,
    "an answer that takes all of its time must not be too old as it comes"
);

/// For one question to Prometheus while a person waits.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// The systems that all rollouts ask.
#[derive(Debug, Clone)]
pub struct Systems {
    prometheus: Option<Arc<Prometheus>>,
    loki: Arc<dyn Judge>,
    commands: Commands,
    clock: Arc<dyn Clock>,
}

impl Systems {
    /// Those that are configured; asks none of them yet.
    ///
    /// # Errors
    /// When a client can't be built.
    pub fn new(
        config: &Config,
        connections: &mut Connections,
        prometheus: Option<Arc<Prometheus>>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let loki: Arc<dyn Judge> = match &config.loki {
            Some(loki) => {
                let url = loki.url.clone().context("loki.url is missing")?;
                Arc::new(Loki::new(&connections.to(&loki.access, LOKI_TIMEOUT).context("loki")?, url))
            }
            None => nobody("no Loki is configured: set loki.url"),
        };
        Ok(Self { prometheus, loki, commands: Commands::default(), clock })
    }

    pub(super) fn prometheus(&self) -> Option<&Arc<Prometheus>> {
        self.prometheus.as_ref()
    }

    /// Runs the criteria's programs, of all rollouts.
    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }
}

/// Who asks the criteria of each rollout, by its name, for whoever looks before a ramp.
///
/// # Errors
/// When a client can't be built.
pub fn judges(config: &Config) -> anyhow::Result<BTreeMap<String, Arc<dyn Judge>>> {
    let mut connections = Connections::default();
    let prometheus = match config.prometheus.url.clone() {
        None => None,
        Some(url) => {
            let outbound = connections.to(&config.prometheus.access, LOOK_TIMEOUT).context("prometheus")?;
            Some(Arc::new(Prometheus::new(outbound, url)))
        }
    };
    let systems = Systems::new(config, &mut connections, prometheus, Arc::new(SystemClock))?;
    let judges = config.rollouts.iter().map(|rollout| {
        let judges = Judges::new(rollout, &mut connections, &systems)?;
        Ok((rollout.name.clone(), Arc::new(judges) as Arc<dyn Judge>))
    });
    judges.collect()
}

fn nobody(why: &str) -> Arc<dyn Judge> {
    Arc::new(NobodyAnswers { why: why.to_owned() })
}

/// Asks each criterion of whoever can answer it.
#[derive(Debug)]
pub(super) struct Judges {
    query: Arc<dyn Judge>,
    logs: Arc<dyn Judge>,
    http: HttpJudge,
    command: CommandJudge,
    /// A person's word comes out of the state.
    approval: NobodyAnswers,
}

impl Judges {
    pub(super) fn new(
        rollout: &RolloutConfig,
        connections: &mut Connections,
        systems: &Systems,
    ) -> anyhow::Result<Self> {
        let Systems { prometheus, loki, commands, clock } = systems;
        let query: Arc<dyn Judge> = match prometheus {
            Some(source) => Arc::new(QueryJudge { source: Arc::clone(source) as _ }),
            None => nobody("no Prometheus is configured: set prometheus.url"),
        };
        let anybody = connections.to(&AccessConfig::default(), API_TIMEOUT).context("apis")?;
        let apis: anyhow::Result<Vec<_>> = rollout
            .apis
            .iter()
            .map(|api| {
                let url = api.url.clone().context("apis.url is missing")?;
                Ok(HttpSystem { url, outbound: connections.to(&api.access, API_TIMEOUT).context("apis")? })
            })
            .collect();
        Ok(Self {
            query,
            logs: Arc::clone(loki),
            http: HttpJudge::new(&anybody, apis?, Arc::clone(clock)),
            command: CommandJudge {
                commands: commands.clone(),
                configured: Arc::new(InConfiguration(rollout.clone())),
                clock: Arc::clone(clock),
            },
            approval: NobodyAnswers { why: "a person approves, and is not asked here".to_owned() },
        })
    }
}

#[async_trait]
impl Judge for Judges {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        match &criterion.question {
            Question::Query(_) => self.query.ask(criterion, span).await,
            Question::Http(_) => self.http.ask(criterion, span).await,
            Question::Logs(_) => self.logs.ask(criterion, span).await,
            Question::Command(_) => self.command.ask(criterion, span).await,
            Question::Approval => self.approval.ask(criterion, span).await,
        }
    }
}

/// The rollout's criteria as its configuration and the files that it names have them now.
#[derive(Debug)]
struct InConfiguration(RolloutConfig);

impl Configured for InConfiguration {
    fn has(&self, criterion: &Criterion) -> bool {
        let Question::Command(asked) = &criterion.question else { return false };
        let Ok(criteria) = self.0.ramp.criteria.load(&self.0) else { return false };
        criteria.all.iter().any(|configured| match &configured.criterion.question {
            Question::Command(template) => {
                configured.criterion.name == criterion.name && asked.is_of(template)
            }
            Question::Query(_) | Question::Http(_) | Question::Logs(_) | Question::Approval => false,
        })
    }
}

#[cfg(test)]
mod tests;
