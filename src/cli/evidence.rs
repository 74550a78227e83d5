//! `backstop evidence`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::{Output, fail, print, print_json, progress};
use super::status::time;
use super::{Common, Outcome, check_config};
use crate::evidence::{EvidenceDir, EvidenceError, EvidenceSummary, KnownFile, VerifyReport, known_in};
use crate::store;
use crate::text::shown;

/// Flags of `evidence`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop evidence list
  backstop evidence show rollback_20261104_030405
  backstop evidence verify --directory /srv/evidence")]
pub(super) struct EvidenceArgs {
    #[command(subcommand)]
    command: EvidenceCommand,
    /// The folder; then no configuration is needed, and no database is asked.
    #[arg(long, global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
}

#[derive(Debug, Clone, Subcommand)]
enum EvidenceCommand {
    /// List all evidence, the oldest first.
    List,
    /// Show one rollback's evidence, by its name or its incident.
    Show {
        /// Such as `rollback_20261104_030405`, or an incident's id.
        name: String,
    },
    /// Find anything that was changed or lost since it was written.
    Verify,
}

/// Where evidence may lie, and who else knows of it.
struct Places {
    directory: EvidenceDir,
    /// Where it was written while the directory could not be used.
    fallback: Option<EvidenceDir>,
    database: Option<PathBuf>,
}

pub(super) fn run(args: &EvidenceArgs, common: &Common) -> Outcome {
    let places = match &args.directory {
        Some(directory) => {
            Places { directory: EvidenceDir::new(directory.clone()), fallback: None, database: None }
        }
        None => match check_config::open(common) {
            Some(config) => Places {
                directory: EvidenceDir::new(config.evidence.directory),
                fallback: Some(EvidenceDir::new(config.evidence.fallback_directory)),
                database: Some(config.store.path),
            },
            None => return Outcome::Usage,
        },
    };
    let done = match &args.command {
        EvidenceCommand::List => list(&places, common.output),
        EvidenceCommand::Show { name } => show(&places, name, common.output),
        EvidenceCommand::Verify => verify(&places, common.output),
    };
    done.unwrap_or_else(|error| fail(error.in_full(), Outcome::Failed))
}

impl Places {
    fn all(&self) -> impl Iterator<Item = &EvidenceDir> {
        // A fallback that was never needed is no folder to speak of.
        [&self.directory].into_iter().chain(self.fallback.iter().filter(|dir| dir.path().exists()))
    }
}

fn list(places: &Places, output: Output) -> Result<Outcome, EvidenceError> {
    let mut listed = Vec::new();
    for dir in places.all() {
        listed.extend(dir.list()?.into_iter().map(|summary| (dir.path(), summary)));
    }
    listed.sort_by_key(|(_, summary)| summary.executed_at);
    match output {
        Output::Json => print_json(&listed.iter().map(|(_, summary)| summary).collect::<Vec<_>>()),
        Output::Text if listed.is_empty() => {
            print(format!("no evidence in {}", places.directory.path().display()))
        }
        Output::Text => listed.iter().for_each(|(path, summary)| {
            print(summary_text(summary, (*path != places.directory.path()).then_some(path)))
        }),
    }
    Ok(if listed.is_empty() { Outcome::NothingToDo } else { Outcome::Done })
}

fn summary_text(summary: &EvidenceSummary, elsewhere: Option<&Path>) -> String {
    let state = match (summary.complete, summary.written_at) {
        (true, _) => summary.state.clone(),
        (false, Some(at)) => format!("{} as of {}", summary.state, time(at)),
        (false, None) => format!("{} as it was written", summary.state),
    };
    let verdict =
        summary.verdict.as_deref().unwrap_or(if summary.complete { "-" } else { "no verdict then" });
    let members = [&summary.name, &summary.rollout, &state, verdict, &summary.reason].map(|text| shown(text));
    let elsewhere = elsewhere.map_or_else(String::new, |path| format!("  (in {})", path.display()));
    format!("{}{elsewhere}", members.join("  "))
}

fn show(places: &Places, name: &str, output: Output) -> Result<Outcome, EvidenceError> {
    let mut found = Err(EvidenceError::Unknown(name.to_owned()));
    for dir in places.all() {
        if matches!(found, Err(EvidenceError::Unknown(_))) {
            found = dir.show(name, output == Output::Json);
        }
    }
    // The file may be another one than we wrote: what steers a terminal does not get there.
    found?.lines().for_each(|line| print(shown(line)));
    Ok(Outcome::Done)
}

