//! The files of a stage's evidence that criteria keep their answers in.

use std::collections::BTreeMap;

use super::entry::Entry;
use crate::config::report::{Level, Problem};
use crate::incident::{Criterion, CriterionName, Question};
use crate::ramp::Criteria;

/// Where two criteria would keep what they were answered in one file of the evidence.
pub(super) fn of_one_file(criteria: &Criteria, entries: &[Entry]) -> Vec<Problem> {
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let kept = criteria.all.iter().filter_map(|one| Some((&one.criterion.name, file_of(&one.criterion)?)));
    let twice = kept.filter_map(|(name, file)| Some((name, file, taken.insert(file, name.as_str())?)));
    let problem = |(name, file, other): (&CriterionName, &str, &str)| {
        let entry = entries.iter().find(|entry| entry.name == name.as_str())?;
        let (path, table) = entry.places.get("file").unwrap_or(&entry.place);
        let message = format!("is {file:?} (of {:?}), and so is that of {other:?}", name.as_str());
        let remedy = format!("write another name, such as file = \"{}_{{stage}}.txt\"", name.as_str());
        Some(Problem::of_key(path, &format!("{table}.file"), Level::Error, message, remedy))
    };
    twice.filter_map(problem).collect()
}

fn file_of(criterion: &Criterion) -> Option<&str> {
    match &criterion.question {
        Question::Command(check) => check.file.as_deref(),
        Question::Logs(check) => check.file.as_deref(),
        Question::Query(_) | Question::Http(_) | Question::Approval => None,
    }
}
