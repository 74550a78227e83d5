//! `backstop check-config`

use super::output::{Output, print, print_json, progress};
use super::{Common, Outcome};
use crate::config::{Config, Problem};

pub(super) fn run(common: &Common) -> Outcome {
    let (problems, outcome) = match Config::load(&common.config) {
        Ok(config) => (config.warnings, Outcome::Done),
        Err(report) => (report.problems, Outcome::Failed),
    };
    match common.output {
        Output::Json => {
            print_json(&serde_json::json!({ "valid": outcome == Outcome::Done, "problems": problems }))
        }
        Output::Text => {
            problems.iter().for_each(|problem| print(problem.to_string()));
            let verdict = if outcome == Outcome::Done { "is valid" } else { "is not valid" };
            print(format!("{} {verdict}, {} to look at", common.config.display(), problems.len()));
        }
    }
    outcome
}

/// Loads the configuration, or says what is wrong with it.
pub(super) fn load(common: &Common) -> Option<Config> {
    let warn = |problems: &[Problem]| problems.iter().for_each(|problem| progress(problem.to_string()));
    match Config::load(&common.config) {
        Ok(config) => {
            warn(&config.warnings);
            Some(config)
        }
        Err(report) => {
            warn(&report.problems);
            None
        }
    }
}
