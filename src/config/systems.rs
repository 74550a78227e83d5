//! The outside systems that are asked, and what each presents.

use chrono::{DateTime, Utc};

use super::access::AccessConfig;
use super::report::{Level, Problem};
use super::{Config, tls};

impl Config {
    /// Every outside system that is asked, by the key of its table.
    pub(super) fn systems(&self) -> Vec<(String, &AccessConfig)> {
        let mut systems = vec![
            ("alertmanager".to_owned(), &self.alertmanager.access),
            ("prometheus".to_owned(), &self.prometheus.access),
        ];
        systems.extend(self.loki.iter().map(|loki| ("loki".to_owned(), &loki.access)));
        let channels = self.people.systems().into_iter();
        systems.extend(channels.map(|(key, access)| (key.to_owned(), access)));
        for (index, rollout) in self.rollouts.iter().enumerate() {
            if let Some(access) = rollout.traffic.access() {
                systems.push((format!("rollouts[{index}].traffic"), access));
            }
            systems.push((format!("rollouts[{index}].verify"), &rollout.verify.access));
            let apis = rollout.apis.iter().enumerate();
            systems.extend(apis.map(|(api, one)| (format!("rollouts[{index}].apis[{api}]"), &one.access)));
        }
        systems
    }

    /// Reads every certificate and key for outside systems and reports what is wrong with it.
    #[must_use]
    pub fn check_access(&self, now: DateTime<Utc>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (system, access) in self.systems() {
            let mut report = |key: &str, level, message: String, remedy: String| {
                problems.push(Problem::of_key(
                    &self.file,
                    &format!("{system}.{key}"),
                    level,
                    message,
                    remedy,
                ));
            };
            match access.tls.load() {
                Err(error) => report(error.key, Level::Error, error.to_string(), error.remedy.to_owned()),
                Ok(loaded) => {
                    let expiry = loaded.expires_at.and_then(|at| tls::expiry_warning(at, now));
                    if let Some((message, file)) = expiry.zip(access.tls.client_cert_file.as_ref()) {
                        let message = format!("{} {message}", file.display());
                        report(
                            "client_cert_file",
                            Level::Warning,
                            message,
                            "renew it and restart".to_owned(),
                        );
                    }
                }
            }
        }
        problems
    }
}
