//! Several people who roll back at once.

use backstop::demo::trading_api::TradingApi;
use tokio::task::JoinSet;

use crate::support::Site;

/// Rounds, each over an application of its own: what arrives just as another's rollback ends is rare.
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_manual_rollbacks_at_once_send_one_order() {
    for round in 0..ROUNDS {
        let api = TradingApi::start(25, 10).await.expect("started");
        let site = Site::simple("5m", &api);
        let app = site.start().await;
        let mut people = JoinSet::new();
        for person in 0..20 {
            let url = site.url("/api/v1/rollouts/spark-trading/rollback");
            let words =
                serde_json::json!({ "reason": "checkout broken", "actor": format!("person {person}") });
            people.spawn(async move {
                let request = reqwest::Client::new().post(url).bearer_auth("operator-token").json(&words);
                request.send().await.expect("an answer").status().as_u16()
            });
        }
        let answers = people.join_all().await;
        assert!(answers.iter().all(|status| [200, 202].contains(status)), "{answers:?}");
        site.incident("the rollback", |incident| incident.state == "rolled_back").await;
        assert_eq!(api.sets(), [0], "round {round}");
        app.shutdown().await.expect("drained");
    }
}
