//! Whom a ramp's criteria ask, by the kind of their question.

use std::sync::Arc;

use async_trait::async_trait;

use crate::incident::{Criterion, Question};
use crate::ramp::{Asked, Judge, NobodyAnswers, StageSpan};
use crate::signals::{Prometheus, QueryJudge};

/// Asks each criterion of whoever can answer it.
#[derive(Debug)]
pub(super) struct Judges {
    query: Arc<dyn Judge>,
    other: NobodyAnswers,
}

impl Judges {
    pub(super) fn new(prometheus: Option<&Arc<Prometheus>>) -> Self {
        let not = |why: &str| NobodyAnswers { why: why.to_owned() };
        let query: Arc<dyn Judge> = match prometheus {
            Some(source) => Arc::new(QueryJudge { source: Arc::clone(source) as _ }),
            None => Arc::new(not("no Prometheus is configured: set prometheus.url")),
        };
        Self { query, other: not("nothing can be asked that yet") }
    }
}

#[async_trait]
impl Judge for Judges {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        match &criterion.question {
            Question::Query(_) => self.query.ask(criterion, span).await,
            Question::Http(_) | Question::Logs(_) | Question::Command(_) | Question::Approval => {
                self.other.ask(criterion, span).await
            }
        }
    }
}
