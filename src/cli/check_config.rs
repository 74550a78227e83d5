//! `backstop check-config`

use super::output::{Output, print, print_json, progress};
use super::{Common, Outcome, metrics_check};
use crate::config::{Config, Level, Problem};

pub(super) async fn run(common: &Common) -> Outcome {
    let (problems, outcome) = match Config::load(&common.config) {
        Ok(config) => {
            let of_metrics = metrics_check::problems(&config, &config.rollouts).await;
            ([config.warnings, of_metrics].concat(), Outcome::Done)
        }
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

/// What is valid and still worth a thought, at a key of the file.
pub(super) fn warning(config: &Config, key: &str, message: String, remedy: String) -> Problem {
    Problem::warning(&config.file, key, message, remedy)
}

/// Reads the configuration for a command, or says what is wrong with it. Its warnings are for whoever
/// runs the server, and files that the command doesn't need are not its business.
pub(super) fn open(common: &Common) -> Option<Config> {
    match Config::open(&common.config) {
        Ok(config) => Some(config),
        Err(report) => {
            let errors = report.problems.iter().filter(|problem| problem.level == Level::Error);
            errors.for_each(|problem| progress(problem.to_string()));
            None
        }
    }
}

/// Loads the configuration for the server with its warnings, or says what is wrong with it.
pub(super) fn load(common: &Common) -> Option<Config> {
    match Config::load(&common.config) {
        Ok(config) => {
            for warning in &config.warnings {
                let Problem { key, message, remedy, line, .. } = warning;
                tracing::warn!(key, line, remedy, "the configuration is valid, but {key} {message}");
            }
            Some(config)
        }
        Err(report) => {
            report.problems.iter().for_each(|problem| progress(problem.to_string()));
            None
        }
    }
}
