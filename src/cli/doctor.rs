//! `backstop doctor`

mod channels;
mod server;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::output::{Output, print, print_json, progress};
use super::{Common, Outcome, style};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::doctor::{self, Examination};
use crate::finding::{Area, Finding, Severity};
use crate::text::shown;

/// Flags of `doctor`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop doctor                         everything, as the server's user and on its machine
  backstop doctor --only kubernetes
  backstop doctor --send-test-alert       and whether Alertmanager's routes lead here
  backstop doctor --output json | jq '.findings[] | select(.severity == \"error\")'

It only reads, but for the test alert. Exit code: 0 if nothing would stop a rollback or make it blind (warnings are printed,
and end with 1 under --strict), 1 if something would, 2 if the configuration can't be used.")]
pub(super) struct DoctorArgs {
    /// Only this area; may be given several times.
    #[arg(long, value_name = "AREA")]
    only: Vec<Area>,
    /// Also send a test alert through each Alertmanager, and see that it comes back. It takes the route of a
    /// warning, belongs to no rollout, and ends within seconds; who is told of warnings sooner is told of it.
    #[arg(long)]
    send_test_alert: bool,
    /// Let warnings end with exit code 1, too.
    #[arg(long)]
    strict: bool,
}

impl ValueEnum for Area {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

/// All that was found, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    /// The worst of all.
    severity: Severity,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: &'a [Finding],
}

impl<'a> Report<'a> {
    fn of(findings: &'a [Finding]) -> Self {
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            severity: doctor::worst(findings),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            findings,
        }
    }

    /// The last line, which says all that the exit code does.
    fn verdict(&self) -> String {
        let counted = |count: usize, word: &str| match count {
            1 => format!("1 {word}"),
            count => format!("{count} {word}s"),
        };
        let Self { errors, warnings, notes, .. } = *self;
        let all = [(errors, "error"), (warnings, "warning"), (notes, "note")];
        let all: Vec<_> =
            all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| counted(*count, word)).collect();
        if all.is_empty() { "Nothing is wrong.".to_owned() } else { format!("{}.", all.join(", ")) }
    }
}

pub(super) async fn run(args: &DoctorArgs, common: &Common) -> Outcome {
    let config = match Config::open(&common.config) {
        Ok(config) => config,
        Err(report) => {
            let mut findings = doctor::invalid(&report);
            doctor::sort(&mut findings);
            tell(&findings, common.output);
            progress("the configuration can't be used, so nothing else was looked at");
            return Outcome::Usage;
        }
    };
    let is_wanted = |area: Area| args.only.is_empty() || args.only.contains(&area);
    let ended = |area: Area, about: &str| progress(shown(&format!("looked at {}", title(area, about))));
    let mut all = Vec::new();
    if is_wanted(Area::Configuration) {
        let config = config.clone();
        let look = async move { doctor::configuration(&config, &SystemClock) };
        all.push(Examination::new(Area::Configuration, "", look));
    }
    all.push(server::examination(&config));
    all.push(channels::examination(&config));
    // Without them doctor says that the criteria can't be asked; why, the configuration's findings say.
    let judges = crate::app::judges(&config).unwrap_or_default();
    let heard = args.send_test_alert.then(|| server::heard(&config));
    all.extend(doctor::examinations(&config, heard, &judges));
    all.retain(|examination| is_wanted(examination.area) || args.only.contains(&Area::Clocks));
    let mut findings = doctor::examined(all, ended).await;
    findings.retain(|finding| is_wanted(finding.area));
    tell(&findings, common.output);
    outcome(doctor::worst(&findings), args.strict)
}

fn outcome(worst: Severity, strict: bool) -> Outcome {
    match worst {
        Severity::Error => Outcome::Failed,
        Severity::Warning if strict => Outcome::Failed,
        Severity::Warning | Severity::Note | Severity::Fine => Outcome::Done,
    }
}

fn title(area: Area, about: &str) -> String {
    if about.is_empty() { area.to_string() } else { format!("{area}: {about}") }
}

fn tell(findings: &[Finding], output: Output) {
    let report = Report::of(findings);
    if output == Output::Json {
        return print_json(&report);
    }
    let mut last = None;
    for finding in findings {
        let group = title(finding.area, &finding.about);
        if last.as_ref() != Some(&group) {
            print(style::bold(&shown(&group)));
        }
        last = Some(group);
        print(text(finding));
    }
    print(report.verdict());
}

fn text(finding: &Finding) -> String {
    let word = format!("{:<7}", finding.severity.as_str());
    let word = match finding.severity {
        Severity::Error => style::alarm(&word),
        Severity::Warning => style::warning(&word),
        Severity::Fine => style::good(&word),
        Severity::Note => word,
    };
    let remedy = finding
        .remedy
        .as_ref()
        .map_or_else(String::new, |remedy| format!("\n          help: {}", shown(remedy)));
    format!("  {word} {}{remedy}", shown(&finding.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Check;

    #[test]
    fn the_exit_code_is_by_the_worst_and_warnings_count_where_they_are_to() {
        for (worst, strict, expected) in [
            (Severity::Fine, true, Outcome::Done),
            (Severity::Note, true, Outcome::Done),
            (Severity::Warning, false, Outcome::Done),
            (Severity::Warning, true, Outcome::Failed),
            (Severity::Error, false, Outcome::Failed),
        ] {
            assert_eq!(outcome(worst, strict), expected, "{worst:?} {strict}");
        }
    }

    #[test]
    fn the_last_line_counts_what_was_found_and_foreign_text_forges_no_line() {
        let check = Check::new(Area::Store, "x", "y");
        let findings = [
            check.error("bad\nfine    all is well", "mend"),
            check.note("so", "nothing"),
            check.note("so", "nothing"),
        ];
        assert_eq!(Report::of(&findings).verdict(), "1 error, 2 notes.");
        assert_eq!(Report::of(&[]).verdict(), "Nothing is wrong.");
        assert_eq!(text(&findings[0]).lines().count(), 2, "the message and its remedy");
    }
}
