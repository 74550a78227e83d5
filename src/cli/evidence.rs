//! `backstop evidence`

mod replay;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{Output, fail, print, print_json};
use super::status::time;
use super::{Common, Outcome, check_config};
use crate::evidence::{
    EvidenceDir, EvidenceError, EvidenceSummary, KnownFile, RampSummary, SnapshotSummary, VerifyReport,
    known_in,
};
use crate::store;
use crate::text::shown;

/// Flags of `evidence`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop evidence list
  backstop evidence show rollback_20261104_030405
  backstop evidence verify --directory /srv/evidence
  backstop evidence replay evidence/spark-trading-ramp-20261124-030000

Exit code of verify: 0 if every folder was read, the database was asked, and nothing was changed or lost;
1 if something was, or if a folder or the database can't be read; 3 if there is no evidence. With --directory
no database is asked: 0 says then that every file is as the manifest lists it. Exit code of replay: 0 if
every verdict follows again from its recorded answer, and each was asked as the plan in the ramp.json beside
it has it; 1 if one differs or a file can't be read; 3 if no gates lie there.")]
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
    /// Show one rollback's evidence, by its name or its incident, or a ramp's record, by its id.
    Show {
        /// Such as `rollback_20261104_030405`, an incident's id, or a ramp's.
        name: String,
    },
    /// Find anything that was changed or lost since it was written.
    Verify,
    /// Judge the stages of ramps again by what was recorded, and compare the verdicts.
    Replay {
        /// A `gates_stage_<percent>.json`, a ramp's folder, or a whole evidence directory.
        path: PathBuf,
    },
}

/// Where evidence may lie, and who else knows of it.
struct Places {
    directory: EvidenceDir,
    /// Where it was written while the directory could not be used.
    fallback: Option<EvidenceDir>,
    database: Option<PathBuf>,
}

pub(super) fn run(args: &EvidenceArgs, common: &Common) -> Outcome {
    let look = |look: fn(&Places, Output) -> Outcome| {
        places(args, common).map_or(Outcome::Usage, |places| look(&places, common.output))
    };
    match &args.command {
        EvidenceCommand::List => look(list),
        EvidenceCommand::Show { name } => {
            places(args, common).map_or(Outcome::Usage, |places| show(&places, name, common.output))
        }
        EvidenceCommand::Verify => look(verify),
        // Who has the files needs neither a configuration nor a database.
        EvidenceCommand::Replay { path } => replay::run(path, common.output),
    }
}

/// Where to look; `None`: the configuration can't be used, and says why.
fn places(args: &EvidenceArgs, common: &Common) -> Option<Places> {
    Some(match &args.directory {
        Some(directory) => {
            Places { directory: EvidenceDir::new(directory.clone()), fallback: None, database: None }
        }
        None => {
            let config = check_config::open(common)?;
            Places {
                directory: EvidenceDir::new(config.evidence.directory),
                fallback: Some(EvidenceDir::new(config.evidence.fallback_directory)),
                database: Some(config.store.path),
            }
        }
    })
}

/// What came of every folder: one that can't be read must not hide what lies in the other.
struct Looked<'a, T> {
    read: Vec<(&'a EvidenceDir, T)>,
    failed: Vec<EvidenceError>,
}

impl<T> Looked<'_, T> {
    /// Says which folders can't be read. What was read is no whole answer then.
    fn outcome(&self, otherwise: Outcome) -> Outcome {
        self.failed.iter().fold(otherwise, |_, error| fail(error.in_full(), Outcome::Failed))
    }
}

impl Places {
    fn all(&self) -> impl Iterator<Item = &EvidenceDir> {
        // A fallback that was never needed is no folder to speak of; one that can't be looked at is.
        let needed = |dir: &&EvidenceDir| !matches!(dir.path().try_exists(), Ok(false));
        [&self.directory].into_iter().chain(self.fallback.iter().filter(needed))
    }

    fn look<T>(&self, look: impl Fn(&EvidenceDir) -> Result<T, EvidenceError>) -> Looked<'_, T> {
        let mut looked = Looked { read: Vec::new(), failed: Vec::new() };
        for dir in self.all() {
            match look(dir) {
                Ok(found) => looked.read.push((dir, found)),
                Err(error) => looked.failed.push(error),
            }
        }
        looked
    }
}