fn verify(places: &Places, output: Output) -> Result<Outcome, EvidenceError> {
    let asked = Asked::database(places.database.as_deref());
    let reports = places
        .all()
        .map(|dir| Ok((dir.path(), dir.verify(&known_in(dir.path(), &asked.known))?)))
        .collect::<Result<Vec<_>, EvidenceError>>()?;
    match output {
        Output::Json => print_json(&reports_json(&reports, &asked)),
        Output::Text => {
            reports.iter().for_each(|(path, report)| print(report_text(path, report)));
            print(&asked.said);
        }
    }
    let clean = reports.iter().all(|(_, report)| report.is_clean());
    let files: usize = reports.iter().map(|(_, report)| report.files).sum();
    Ok(match (clean, files, asked.failed) {
        (false, _, _) | (true, 0, true) => Outcome::Failed,
        (true, 0, false) => Outcome::NothingToDo,
        (true, _, _) => Outcome::Done,
    })
}

fn report_text(path: &Path, report: &VerifyReport) -> String {
    let mut lines: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    let verdict = match (report.is_clean(), report.files) {
        (false, _) => "NOT as it was written",
        (true, 0) => "there is nothing",
        (true, _) => "nothing was changed",
    };
    lines.push(format!(
        "{}: {} files, {} manifest lines: {verdict}",
        path.display(),
        report.files,
        report.lines
    ));
    lines.push(format!("head {}", report.head));
    lines.join("\n")
}

fn reports_json(reports: &[(&Path, VerifyReport)], asked: &Asked) -> serde_json::Value {
    let first = reports.first().map(|(_, report)| report);
    let findings: Vec<_> = reports.iter().flat_map(|(_, report)| &report.findings).collect();
    serde_json::json!({
        "files": reports.iter().map(|(_, report)| report.files).sum::<usize>(),
        "lines": reports.iter().map(|(_, report)| report.lines).sum::<usize>(),
        "head": first.map(|report| &report.head),
        "findings": findings,
        "database": asked.said,
    })
}

/// What the database knows, or why it could not be asked.
struct Asked {
    known: Vec<KnownFile>,
    said: String,
    failed: bool,
}

impl Asked {
    fn database(path: Option<&Path>) -> Self {
        let nothing = |said: String, failed| Self { known: Vec::new(), said, failed };
        let Some(path) = path else {
            return nothing(
                "no database was asked: without --directory, the configured one is".to_owned(),
                false,
            );
        };
        match store::evidence_files(path) {
            Ok(Some(files)) => {
                let said = format!("{} knows of {} writings of evidence files", path.display(), files.len());
                let known = files.into_iter().map(|(incident, file)| KnownFile { incident, file }).collect();
                Self { known, said, failed: false }
            }
            Ok(None) => nothing(format!("no database was asked: there is none at {}", path.display()), false),
            Err(error) => {
                let said = format!(
                    "THE DATABASE COULD NOT BE ASKED whether something is gone: {}",
                    crate::logging::chain(&error)
                );
                progress(&said);
                nothing(said, true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    fn summary(text: &str) -> EvidenceSummary {
        EvidenceSummary {
            name: text.to_owned(),
            incident: text.to_owned(),
            rollout: text.to_owned(),
            executed_at: SystemClock.now(),
            reason: text.to_owned(),
            state: text.to_owned(),
            complete: true,
            written_at: None,
            verdict: Some(text.to_owned()),
        }
    }

    #[test]
    fn evidence_that_is_not_complete_is_listed_with_the_time_of_its_state() {
        let at = "2026-11-04T03:04:05Z".parse().ok();
        let first = EvidenceSummary { complete: false, written_at: at, verdict: None, ..summary("x") };
        assert_eq!(summary_text(&first, None), "x  x  x as of 2026-11-04 03:04:05 UTC  no verdict then  x");
        let undated = EvidenceSummary { written_at: None, ..first };
        assert!(summary_text(&undated, None).contains("x as it was written  no verdict then"));
        assert_eq!(summary_text(&EvidenceSummary { complete: true, ..undated }, None), "x  x  x  -  x");
    }

    #[test]
    fn what_is_listed_is_one_line_whatever_alerts_are_named() {
        let text = summary_text(&summary("x\nrollback_20990101_000000  forged\u{1b}[2J\u{202e}"), None);
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text}");
    }
}
