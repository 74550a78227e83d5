//! `backstop check-config`

use clap::Args;

use super::notify::{self, Said};
use super::output::{Output, fail, print, print_json, progress};
use super::{Common, Outcome};
use crate::config::{Config, Level, Problem, RolloutConfig};
use crate::doctor::metric_problems;
use crate::text::shown;

/// Flags of `check-config`.
#[derive(Debug, Clone, Args)]
pub(super) struct CheckArgs {
    /// Also ask each channel to people whether it could be used; nothing is sent.
    #[arg(long)]
    online: bool,
}

pub(super) async fn run(args: &CheckArgs, common: &Common) -> Outcome {
    let mut said = Vec::new();
    let (problems, valid) = match Config::load(&common.config) {
        Ok(config) => {
            let of_metrics = metric_problems(&config, &config.rollouts).await;
            if args.online {
                said = match notify::built(&config) {
                    Ok(channels) => notify::checked(&channels).await,
                    Err(error) => return fail(error, Outcome::Failed),
                };
            }
            ([config.warnings, of_metrics].concat(), true)
        }
        Err(report) => (report.problems, false),
    };
    match common.output {
        Output::Json => {
            let mut report = serde_json::json!({ "valid": valid, "problems": problems });
            if args.online {
                report["channels"] = serde_json::json!(said);
            }
            print_json(&report);
        }
        Output::Text => {
            problems.iter().for_each(|problem| print(problem.to_string()));
            if args.online && valid && said.is_empty() {
                print(notify::NO_CHANNEL);
            }
            said.iter().for_each(|said| print(notify::said_text(said)));
            print(verdict(&common.config.display().to_string(), valid, problems.len(), &said));
        }
    }
    if valid && said.iter().all(|said| said.ok) { Outcome::Done } else { Outcome::Failed }
}

/// The last line, which says all that the exit code does.
fn verdict(file: &str, valid: bool, problems: usize, said: &[Said]) -> String {
    let is = if valid { "is valid" } else { "is not valid" };
    let failed: Vec<_> = said.iter().filter(|said| !said.ok).map(|said| shown(&said.channel)).collect();
    let failed = if failed.is_empty() { String::new() } else { format!("; FAILED: {}", failed.join(", ")) };
    format!("{file} {is}, {problems} to look at{failed}")
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

/// The rollout that is named, or the only one; `how` says how one is named.
pub(super) fn chosen<'a>(
    config: &'a Config,
    named: Option<&str>,
    how: &str,
) -> Result<&'a RolloutConfig, Outcome> {
    let found = match (named, config.rollouts.as_slice()) {
        (Some(named), all) => all.iter().find(|rollout| rollout.name == named),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.ok_or_else(|| {
        let names: Vec<_> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
        fail(format!("{how}: {}", names.join(", ")), Outcome::Usage)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_which_channels_failed_as_the_exit_code_does() {
        let said =
            |channel: &str, ok| Said { channel: channel.to_owned(), ok, findings: Vec::new(), error: None };
        let line = |valid, said: &[Said]| verdict("backstop.toml", valid, 3, said);
        assert_eq!(line(true, &[]), "backstop.toml is valid, 3 to look at");
        assert_eq!(line(true, &[said("slack", true)]), "backstop.toml is valid, 3 to look at");
        assert_eq!(line(false, &[]), "backstop.toml is not valid, 3 to look at");
        let failed = [said("pagerduty", false), said("slack", false), said("teams", true)];
        assert_eq!(line(true, &failed), "backstop.toml is valid, 3 to look at; FAILED: pagerduty, slack");
    }
}