fn list(places: &Places, output: Output) -> Outcome {
    let mut looked = places.look(Listed::all);
    let read = std::mem::take(&mut looked.read).into_iter();
    let mut listed: Vec<_> =
        read.flat_map(|(dir, found)| found.into_iter().map(|summary| (dir.path(), summary))).collect();
    listed.sort_by_key(|(_, summary)| summary.at());
    let here = places.directory.path();
    match output {
        Output::Json => print_json(&listed.iter().map(|(_, summary)| summary).collect::<Vec<_>>()),
        Output::Text if !listed.is_empty() => listed.iter().for_each(|(path, summary)| {
            print(listed_text(summary, (*path != here).then_some(path)));
        }),
        Output::Text if !looked.failed.is_empty() => {}
        Output::Text if places.directory.is_absent() => print(no_folder(here)),
        Output::Text => print(format!("no evidence in {}", here.display())),
    }
    looked.outcome(if listed.is_empty() { Outcome::NothingToDo } else { Outcome::Done })
}

fn no_folder(path: &Path) -> String {
    format!("{}: there is no such folder", path.display())
}

/// What lies in a folder: each is told from the others by its members, `incident`, `ramp` or `snapshot`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Listed {
    Rollback(EvidenceSummary),
    Ramp(RampSummary),
    Snapshot(SnapshotSummary),
}

impl Listed {
    fn all(dir: &EvidenceDir) -> Result<Vec<Self>, EvidenceError> {
        let (ramps, snapshots) = (dir.list_ramps()?, dir.list_snapshots()?);
        let rollbacks = dir.list()?.into_iter().map(Self::Rollback);
        let ramps = ramps.into_iter().map(Self::Ramp);
        Ok(rollbacks.chain(ramps).chain(snapshots.into_iter().map(Self::Snapshot)).collect())
    }

    fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Rollback(summary) => summary.executed_at,
            Self::Ramp(summary) => summary.started_at,
            Self::Snapshot(summary) => summary.taken_at,
        }
    }
}

fn listed_text(listed: &Listed, elsewhere: Option<&Path>) -> String {
    match listed {
        Listed::Rollback(summary) => summary_text(summary, elsewhere),
        Listed::Ramp(summary) => {
            let stages = percents(&summary.stages);
            let members =
                [&summary.ramp, &summary.revision, &summary.state].map(|text| shown(text)).join("  ");
            format!("{members}  stages: {stages} %{}", in_another(elsewhere))
        }
        Listed::Snapshot(SnapshotSummary { snapshot, revision, stages, .. }) => {
            let members = [snapshot, revision.as_deref().unwrap_or("-")].map(shown).join("  ");
            format!("{members}  snapshot  stage: {} %{}", percents(stages), in_another(elsewhere))
        }
    }
}

fn percents(shares: &[u8]) -> String {
    let shares: Vec<_> = shares.iter().map(u8::to_string).collect();
    if shares.is_empty() { "-".to_owned() } else { shares.join(", ") }
}

fn in_another(folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |path| format!("  (in {})", path.display()))
}

fn summary_text(summary: &EvidenceSummary, elsewhere: Option<&Path>) -> String {
    let state = match (summary.complete, summary.written_at) {
        (true, _) => summary.state.clone(),
        (false, Some(at)) => format!("{} as of {}", summary.state, time(at)),
        (false, None) => format!("{} as it was written", summary.state),
    };
    let verdict =
        summary.verdict.as_deref().unwrap_or(if summary.complete { "-" } else { "no verdict then" });
    let members = [&summary.name, &summary.rollout, &state, verdict, &summary.reason].map(shown);
    format!("{}{}", members.join("  "), in_another(elsewhere))
}

fn show(places: &Places, name: &str, output: Output) -> Outcome {
    let looked = places.look(|dir| match dir.show(name, output == Output::Json) {
        Err(EvidenceError::Unknown(_)) => Ok(None),
        shown => shown.map(Some),
    });
    let found = looked.read.iter().find_map(|(_, found)| found.as_ref());
    // Said, but what was asked for is shown all the same if it lies elsewhere.
    looked.outcome(Outcome::Done);
    let Some(found) = found else {
        return fail(EvidenceError::Unknown(name.to_owned()), Outcome::Failed);
    };
    // The file may be another one than we wrote: what steers a terminal does not get there.
    found.lines().for_each(|line| print(shown(line)));
    Outcome::Done
}

