//! What must hold of an order, and of what is said about why it was given.

use std::collections::BTreeMap;

use backstop::decision::Mode;
use backstop::evidence::{Version, render_text};
use backstop::incident::{Incident, Phase, Reason, RolloutName, RolloutState, Trigger};
use chrono::{DateTime, TimeDelta, Utc};

use crate::ledger::Ledger;
use crate::process::{revision, rollout_name};
use crate::promises::Promise;

impl Ledger {
    /// An order arrived at the flag API.
    pub(crate) fn ordered(
        &mut self,
        site: usize,
        stored: &BTreeMap<RolloutName, RolloutState>,
        healthy: bool,
        now: DateTime<Utc>,
    ) -> Promise {
        let sound = healthy && self.store_is_sound(now);
        let incident = stored.get(&rollout_name(site)).and_then(|state| state.open_incident());
        let rolling = incident.and_then(|incident| match incident.phase {
            Phase::RollingBack { attempt, since } => Some((incident.id.clone(), attempt, since)),
            _ => None,
        });
        let Some((id, attempt, since)) = rolling else {
            promise!(
                !sound,
                "ordered 0 % although no rollback is recorded: {:?}",
                incident.map(|one| &one.phase)
            );
            return Ok(());
        };
        if let Some(incident) = incident.filter(|_| sound) {
            let (about, there) = (incident.revision(), revision(self.deployments));
            promise!(*about == there, "{id} is about {about} and acts on {there}");
            let by_person = matches!(incident.trigger(), Trigger::Manual { .. });
            promise!(
                by_person || self.modes[site] == Some(Mode::Armed),
                "{id} acts although the mode is {:?}",
                self.modes[site]
            );
        }
        let first = self.first_orders.insert((id.clone(), attempt));
        if first && sound && !self.sets_clock && since >= self.started_at {
            let waited = now - since;
            promise!(waited <= TimeDelta::milliseconds(150), "{id}: the first order waited for {waited}");
        }
        Ok(())
    }

    /// The protocol's four lines say what is known here of why the rollback began.
    pub(crate) fn four_lines(&self, incident: &Incident, complete: bool) -> Promise {
        let version = if complete { Version::Complete } else { Version::First { at: None } };
        let text = render_text(incident, version, &[]);
        let lines: Vec<_> = text.lines().take(4).collect();
        let [_, _, reason, trigger] = lines[..] else { return Err(format!("no four lines in {text}")) };
        // While the store is in trouble the evidence is ahead of what is stored.
        let Some((name, words, by)) = self.causes.get(&incident.id).and_then(|causes| causes.first()) else {
            return Ok(());
        };
        promise!(
            reason == format!("Reason: {words}"),
            "{}: {reason:?}, but it began for {words:?}",
            incident.id
        );
        promise!(
            trigger == format!("Triggered By: {by}"),
            "{}: {trigger:?}, but it was {by} that began it",
            incident.id
        );
        let is_person = matches!(by, Trigger::Manual { .. });
        promise!(is_person == (*name == Reason::Manual), "{}: {by} by {name}", incident.id);
        let critical = matches!(name, Reason::CriticalAlert | Reason::MissedWhileDown);
        promise!(!critical || words.starts_with("Critical"), "{}: {name} for {words}", incident.id);
        Ok(())
    }

    /// Whoever asked for a rollback and was heard finds the words in its causes.
    pub(crate) fn words_came_out(&self) -> Promise {
        for (id, words) in &self.asked {
            let causes = self.causes.get(id).map_or(&[][..], Vec::as_slice);
            let declined = causes.is_empty() && self.incidents.get(id).is_some_and(|told| told.attempt == 0);
            let found = causes.iter().any(|(_, stored, _)| stored == words);
            promise!(found || declined, "{words:?} is in no cause of {id}: {causes:?}");
        }
        Ok(())
    }
}
