//! Whether what the alerts were about is over, by their own expressions.

use std::sync::Arc;

use async_trait::async_trait;

use super::expressions::expressions;
use super::probe::{Probe, Round, Seen};
use crate::incident::CheckName;
use crate::signals::RuleSource;

/// Every alert's own expression is below its threshold.
#[derive(Debug, Clone)]
pub struct AlertExpression {
    /// `None`: there is no Prometheus to ask.
    pub prometheus: Option<Arc<dyn RuleSource>>,
}

#[async_trait]
impl Probe for AlertExpression {
    fn name(&self) -> CheckName {
        CheckName::AlertExpression
    }

    async fn read(&self, round: &Round<'_>) -> Seen {
        let Some(prometheus) = &self.prometheus else {
            return Seen::left_out("prometheus.url is not configured");
        };
        if round.alerts.is_empty() {
            return Seen::left_out("no alert caused it");
        }
        expressions(prometheus.as_ref(), round.alerts, round.canary_is_gone().await).await
    }
}
