//! `backstop evidence`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{Output, fail, print, print_json};
use super::{Common, Outcome, check_config};
use crate::evidence::{EvidenceDir, EvidenceError};

/// Flags of `evidence`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop evidence list
  backstop evidence show rollback_20261104_030405
  backstop evidence verify --directory /srv/evidence")]
pub(super) struct EvidenceArgs {
    #[command(subcommand)]
    command: EvidenceCommand,
    /// The folder; then no configuration is needed.
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
    /// Find anything that was changed since it was written.
    Verify,
}

pub(super) fn run(args: &EvidenceArgs, common: &Common) -> Outcome {
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => match check_config::open(common) {
            Some(config) => config.evidence.directory,
            None => return Outcome::Usage,
        },
    };
    let evidence = EvidenceDir::new(directory);
    let done = match &args.command {
        EvidenceCommand::List => list(&evidence, common.output),
        EvidenceCommand::Show { name } => show(&evidence, name, common.output),
        EvidenceCommand::Verify => verify(&evidence, common.output),
    };
    done.unwrap_or_else(|error| fail(crate::logging::chain(&error), Outcome::Failed))
}

fn list(evidence: &EvidenceDir, output: Output) -> Result<Outcome, EvidenceError> {
    let listed = evidence.list()?;
    match output {
        Output::Json => print_json(&listed),
        Output::Text if listed.is_empty() => print(format!("no evidence in {}", evidence.path().display())),
        Output::Text => {
            for summary in &listed {
                let verdict = summary.verdict.as_deref().unwrap_or("-");
                print(format!(
                    "{}  {}  {}  {verdict}  {}",
                    summary.name, summary.rollout, summary.state, summary.reason
                ));
            }
        }
    }
    Ok(if listed.is_empty() { Outcome::NothingToDo } else { Outcome::Done })
}

fn show(evidence: &EvidenceDir, name: &str, output: Output) -> Result<Outcome, EvidenceError> {
    print(evidence.show(name, output == Output::Json)?);
    Ok(Outcome::Done)
}

fn verify(evidence: &EvidenceDir, output: Output) -> Result<Outcome, EvidenceError> {
    let report = evidence.verify()?;
    match output {
        Output::Json => print_json(&report),
        Output::Text => {
            report.findings.iter().for_each(|finding| print(finding.to_string()));
            let verdict = if report.is_clean() { "nothing was changed" } else { "NOT as it was written" };
            print(format!(
                "{} files, {} manifest lines: {verdict}\nhead {}",
                report.files, report.lines, report.head
            ));
        }
    }
    Ok(match (report.is_clean(), report.files) {
        (false, _) => Outcome::Failed,
        (true, 0) => Outcome::NothingToDo,
        (true, _) => Outcome::Done,
    })
}
