//! `backstop rules`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::output::{Output, fail, print, print_json, progress};
use super::{Common, Outcome, check_config};
use crate::config::{Config, RolloutConfig};
use crate::doctor::metric_problems;
use crate::rules::{self, unit_tests};
use crate::text::shown;

/// Where `--tests` expects the rules that were printed.
const PRINTED: &str = "rules.yml";

/// Flags of `rules`.
#[derive(Debug, Clone, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum RulesCommand {
    /// Make the rules from the configuration: critical, warning and Backstop's own.
    Generate(GenerateArgs),
}

/// For whom rules are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A rule file.
    Prometheus,
    /// An object for the Prometheus operator.
    #[value(name = "prometheusrule")]
    PrometheusRule,
    /// Alertmanager's configuration with the routes to Backstop.
    Alertmanager,
    /// Its routes to Backstop alone, as objects for the Prometheus operator.
    #[value(name = "alertmanagerconfig")]
    AlertmanagerConfig,
}

/// Flags of `rules generate`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop rules generate > rules.yml && promtool check rules rules.yml
  backstop rules generate --tests > rules_test.yml && promtool test rules rules_test.yml
  backstop rules generate --directory /etc/prometheus/rules --tests
  backstop rules generate --format prometheusrule | kubectl apply -f -
  backstop rules generate --format alertmanagerconfig | kubectl apply -n backstop -f -
  backstop rules generate --format alertmanager > alertmanager.yml && amtool check-config alertmanager.yml")]
struct GenerateArgs {
    /// Of this rollout alone.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Prometheus)]
    format: Format,
    /// Print promtool tests for the rules instead of them (they expect the rules in rules.yml); with
    /// --directory write both.
    #[arg(long)]
    tests: bool,
    /// Write files into this folder instead of printing; files of the same name are replaced.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) async fn run(args: &RulesArgs, common: &Common) -> Outcome {
    let RulesCommand::Generate(args) = &args.command;
    let Some(config) = check_config::open(common) else { return Outcome::Usage };
    let rollouts: Vec<RolloutConfig> = config
        .rollouts
        .iter()
        .filter(|rollout| args.rollout.as_ref().is_none_or(|name| *name == rollout.name))
        .cloned()
        .collect();
    if rollouts.is_empty() {
        let known: Vec<_> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
        let wanted = shown(args.rollout.as_deref().unwrap_or_default());
        return fail(format!("there is no rollout {wanted}; known: {}", known.join(", ")), Outcome::Usage);
    }
    if args.tests && args.format != Format::Prometheus {
        return fail("--tests are for promtool: leave --format out", Outcome::Usage);
    }
    if let Some(error) = rollouts.iter().find_map(rules::unfit) {
        return fail(format!("no rules can be made: {error}"), Outcome::Usage);
    }
    for problem in metric_problems(&config, &rollouts).await {
        progress(problem.to_string());
    }
    let Some(files) = render(args, &config, &rollouts) else {
        return fail("there is nothing to test: see above", Outcome::Failed);
    };
    match &args.directory {
        Some(directory) => write(directory, &files, common.output),
        None if common.output == Output::Json => {
            let files: serde_json::Map<_, _> =
                files.into_iter().map(|(name, text)| (name, serde_json::Value::from(text))).collect();
            print_json(&files);
            Outcome::Done
        }
        None => {
            files.iter().for_each(|(_, text)| print(text));
            Outcome::Done
        }
    }
}

/// The files by name; what is printed is one. None where tests are wanted and there are none.
fn render(args: &GenerateArgs, config: &Config, rollouts: &[RolloutConfig]) -> Option<Vec<(String, String)>> {
    let one = |name: &str, text: String| vec![(name.to_owned(), text)];
    let files = match args.format {
        Format::PrometheusRule => one("prometheusrule.yml", rules::prometheus_rule(config, rollouts)),
        Format::Alertmanager => one("alertmanager.yml", rules::alertmanager::configuration(config, rollouts)),
        Format::AlertmanagerConfig => {
            one("alertmanagerconfig.yml", rules::alertmanager_config::configuration(config, rollouts))
        }
        Format::Prometheus if args.directory.is_none() && args.tests => {
            one("rules_test.yml", tests(rollouts, &[PRINTED])?)
        }
        Format::Prometheus if args.directory.is_none() => one(PRINTED, rules::prometheus(rollouts)),
        Format::Prometheus => {
            let mut files: Vec<_> =
                rules::files(rollouts).iter().map(|file| (file.name.to_owned(), file.text())).collect();
            if args.tests {
                let names: Vec<_> = files.iter().map(|(name, _)| format!("../{name}")).collect();
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                files.push(("tests/generated.yml".to_owned(), tests(rollouts, &names)?));
            }
            files
        }
    };
    Some(files)
}

fn tests(rollouts: &[RolloutConfig], rule_files: &[&str]) -> Option<String> {
    let tests = unit_tests::of(rollouts, rule_files);
    for what in &tests.left_out {
        progress(format!("no tests for {what}: no example of it can be guessed from the matchers"));
    }
    tests.text
}

fn write(directory: &Path, files: &[(String, String)], output: Output) -> Outcome {
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = directory.join(name);
        if let Err(error) = replace(&path, text) {
            return fail(format!("{} can't be written: {error}", path.display()), Outcome::Failed);
        }
        progress(format!("{} is written", path.display()));
        paths.push(path);
    }
    if output == Output::Json {
        print_json(&paths);
    }
    Outcome::Done
}

/// Whole or not at all: Prometheus may read it at any time.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension("yml.new");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, path)
}
