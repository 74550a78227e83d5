//! Kubeconfigs that can't be used, and what is said of them.

use tokio::io::AsyncReadExt;

use super::super::caller::Caller;
use super::super::error::Why;
use super::super::object::{DEPLOYMENT, Object};
use super::*;

const SECRET: &str = "s3cret-token";

async fn refused(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, text).expect("written");
    let cluster = Clusters::default().of(Some(&file));
    let error = cluster.client().await.err().expect("no client");
    assert!(error.contains(&file.display().to_string()), "{error}");
    assert!(!format!("{error}{cluster:?}").contains(SECRET), "{error}");
    error
}

#[tokio::test]
async fn a_kubeconfig_that_cant_be_used_is_named_with_what_is_wrong_and_never_with_its_tokens() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let users = format!("users: [{{name: me, user: {{token: {SECRET}}}}}]");
    assert!(refused(&format!("{users}\ntoken: [{SECRET}")).await.contains("no YAML"));
    assert!(refused(&format!("{users}\nclusters: {SECRET}")).await.contains("no YAML"));
    assert!(refused(&users).await.contains("current-context"));
    let context = "contexts: [{name: it, context: {cluster: it, user: me}}]\ncurrent-context: it";
    assert!(refused(&format!("{users}\n{context}")).await.contains("cluster"));
    let proxy = format!(
        "clusters: [{{name: it, cluster: {{server: 'http://127.0.0.1:1', proxy-url: 'http://me:{SECRET}@proxy:1'}}}}]"
    );
    assert!(refused(&format!("{users}\n{context}\n{proxy}")).await.contains("proxy-url"));
    let gone = Clusters::default().of(Some(Path::new("/nowhere/kubeconfig")));
    assert!(gone.client().await.err().expect("no file").contains("/nowhere/kubeconfig"));
}

#[tokio::test]
async fn rollouts_of_one_cluster_share_a_client_and_a_file_that_comes_later_is_read_then() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    let mut clusters = Clusters::default();
    let (one, other) = (clusters.of(Some(&file)), clusters.of(Some(&file)));
    assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &clusters.of(None)));
    assert!(one.client().await.is_err());
    let text = "clusters: [{name: it, cluster: {server: 'http://127.0.0.1:1'}}]\n\
                contexts: [{name: it, context: {cluster: it}}]\ncurrent-context: it\n";
    std::fs::write(&file, text).expect("written");
    assert!(one.client().await.is_ok());
}

#[tokio::test]
async fn outside_a_pod_the_remedy_is_a_kubeconfig() {
    let error = Clusters::default().of(None).client().await.err().expect("no pod");
    assert!(error.contains("set kubeconfig"), "{error}");
}

/// What a call finds at this address.
async fn called(address: std::net::SocketAddr) -> Why {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubeconfig");
    let text = format!(
        "clusters: [{{name: it, cluster: {{server: 'http://{address}'}}}}]\n\
         contexts: [{{name: it, context: {{cluster: it}}}}]\ncurrent-context: it\n"
    );
    std::fs::write(&file, text).expect("written");
    let caller = Caller { cluster: Clusters::default().of(Some(&file)), timeout: Duration::from_millis(500) };
    let object = Object::new(DEPLOYMENT, "spark", "api");
    let change = serde_json::json!({});
    caller.merge_patch(&object, Some("scale"), &change).await.expect_err("no API server").why
}

#[tokio::test]
async fn a_call_without_a_connection_has_not_arrived_and_any_other_silence_may_have() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    // Connections are taken by the system, and nobody reads them.
    let silent = called(address).await;
    assert!(matches!(silent, Why::TimedOut(_)), "{silent:?}");
    let hangs_up = async {
        // The first one is still there from before.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _its_beginning = stream.read(&mut [0; 16]).await;
        }
    };
    let (broken, ()) = tokio::join!(called(address), hangs_up);
    assert!(matches!(broken, Why::Broken(_)), "{broken:?}");
    drop(listener);
    let refused = called(address).await;
    assert!(matches!(refused, Why::Unreachable(_)), "{refused:?}");
}
