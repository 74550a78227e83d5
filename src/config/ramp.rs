//! `[rollouts.ramp]`: the stages, and how long each lasts.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use toml_edit::{Item, Value};

use super::durations::{DAY, HOUR, MINUTE, SECOND};
use super::reader::Reader;
use super::{Config, CriteriaConfig, Level, Problem, TrafficConfig};
use crate::incident::Share;

/// The protocol's stages, in per cent.
const PROTOCOL: [u8; 5] = [1, 5, 25, 50, 100];

/// With more, nobody reads what each has shown.
const MAX_STAGES: usize = 20;

/// The protocol's shortest stage.
const PROTOCOL_LEAST: Duration = Duration::from_secs(10 * 60);

/// The protocol's extended monitoring at 100 %.
const PROTOCOL_LEAST_LAST: Duration = Duration::from_secs(30 * 60);

/// `[rollouts.ramp]`
#[derive(Debug, Clone, PartialEq)]
pub struct RampConfig {
    /// The canary's share in each stage: ascending, and the last is 100 %.
    pub stages: Vec<Share>,
    /// How long each lasts at least, from when its share was read back.
    pub stage_duration: Duration,
    /// The same for the last one.
    pub last_stage_duration: Duration,
    /// The pause between two judgements of a stage's criteria.
    pub judge_interval: Duration,
    /// A stage that holds for longer pages.
    pub max_hold: Duration,
    /// How often people are told that a stage still holds.
    pub hold_reminder: Duration,
    /// How long after a success an alert of its revision still leads to a rollback.
    pub watch_after: Duration,
    /// The stages that are left only once a person has approved.
    pub approval: BTreeSet<Share>,
    /// Whether stable goes to 0 replicas after the last stage, as the protocol has it.
    pub stable_down: bool,
    /// `None`: a success is not tagged.
    pub git_tag: Option<GitTagConfig>,
    /// What has to hold in each stage.
    pub criteria: CriteriaConfig,
}

/// `[rollouts.ramp.git_tag]`: the tag that a success gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitTagConfig {
    /// A repository on this machine.
    pub repository: PathBuf,
    /// Whether the tag is pushed to `origin`, too.
    pub push: bool,
}

/// Why percents are no stages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StagesError {
    #[error("has no stage")]
    None,
    #[error("has {0} stages, and {MAX_STAGES} are the most")]
    TooMany(usize),
    #[error("has {0}, which is no share: 1 to 100 per cent are")]
    NoShare(i64),
    /// A ramp goes up, never down or round.
    #[error("has {next} after {before}: each stage has to be above the one before")]
    NotAscending { before: Share, next: Share },
    /// It would end with two versions.
    #[error("ends at {0}, and a ramp ends at 100 %")]
    NotWhole(Share),
}

impl StagesError {
    /// What to write instead, for whatever was wrong.
    pub const REMEDY: &str = "write such as stages = [1, 5, 25, 50, 100]";
}

/// The stages of these percents, typed by a person.
///
/// # Errors
/// They are none, see [`StagesError`].
pub fn stages_of(percents: &[i64]) -> Result<Vec<Share>, StagesError> {
    if percents.len() > MAX_STAGES {
        return Err(StagesError::TooMany(percents.len()));
    }
    let mut stages: Vec<Share> = Vec::new();
    for percent in percents {
        let share = u8::try_from(*percent).ok().filter(|share| (1..=100).contains(share)).map(Share);
        let next = share.ok_or(StagesError::NoShare(*percent))?;
        if let Some(before) = stages.last().copied().filter(|before| *before >= next) {
            return Err(StagesError::NotAscending { before, next });
        }
        stages.push(next);
    }
    match stages.last() {
        None => Err(StagesError::None),
        Some(last) if *last != Share::ALL => Err(StagesError::NotWhole(*last)),
        Some(_) => Ok(stages),
    }
}

