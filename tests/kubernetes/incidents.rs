//! What became of a rollout's incident, as the API shows it.

use std::time::Duration;

use backstop::web::IncidentView;
use tokio::time::Instant;

use crate::served::Served;

impl Served {
    /// The rollout's only incident, once it is as wanted; what it is instead fails the test.
    pub(crate) async fn incident(
        &self,
        rollout: &str,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&IncidentView) -> bool,
    ) -> IncidentView {
        let deadline = Instant::now() + limit;
        loop {
            let listed = self.incidents(rollout).await;
            assert!(listed.len() <= 1, "{rollout}: one incident: {listed:#?}");
            let incident = listed.into_iter().next();
            let incident: Option<IncidentView> =
                incident.map(|incident| serde_json::from_value(incident).expect("an incident"));
            match incident {
                Some(incident) if wanted(&incident) => return incident,
                other => assert!(Instant::now() < deadline, "{rollout}: {what} within {limit:?}: {other:#?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The rollout's only incident, once it is rolled back.
    pub(crate) async fn rolled_back(&self, rollout: &str, limit: Duration) -> IncidentView {
        self.incident(rollout, limit, "rolled back", |incident| incident.state == "rolled_back").await
    }
}

/// How often people were told of this, by the name of the notice's kind.
pub(crate) fn told(incident: &IncidentView, kind: &str) -> usize {
    incident.notifications.iter().filter(|notice| notice.kind == kind).count()
}