fn verify(places: &Places, output: Output) -> Outcome {
    let asked = Asked::database(places.database.as_deref());
    let looked = places.look(|dir| dir.verify(&known_in(dir.path(), &asked.known)));
    match output {
        Output::Json => print_json(&reports_json(&looked, &asked)),
        Output::Text => {
            looked.read.iter().for_each(|(dir, report)| print(report_text(dir, report, &asked)));
            print(&asked.said);
        }
    }
    let clean = looked.read.iter().all(|(_, report)| report.is_clean());
    let files: usize = looked.read.iter().map(|(_, report)| report.files).sum();
    // A folder that somebody names is there, or its name is wrong.
    let mistaken = asked.answer == Answer::NotWanted && places.directory.is_absent();
    let checked = match asked.answer {
        Answer::Known | Answer::NotWanted => true,
        Answer::NoDatabase => files == 0,
        Answer::Failed => false,
    };
    looked.outcome(match (clean && checked && !mistaken, files) {
        (false, _) => Outcome::Failed,
        (true, 0) => Outcome::NothingToDo,
        (true, _) => Outcome::Done,
    })
}

fn report_text(dir: &EvidenceDir, report: &VerifyReport, asked: &Asked) -> String {
    let mut lines: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    if report.is_clean() && dir.is_absent() {
        return no_folder(dir.path());
    }
    let verdict = match (report.is_clean(), report.files) {
        (false, _) => "NOT as it was written",
        (true, 0) => "there is nothing",
        (true, _) if asked.answer == Answer::Known => "nothing was changed",
        // Files that are gone together with their lines are found by the database only.
        (true, _) => "every file is as the manifest lists it",
    };
    lines.push(format!(
        "{}: {} files, {} manifest lines: {verdict}",
        dir.path().display(),
        report.files,
        report.lines
    ));
    lines.push(format!("head {}", report.head));
    lines.join("\n")
}

fn reports_json(looked: &Looked<'_, VerifyReport>, asked: &Asked) -> serde_json::Value {
    let reports = || looked.read.iter().map(|(_, report)| report);
    serde_json::json!({
        "files": reports().map(|report| report.files).sum::<usize>(),
        "lines": reports().map(|report| report.lines).sum::<usize>(),
        "head": reports().next().map(|report| &report.head),
        "findings": reports().flat_map(|report| &report.findings).collect::<Vec<_>>(),
        "unreadable": looked.failed.iter().map(EvidenceError::in_full).collect::<Vec<_>>(),
        "database": asked.said,
    })
}

/// Whether the database said what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Known,
    /// Only a folder was to be looked at.
    NotWanted,
    NoDatabase,
    Failed,
}

/// What the database knows, or why it could not be asked.
struct Asked {
    known: Vec<KnownFile>,
    said: String,
    answer: Answer,
}

impl Asked {
    fn database(path: Option<&Path>) -> Self {
        let nothing = |said: String, answer| Self { known: Vec::new(), said, answer };
        let Some(path) = path else {
            let said = "no database was asked: without --directory, the configured one is";
            return nothing(said.to_owned(), Answer::NotWanted);
        };
        match store::evidence_files(path) {
            Ok(Some(files)) => {
                let said = format!("{} knows of {} writings of evidence files", path.display(), files.len());
                let known = files.into_iter().map(|(owner, file)| KnownFile { owner, file }).collect();
                Self { known, said, answer: Answer::Known }
            }
            Ok(None) => nothing(
                format!(
                    "no database was asked whether something is gone: there is none at {}",
                    path.display()
                ),
                Answer::NoDatabase,
            ),
            Err(error) => nothing(
                format!(
                    "THE DATABASE COULD NOT BE ASKED whether something is gone: {}",
                    crate::logging::chain(&error)
                ),
                Answer::Failed,
            ),
        }
    }
}

#[cfg(test)]
mod tests;
