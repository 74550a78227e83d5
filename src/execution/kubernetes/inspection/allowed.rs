//! Whether our account may do what a rollback does: the API server is asked about each right by itself.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::super::caller::Caller;
use super::super::error::CallError;
use super::super::object::ACCESS_REVIEW;
use super::super::rights::{Need, Right, right_to_stop, rights};
use super::super::surroundings::Claim;
use crate::config::KubernetesConfig;
use crate::finding::{Check, Finding};

/// One finding for each right that is missing, and one for all that only doctor would use.
pub(super) async fn judged(
    check: Check<'_>,
    caller: &Caller,
    config: &KubernetesConfig,
    owner: Option<&Claim>,
) -> Vec<Finding> {
    let mut wanted = rights(config);
    wanted.extend(owner.and_then(right_to_stop));
    let asked = wanted.iter().map(|right| may(caller, right));
    let answers: Result<Vec<_>, _> = join_all(asked).await.into_iter().collect();
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => {
            let message = format!("Whether the account has its rights can't be asked: {}.", error.why);
            return vec![check.warning(message, "Compare the account's Role with deploy/kubernetes.")];
        }
    };
    let missing: Vec<_> =
        wanted.iter().zip(answers).filter(|(_, may)| !may).map(|(right, _)| right).collect();
    let mut found: Vec<_> = missing.iter().filter_map(|right| lacking(check, right)).collect();
    if found.is_empty() {
        let used = wanted.iter().filter(|right| !matches!(right.need, Need::Doctor(_))).count();
        found.push(check.fine(format!("The account has all {used} rights that Backstop uses.")));
    }
    found.extend(unseen(check, &missing));
    found
}

fn lacking(check: Check<'_>, right: &Right) -> Option<Finding> {
    let remedy = format!("Add {}.", right.rule());
    match right.need {
        Need::Rollback => Some(
            check.error(format!("The account may not {right}: a rollback can't be carried out."), remedy),
        ),
        Need::Beside(words) => {
            Some(check.note(format!("The account may not {right}: without it {words}."), remedy))
        }
        Need::Doctor(_) => None,
    }
}

/// To give the account what only doctor uses would be the wrong remedy: it is to have no more than a rollback
/// needs.
fn unseen(check: Check<'_>, missing: &[&Right]) -> Option<Finding> {
    let mut unseen = Vec::new();
    for right in missing {
        if let Need::Doctor(words) = right.need
            && !unseen.contains(&words)
        {
            unseen.push(words);
        }
    }
    let message = format!(
        "As this account doctor can't see {}; a rollback needs to see none of it.",
        unseen.join(", nor ")
    );
    let remedy = "Nothing, or run doctor once with a kubeconfig of your own.";
    (!unseen.is_empty()).then(|| check.note(message, remedy))
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
