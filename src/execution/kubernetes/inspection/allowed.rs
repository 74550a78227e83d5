//! Whether our account may do what a rollback does: the API server is asked about each right by itself.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::super::caller::Caller;
use super::super::error::CallError;
use super::super::object::ACCESS_REVIEW;
use super::super::rights::{Need, Right, rights};
use crate::config::KubernetesConfig;
use crate::finding::{Check, Finding};

/// One finding for each right that is missing.
pub(super) async fn judged(check: Check<'_>, caller: &Caller, config: &KubernetesConfig) -> Vec<Finding> {
    let wanted = rights(config);
    let asked = wanted.iter().map(|right| may(caller, right));
    let answers: Result<Vec<_>, _> = join_all(asked).await.into_iter().collect();
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => {
            let message = format!("Whether the account has its rights can't be asked: {}.", error.why);
            return vec![check.warning(message, "Compare the account's Role with deploy/kubernetes.")];
        }
    };
    let missing = wanted.iter().zip(answers).filter(|(_, may)| !may).map(|(right, _)| missing(check, right));
    let mut found: Vec<_> = missing.collect();
    if found.is_empty() {
        found.push(check.fine(format!("The account has all {} rights that Backstop uses.", wanted.len())));
    }
    found
}

fn missing(check: Check<'_>, right: &Right) -> Finding {
    let remedy = format!("Add {}.", right.rule());
    match right.need {
        Need::Rollback => {
            check.error(format!("The account may not {right}: a rollback can't be carried out."), remedy)
        }
        Need::Beside(words) => {
            check.note(format!("The account may not {right}: without it {words}."), remedy)
        }
    }
}

async fn may(caller: &Caller, right: &Right) -> Result<bool, CallError> {
    let attributes = json!({
        "namespace": right.namespace(),
        "verb": right.verb(),
        "group": right.group(),
        "resource": right.resource(),
        "subresource": right.subresource().unwrap_or_default(),
        "name": right.name().unwrap_or_default(),
    });
    let question = json!({
        "apiVersion": ACCESS_REVIEW.api_version(),
        "kind": ACCESS_REVIEW.name,
        "spec": { "resourceAttributes": attributes },
    });
    let answer: Value = caller.review(ACCESS_REVIEW, &question).await?;
    Ok(answer["status"]["allowed"] == true)
}
