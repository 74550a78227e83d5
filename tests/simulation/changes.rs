//! What an action changes at once, in a word.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::Action;
use crate::world::{Health, Inner};

impl Inner {
    pub(crate) fn change(&mut self, action: Action, now: DateTime<Utc>) {
        match action {
            Action::Share(site, share) => {
                self.traffic[site].set(share, now);
                self.canary_is_given(share, now);
            }
            Action::Cluster(change) => self.in_cluster(change, now),
            Action::AlertmanagerDown => self.monitoring.alertmanager_down = true,
            Action::AlertmanagerUp => self.monitoring.alertmanager_down = false,
            Action::AlertmanagerRestarts => {
                self.monitoring.restarted_at = Some(now);
                if self.monitoring.prometheus_dead {
                    self.monitoring.listed.clear();
                }
            }
            Action::Silence(alert) => {
                self.monitoring.silenced.insert(alert);
            }
            Action::Unsilence(alert) => {
                self.monitoring.silenced.remove(&alert);
            }
            Action::OnSet(site, on_set) => self.traffic[site].on_set = on_set,
            Action::OnRead(site, on_read) => self.traffic[site].on_read = on_read,
            Action::OnSend(at, on_send) => self.people[at].on_send = on_send,
            Action::StoreDown => self.store_health = Health::Down,
            Action::StoreHangs(span) => self.store_health = Health::Hangs(span),
            Action::StoreUp => self.store_health = Health::Good,
            Action::EvidenceDown => self.evidence_health = Health::Down,
            Action::EvidenceHangs => self.evidence_health = Health::Hangs(Duration::from_secs(30)),
            Action::EvidenceUp => self.evidence_health = Health::Good,
            _ => {}
        }
        let good = self.store_health == Health::Good;
        self.ledger.store_is(good, now);
    }
}
