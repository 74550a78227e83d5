//! A real Alertmanager that proves itself by `basic_auth` instead of a token.

use backstop::demo::trading_api::TradingApi;

use crate::support::alerting::{Fires, programs, settings, tell};
use crate::support::{MATCH, Site, rollout_toml, wait_for};

#[tokio::test]
async fn an_alertmanager_with_basic_auth_is_let_in_and_one_with_the_wrong_password_is_not() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::new(
        "[alertmanager]\npoll_interval = \"1s\"",
        &rollout_toml("spark-trading", MATCH, "5m", &api),
    );
    site.edit(
        "auth.webhook_token_files = [\"webhook\"]",
        "auth.webhook_basic_auth = { username = \"alert manager\", password_file = \"password\" }",
    );
    let (right, wrong) = (site.folder.path().join("password"), site.folder.path().join("wrong"));
    std::fs::write(&right, "a pass: phrase with blänks\n").expect("written");
    std::fs::write(&wrong, "another pass phrase").expect("written");
    let app = site.start().await;

    let start = async |name: &str, password| {
        let folder = site.folder.path().join(name);
        std::fs::create_dir(&folder).expect("created");
        let mut settings = settings(&site, None);
        settings.token_file = None;
        settings.basic_auth = Some(("alert manager".to_owned(), password));
        programs().alertmanager(&folder, &settings).await.expect("Alertmanager")
    };
    let stranger = start("stranger", wrong).await;
    tell(&stranger, &[Fires::now("CanaryErrorRateCritical", "critical", "shop")]).await;
    wait_for("the stranger to be refused", || async {
        let refused = site.metric("backstop_webhook_requests_total{outcome=\"unauthorized\"}").await;
        (refused > 0.0).then_some(())
    })
    .await;
    assert_eq!((api.share(), site.incidents().await.len()), (25, 0));

    let known = start("known", right).await;
    tell(&known, &[Fires::now("CanaryErrorRateCritical", "critical", "shop")]).await;
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!(api.share(), 0);
    app.shutdown().await.expect("drained");
}