impl RampConfig {
    pub(super) fn read(reader: &Reader<'_>, traffic: &TrafficConfig) -> Self {
        let stages = stages(reader);
        let config = Self {
            stage_duration: reader.duration("stage_duration", 15 * MINUTE, SECOND, DAY),
            last_stage_duration: reader.duration("last_stage_duration", 30 * MINUTE, SECOND, 7 * DAY),
            judge_interval: reader.duration("judge_interval", 15 * SECOND, SECOND, 5 * MINUTE),
            max_hold: reader.duration("max_hold", HOUR, SECOND, 7 * DAY),
            hold_reminder: reader.duration("hold_reminder", 15 * MINUTE, SECOND, DAY),
            watch_after: reader.duration("watch_after", DAY, Duration::ZERO, 30 * DAY),
            approval: approval(reader, &stages),
            stable_down: reader.flag("stable_down"),
            git_tag: GitTagConfig::read(&reader.table("git_tag"), reader.has("git_tag")),
            criteria: CriteriaConfig::read(reader),
            stages,
        };
        config.check(reader, traffic);
        reader.finish();
        config
    }

    fn check(&self, reader: &Reader<'_>, traffic: &TrafficConfig) {
        for (key, duration, least) in [
            ("stage_duration", self.stage_duration, PROTOCOL_LEAST),
            ("last_stage_duration", self.last_stage_duration, PROTOCOL_LEAST_LAST),
        ] {
            if duration < self.judge_interval {
                let remedy = format!("lengthen {key}, or shorten judge_interval");
                reader.error(key, "is shorter than judge_interval: a stage would end unjudged", remedy);
            } else if duration < least {
                let least = humantime::format_duration(least);
                let message = format!("is shorter than the protocol's {least}, in which slow faults show");
                reader.warning(key, message, format!("write {key} = \"{least}\" or more"));
            }
        }
        if self.stable_down && matches!(traffic, TrafficConfig::FeatureFlag(_)) {
            let message = "is for a cluster: a feature flag has no pods of the stable version";
            reader.error("stable_down", message, "remove it");
        }
    }
}

/// Without the key, and where it is wrong, the protocol's.
fn stages(reader: &Reader<'_>) -> Vec<Share> {
    let stages = percents(reader, "stages").and_then(|percents| {
        stages_of(&percents)
            .map_err(|error| reader.error("stages", error.to_string(), StagesError::REMEDY))
            .ok()
    });
    stages.unwrap_or_else(|| PROTOCOL.map(Share).to_vec())
}

fn approval(reader: &Reader<'_>, stages: &[Share]) -> BTreeSet<Share> {
    let mut found = BTreeSet::new();
    for percent in percents(reader, "approval").unwrap_or_default() {
        let stage = stages.iter().find(|stage| i64::from(stage.0) == percent);
        match stage {
            Some(stage) => {
                found.insert(*stage);
            }
            None => {
                let all = stages.iter().map(|stage| stage.0.to_string()).collect::<Vec<_>>().join(", ");
                let remedy = format!("choose of the stages: {all}");
                reader.error("approval", format!("has {percent}, which is no stage's share"), remedy);
            }
        }
    }
    found
}

/// A list of whole numbers; `None` where there is none, or where it has been reported.
fn percents(reader: &Reader<'_>, key: &str) -> Option<Vec<i64>> {
    let list = reader.item(key).map(Item::as_array)?;
    let percents = list.and_then(|list| list.iter().map(Value::as_integer).collect::<Option<Vec<_>>>());
    if percents.is_none() {
        let remedy = format!("write such as {key} = [25, 100]");
        reader.error(key, "is not a list of whole numbers", remedy);
    }
    percents
}

impl GitTagConfig {
    fn read(reader: &Reader<'_>, present: bool) -> Option<Self> {
        let repository =
            if present { reader.required("repository", "/srv/spark-trading") } else { String::new() };
        // Asked for, so that they count as known.
        let (_text, push) = (reader.item("repository"), reader.flag("push"));
        reader.finish();
        present.then(|| Self { repository: reader.file_path(&repository), push })
    }
}

impl Config {
    /// Whether each repository that is named is one: a success would be too late to find out.
    #[must_use]
    pub fn check_repositories(&self) -> Vec<Problem> {
        let named = self.rollouts.iter().enumerate();
        let named = named.filter_map(|(index, rollout)| Some((index, rollout.ramp.git_tag.as_ref()?)));
        let is_none = |folder: &PathBuf| !folder.join(".git").exists() && !folder.join("HEAD").exists();
        let missing = named.filter(|(_, tag)| is_none(&tag.repository));
        missing
            .map(|(index, tag)| {
                let message = format!("{} is no git repository", tag.repository.display());
                let remedy = "name a clone that Backstop's user can read and write, or remove git_tag";
                let key = format!("rollouts[{index}].ramp.git_tag.repository");
                Problem::of_key(&self.file, &key, Level::Error, message, remedy.to_owned())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
