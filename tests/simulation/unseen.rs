//! A critical that fires for a moment while nobody is there: only Prometheus remembers it.

use backstop::decision::Mode;
use chrono::{DateTime, Utc};

use crate::ledger::Ledger;
use crate::monitoring::{name, site};
use crate::process::SITES;
use crate::promises::Promise;
use crate::traffic::OnRead;
use crate::urgency;
use crate::world::Inner;

/// One that Prometheus can name, about a canary that had traffic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unseen {
    alert: u8,
    at: DateTime<Utc>,
    /// Which revision it is about.
    deployments: u32,
}

impl Inner {
    /// It fires, no message says so, and it is over.
    pub(crate) fn fires_unseen(&mut self, alert: u8, at: DateTime<Utc>) {
        let Self { traffic, monitoring, ledger, .. } = self;
        if monitoring.prometheus_dead || monitoring.holds.contains_key(&alert) {
            return;
        }
        monitoring.fired.insert(alert, at);
        // Where the severities are rewritten, Prometheus alone can't say that it was a critical.
        let is_known = ledger.has_prometheus && !monitoring.relabelled && !ledger.sets_clock;
        let armed = ledger.modes[site(alert)] == Some(Mode::Armed);
        if is_known && armed && traffic[site(alert)].share > 0 {
            ledger.unseen.push(Unseen { alert, at, deployments: ledger.deployments });
        }
    }

    /// Prometheus was asked what fired while nobody was there, and told. From here on that is as urgent as
    /// a critical that is reported, if the share can be read at once: several wait for it in turn.
    pub(crate) fn look_back_was_answered(&mut self, asked: impl Fn(u8) -> bool, now: DateTime<Utc>) {
        let started_at = self.ledger.started_at;
        let found = self.ledger.unseen.iter().find(|unseen| unseen.at == started_at && asked(unseen.alert));
        let Some(Unseen { alert, at, .. }) = found.copied() else { return };
        if self.traffic[site(alert)].on_read == OnRead::Tells {
            urgency::waits_for_the_disk_only(self, site(alert), at, now);
        }
    }

    /// The canary that it was about has lost its traffic, or a person has it in hand.
    pub(crate) fn unseen_came_out(&self) -> Promise {
        let ledger: &Ledger = &self.ledger;
        for Unseen { alert, at, deployments } in &ledger.unseen {
            let (site, zeroed_at) = (site(*alert), self.traffic[site(*alert)].zeroed_at);
            let waits = ledger.incidents.values().any(|told| told.waits && told.rollout == SITES[site]);
            let answered = zeroed_at.is_some_and(|zeroed_at| zeroed_at >= *at)
                || waits
                || ledger.closed_by_person[site]
                || ledger.deployments != *deployments;
            promise!(
                answered,
                "{} fired at {at} while nobody was there, and nobody took the traffic off",
                name(*alert)
            );
        }
        Ok(())
    }
}
