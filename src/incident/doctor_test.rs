//! The alert by which `doctor` tries the way from Alertmanager. It takes the way of a real one, is told
//! from it by its name and its label together, and never leads to anything.

use super::Alert;

/// Its `alertname`. It does not begin with `Backstop`: alerts that do are led past us on purpose.
pub const DOCTOR_TEST: &str = "TestAlertOfBackstopDoctor";

/// The label that says which test it is.
pub const DOCTOR_TEST_LABEL: &str = "backstop_doctor_test";

/// Its label `rollout`, which no rollout is to be called.
pub const DOCTOR_TEST_ROLLOUT: &str = "backstop-doctor-test";

impl Alert {
    /// Which test it is of; `None` for a real alert.
    #[must_use]
    pub fn doctor_test(&self) -> Option<&str> {
        let nonce = self.labels.get(DOCTOR_TEST_LABEL)?;
        (self.name() == DOCTOR_TEST && !nonce.is_empty()).then_some(nonce.as_str())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::incident::fixtures::firing;

    #[test]
    fn name_and_label_together_make_a_test_and_one_of_them_makes_none() {
        for (labels, expected) in [
            (&[("alertname", DOCTOR_TEST), (DOCTOR_TEST_LABEL, "12ab")][..], Some("12ab")),
            (&[("alertname", DOCTOR_TEST)], None),
            (&[("alertname", DOCTOR_TEST), (DOCTOR_TEST_LABEL, "")], None),
            (&[("alertname", "CanaryErrorRateCritical"), (DOCTOR_TEST_LABEL, "12ab")], None),
        ] {
            assert_eq!(firing("f", labels, DateTime::UNIX_EPOCH).doctor_test(), expected, "{labels:?}");
        }
    }
}
