//! Who asks: kubeconfigs, and ServiceAccounts with tokens of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use super::ControlPlane;

/// What an API server gives at least.
const SHORTEST_TOKEN: Duration = Duration::from_secs(600);

/// A client of whom the kubeconfig names. Nothing is tried again, and nothing hangs for ever.
pub(crate) async fn connect(kubeconfig: &Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let mut config =
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("valid");
    config.default_retry = false;
    config.read_timeout = Some(Duration::from_secs(20));
    config.reset_reader_on_write = true;
    Client::try_from(config).expect("a client")
}

impl ControlPlane {
    /// A kubeconfig for a new ServiceAccount, which may do nothing until a binding says otherwise. The
    /// token is in a file beside it, [`token_file`], as a pod's is.
    pub(crate) async fn service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await, namespace);
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        accounts.create(&PostParams::default(), &account).await.expect("a ServiceAccount");
        let seconds = i64::try_from(SHORTEST_TOKEN.as_secs()).expect("few");
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(seconds), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let token = answer.expect("a token").status.expect("a token").token.expect("a token");

        let kubeconfig = self.folder().join(format!("{namespace}-{name}.kubeconfig"));
        std::fs::write(token_file(&kubeconfig), token).expect("written");
        write_kubeconfig(self, &kubeconfig, namespace, &json!({ "tokenFile": token_file(&kubeconfig) }));
        kubeconfig
    }
}

/// The file with the token of a ServiceAccount's kubeconfig.
pub(crate) fn token_file(kubeconfig: &Path) -> PathBuf {
    kubeconfig.with_extension("token")
}

/// A kubeconfig of one user. Its paths are whole: those of one are taken from its own folder.
pub(super) fn write_kubeconfig(of: &ControlPlane, file: &Path, namespace: &str, user: &Value) {
    let cluster = json!({ "server": of.url(), "certificate-authority": of.authority() });
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "tests", "cluster": cluster }],
        "users": [{ "name": "tests", "user": user }],
        "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": "tests", "namespace": namespace } }],
        "current-context": "tests",
    });
    std::fs::write(file, config.to_string()).expect("written");
}
