//! What `check-config` says, as findings.

use crate::clock::Clock;
use crate::config::{Config, ConfigReport, Level, Problem};
use crate::finding::{Area, Check, Finding};
use crate::ownership::is_root;

/// The configuration and every file that it names.
#[must_use]
pub fn look(config: &Config, clock: &dyn Clock) -> Vec<Finding> {
    let problems = config.warnings.iter().cloned().chain(config.check_files(clock.now()));
    let mut findings: Vec<_> = problems.map(|problem| finding(&problem)).collect();
    if findings.is_empty() {
        let message =
            format!("{} is valid, and every file that it names can be used.", config.file.display());
        findings.push(check("valid").fine(message));
    }
    if is_root() {
        findings.push(check("user").note(
            "Doctor runs as root, who may read and write everything: what the server's user may not is not seen.",
            "Run it as that user, such as sudo -u backstop backstop doctor.",
        ));
    }
    findings
}

/// A configuration of which nothing can be used.
#[must_use]
pub fn invalid(report: &ConfigReport) -> Vec<Finding> {
    report.problems.iter().map(finding).collect()
}

fn check(name: &'static str) -> Check<'static> {
    Check::new(Area::Configuration, "", name)
}

fn finding(problem: &Problem) -> Finding {
    let Problem { file, line, key, message, remedy, level, .. } = problem;
    let place = line.map_or_else(|| file.display().to_string(), |line| format!("{}:{line}", file.display()));
    let key = if key.is_empty() { String::new() } else { format!("{key} ") };
    let message = format!("{place}: {key}{message}");
    match level {
        Level::Error => check("valid").error(message, remedy.as_str()),
        Level::Warning => check("valid").warning(message, remedy.as_str()),
    }
}
