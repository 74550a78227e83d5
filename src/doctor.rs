//! What would stop a rollback, or keep anybody from seeing that one is needed, found before the night that
//! it matters: `backstop doctor`.
//!
//! Each area has a file: it asks, and what it is told is judged by pure functions. Nothing is changed
//! anywhere (a test alert of its own is sent where that is asked for), and no check can hold up another one: they run side by side, each within a limit.

mod alertmanagers;
mod clocks;
mod clusters;
mod configuration;
mod flags;
mod folders;
mod loaded_rules;
mod prometheus;
mod ramp;
mod rule_metrics;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

pub use alertmanagers::Heard;
pub use configuration::{invalid, look as configuration};
pub use ramp::Judges;
pub use rule_metrics::problems as metric_problems;

use crate::config::Config;
use crate::finding::{Area, Check, Finding, Severity};
use crate::signals::SignalError;

/// The longest that one check may take: a person waits. Each call in it has a shorter limit of its own.
const LIMIT: Duration = Duration::from_secs(30);

/// For one question to Prometheus or Alertmanager.
const QUESTION_WITHIN: Duration = Duration::from_secs(5);

/// One thing to look at.
pub struct Examination {
    pub area: Area,
    /// The rollout, address or folder that is looked at.
    pub about: String,
    /// How long it may take.
    pub limit: Duration,
    pub work: BoxFuture<'static, Vec<Finding>>,
}

impl std::fmt::Debug for Examination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examination")
            .field("area", &self.area)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

impl Examination {
    /// With the usual limit.
    #[must_use]
    pub fn new(area: Area, about: &str, work: impl Future<Output = Vec<Finding>> + Send + 'static) -> Self {
        Self { area, about: about.to_owned(), limit: LIMIT, work: Box::pin(work) }
    }

    async fn done(self) -> (Area, String, Vec<Finding>) {
        let Self { area, about, limit, work } = self;
        let findings = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let message =
                format!("The check did not end within {} s, so nothing is known of it.", limit.as_secs());
            let remedy = "See why it hangs: a network or a file system that doesn't answer.";
            vec![Check::new(area, &about, "in_time").warning(message, remedy)]
        });
        (area, about, findings)
    }
}

/// All that is looked at beside the configuration, the running server and the channels to people. With
/// `heard` a test alert is sent through each Alertmanager; `judges` ask the criteria of ramps.
#[must_use]
pub fn examinations(config: &Config, heard: Option<Heard>, judges: &Judges) -> Vec<Examination> {
    let mut all = folders::examinations(config);
    all.extend(flags::examinations(config));
    all.extend(clusters::examinations(config));
    all.extend(prometheus::examinations(config));
    all.extend(alertmanagers::examinations(config, heard));
    all.extend(ramp::examinations(config, judges));
    all
}

/// Looks at everything, side by side; `ended` hears of each that has ended. The findings come in a stable
/// order: by area, by what they are about, the worst first.
pub async fn examined(all: Vec<Examination>, ended: impl Fn(Area, &str)) -> Vec<Finding> {
    let mut under_way: FuturesUnordered<_> = all.into_iter().map(Examination::done).collect();
    let mut findings = Vec::new();
    while let Some((area, about, found)) = under_way.next().await {
        ended(area, &about);
        findings.extend(found);
    }
    sort(&mut findings);
    findings
}

/// The order in which findings are told.
pub fn sort(findings: &mut [Finding]) {
    let key = |finding: &Finding| {
        let Finding { area, about, severity, check, message, .. } = finding.clone();
        (area, about, std::cmp::Reverse(severity), check, message)
    };
    findings.sort_by_cached_key(key);
}

/// The worst of them.
#[must_use]
pub fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Fine)
}

/// A system of ours doesn't answer as it should; `key` of `section` in the configuration is its address.
fn unreachable(check: Check<'_>, error: &SignalError, section: &str, key: &str) -> Finding {
    let remedy = match error {
        SignalError::NoAnswer(_) => {
            format!("Start it, or correct {key} in [{section}]; see that it can be reached from here.")
        }
        SignalError::Denied(_) | SignalError::Refused(_) => {
            format!("Mend the token or the certificate in [{section}].")
        }
        SignalError::NotTheSystem(_) => {
            format!("Correct {key} in [{section}]: something else answers there.")
        }
    };
    check.error(format!("It can't be asked: {error}."), remedy)
}
