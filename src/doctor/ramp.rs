//! The ramp: whether its criteria are answered, its programs are there, and what it writes can be written.

mod criteria;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Examination, QUESTION_WITHIN};
use crate::clock::{Clock, SystemClock};
use crate::commands::Commands;
use crate::config::{Config, GrafanaConfig, RolloutConfig};
use crate::finding::{Area, Check, Finding};
use crate::outbound::Connections;
use crate::ramp::Judge;
use crate::ramp::freeze::Frozen;
use crate::signals::{GrafanaRenderer, Prometheus, RENDER_TIMEOUT, RenderError, Shown};
use crate::tagging::{TagError, Tagger};

/// Who asks the criteria of each rollout, by its name.
pub type Judges = BTreeMap<String, Arc<dyn Judge>>;

/// Asking all criteria of a rollout: some of a few seconds each, a few at a time, and a slow log among them.
const CRITERIA_WITHIN: Duration = Duration::from_secs(60);

/// What a picture that is asked for shows.
const PICTURE_OF: TimeDelta = TimeDelta::minutes(15);

pub(super) fn examinations(config: &Config, judges: &Judges) -> Vec<Examination> {
    let mut all: Vec<_> = config
        .rollouts
        .iter()
        .map(|rollout| of_rollout(config, rollout, judges.get(&rollout.name)))
        .collect();
    let with_tags =
        config.rollouts.iter().filter_map(|rollout| Some((rollout, rollout.ramp.git_tag.as_ref()?)));
    all.extend(with_tags.map(|(rollout, tag)| {
        let (name, repository, push) = (rollout.name.clone(), tag.repository.clone(), tag.push);
        Examination::new(Area::Ramp, &rollout.name, async move {
            let checked = Tagger { commands: Commands::default(), repository, push }.check().await;
            vec![judged_repository(Check::new(Area::Ramp, &name, "git_tag"), checked)]
        })
    }));
    all.extend(config.people.grafana.as_ref().and_then(renderer));
    all
}

fn of_rollout(config: &Config, rollout: &RolloutConfig, judge: Option<&Arc<dyn Judge>>) -> Examination {
    let (rollout, judge) = (rollout.clone(), judge.cloned());
    let (url, access) = (config.prometheus.url.clone(), config.prometheus.access.clone());
    let about = rollout.name.clone();
    let work = async move {
        let mut found =
            vec![judged_freeze(&rollout.name, rollout.freeze.frozen_at(SystemClock.now()).as_ref())];
        let outbound = Connections::default().to(&access, QUESTION_WITHIN).ok();
        let prometheus = url.zip(outbound).map(|(url, outbound)| Prometheus::new(outbound, url));
        found.extend(criteria::look(&rollout, judge, prometheus.as_ref()).await);
        found
    };
    Examination { limit: CRITERIA_WITHIN, ..Examination::new(Area::Ramp, &about, work) }
}

fn judged_freeze(rollout: &str, frozen: Option<&Frozen>) -> Finding {
    let check = Check::new(Area::Ramp, rollout, "freeze");
    match frozen {
        None => check.fine("No freeze window is open."),
        Some(frozen) => check.note(
            format!("A freeze window is open: {}. No ramp starts.", frozen.words()),
            "Wait for its end, or change [[rollouts.freeze]].",
        ),
    }
}

fn judged_repository(check: Check<'_>, checked: Result<(), TagError>) -> Finding {
    match checked {
        Ok(()) => check.fine("The git repository for tags can be used."),
        Err(error) => check.warning(
            format!("A success would get no tag: {error}."),
            "Correct repository in [rollouts.ramp.git_tag], and see that git is installed and Backstop's user may write there.",
        ),
    }
}

/// None where no picture is asked for.
fn renderer(config: &GrafanaConfig) -> Option<Examination> {
    let (url, dashboard) = (config.url.clone()?, config.render_dashboard.clone()?);
    let (about, access) = (url.to_string(), config.access.clone());
    let work = async move {
        let check = Check::new(Area::Ramp, url.as_str(), "renderer");
        let outbound = match Connections::default().to(&access, RENDER_TIMEOUT) {
            Ok(outbound) => outbound,
            Err(error) => {
                return vec![
                    check.warning(format!("It can't be asked: {error}."), "Mend the keys in [grafana]."),
                ];
            }
        };
        let to = SystemClock.now();
        let shown = Shown { from: to - PICTURE_OF, to, variables: &[] };
        let rendered = GrafanaRenderer::new(&outbound, url.clone(), dashboard).render(&shown).await;
        vec![judged_picture(check, rendered.map(drop))]
    };
    // A picture takes two renderings.
    Some(Examination { limit: RENDER_TIMEOUT * 2, ..Examination::new(Area::Ramp, &about, work) })
}

fn judged_picture(check: Check<'_>, rendered: Result<(), RenderError>) -> Finding {
    match rendered {
        Ok(()) => check.fine("Grafana renders the dashboard."),
        Err(error) => check.warning(
            format!("A stage's evidence would lack Grafana's picture: {error}."),
            "See that Grafana's image renderer runs, and that render_dashboard and the token in [grafana] are right.",
        ),
    }
}

#[cfg(test)]
mod tests;
