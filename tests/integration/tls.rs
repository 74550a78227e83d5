//! TLS on the public listener: trust in both directions, renewal without a restart, the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use backstop::demo::trading_api::TradingApi;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::support::{Site, binary, body, now, wait_for};

/// An authority that signs certificates for tests.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key for these names; the last day it is valid, if it matters.
    pub(crate) fn sign(&self, names: &[&str], last_year: Option<i32>) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if let Some(year) = last_year {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        }
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }
}

struct Secured {
    site: Site,
    listen: SocketAddr,
    authority: Authority,
}

impl Secured {
    fn path(&self, name: &str) -> PathBuf {
        self.site.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// A site that people reach as `backstop.test`; `more` are further keys of `[server.tls]`.
    fn new(api: &TradingApi, more: &str) -> Self {
        let site = Site::simple("5m", api);
        let listen = site.parsed().server.listen;
        let secured = Self { site, listen, authority: Authority::new() };
        let (cert, key) = secured.authority.sign(&["backstop.test", "127.0.0.1"], None);
        secured.write("cert.pem", &cert);
        secured.write("key.pem", &key);
        secured.write("ca.pem", &secured.authority.pem);
        let (cert, key) = secured.authority.sign(&["operator"], None);
        secured.write("identity.pem", &format!("{cert}{key}"));
        let text = std::fs::read_to_string(&secured.site.config).expect("read").replace(
            "drain = \"5s\"\n",
            &format!(
                "drain = \"5s\"\nexternal_url = \"https://backstop.test\"\n\
                 tls.cert_file = \"cert.pem\"\ntls.key_file = \"key.pem\"\n{more}\n"
            ),
        );
        std::fs::write(&secured.site.config, text).expect("written");
        secured
    }

    fn url(&self, path: &str) -> String {
        format!("https://backstop.test:{}{path}", self.listen.port())
    }

    /// A client that trusts only this authority, and presents the identity in this PEM.
    fn client(&self, authority: &Authority, identity: Option<String>) -> reqwest::Client {
        let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).expect("a certificate");
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([root])
            .resolve("backstop.test", self.listen);
        if let Some(pem) = identity {
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).expect("an identity"));
        }
        builder.build().expect("a client")
    }

    async fn post(&self, client: &reqwest::Client) -> Result<(u16, reqwest::Version), String> {
        let request = client.post(self.url("/api/v1/alertmanager")).bearer_auth("hook-token");
        let request = request.body(body("CanaryLatencyP95Warning", "warning", &now(), None));
        let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
        Ok((answer.status().as_u16(), answer.version()))
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output =
            binary().args(arguments).arg("--config").arg(&self.site.config).output().await.expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }
}

#[tokio::test]
async fn a_webhook_over_tls_speaks_http_2_and_a_client_with_another_authority_is_safe() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let secured = Secured::new(&api, "");
    let app = secured.site.start().await;
    let trusting = secured.client(&secured.authority, None);
    assert_eq!(secured.post(&trusting).await, Ok((200, reqwest::Version::HTTP_2)));
    let stranger = secured.client(&Authority::new(), None);
    let refused = secured.post(&stranger).await.expect_err("not trusted");
    assert!(refused.contains("InvalidCertificate"), "{refused}");
    let plain = reqwest::get(secured.site.url("/api/v1/incidents")).await;
    assert!(plain.is_err(), "nothing is served in the clear");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn with_a_client_authority_only_its_clients_are_let_in() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let secured = Secured::new(&api, "tls.client_ca_file = \"ca.pem\"");
    let app = secured.site.start().await;
    let identity = |authority: &Authority| {
        let (cert, key) = authority.sign(&["alertmanager"], None);
        Some(format!("{cert}{key}"))
    };
    let known = secured.client(&secured.authority, identity(&secured.authority));
    assert_eq!(secured.post(&known).await.map(|(status, _)| status), Ok(200));
    for (who, identity) in [("nobody", None), ("a stranger", identity(&Authority::new()))] {
        let refused = secured.post(&secured.client(&secured.authority, identity)).await;
        assert!(refused.is_err(), "{who}: {refused:?}");
    }
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_over_and_a_broken_one_is_not() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let secured = Secured::new(&api, "");
    let app = secured.site.start().await;
    let metric = async |line: &str| {
        let page = reqwest::get(format!("http://{}/metrics", app.admin_listen)).await.ok()?;
        page.text().await.ok()?.contains(&format!("{line}\n")).then_some(())
    };
    let works_with = async |authority: &Authority| {
        // A client of its own shakes hands anew.
        secured.post(&secured.client(authority, None)).await.is_ok()
    };
    assert!(works_with(&secured.authority).await);

    // Half of a pair: the certificate is there, its key not yet.
    let next = Authority::new();
    let (cert, key) = next.sign(&["backstop.test"], Some(2077));
    secured.write("cert.pem", &cert);
    wait_for("the broken pair to be noticed", || async {
        assert!(works_with(&secured.authority).await, "the old pair still serves");
        metric("backstop_tls_reload_failures_total 1").await
    })
    .await;
    secured.write("key.pem", &key);
    wait_for("the new pair", || async { works_with(&next).await.then_some(()) }).await;
    assert!(!works_with(&secured.authority).await);
    let expiry = chrono::NaiveDate::from_ymd_opt(2077, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let seconds = expiry.expect("a time").and_utc().timestamp();
    let line = format!("backstop_tls_certificate_expiry_timestamp_seconds {seconds}");
    assert!(metric(&line).await.is_some(), "{line}");

    secured.write("cert.pem", "no certificate");
    wait_for("the broken file to be noticed", || async {
        assert!(works_with(&next).await, "the old pair still serves");
        metric("backstop_tls_reload_failures_total 2").await
    })
    .await;
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn the_command_line_works_over_tls_with_its_own_certificate() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let trust = "tls.client_ca_file = \"ca.pem\"\ntls.ca_file = \"ca.pem\"";
    let secured = Secured::new(&api, trust);
    let with_identity = std::fs::read_to_string(&secured.site.config)
        .expect("read")
        .replace(trust, &format!("{trust}\ntls.cli_identity_file = \"identity.pem\""));
    let app = secured.site.start().await;
    let (code, _, stderr) = secured.run(&["status"]).await;
    assert!(code == 1 && stderr.contains("cli_identity_file"), "{stderr}");

    std::fs::write(&secured.site.config, with_identity).expect("written");
    let (code, stdout, stderr) = secured.run(&["status"]).await;
    assert!(code == 0 && stdout.contains("spark-trading"), "{stdout}{stderr}");
    let (code, stdout, stderr) = secured.run(&["rollback", "--reason=broken", "--output=json"]).await;
    assert_eq!((code, api.share()), (0, 0), "{stderr}");
    let view: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(view["state"], "rolled_back");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn check_config_names_each_bad_tls_file_with_place_and_remedy() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let secured = Secured::new(&api, "tls.client_ca_file = \"ca.pem\"\ntls.ca_file = \"ca.pem\"");
    assert_eq!(secured.run(&["check-config"]).await.0, 0);
    let (cert, key) = secured.authority.sign(&["backstop.test"], None);
    let (expired, expired_key) = secured.authority.sign(&["backstop.test"], Some(2001));

    for (files, code, words) in [
        (vec![("key.pem", key.as_str())], 1, vec!["server.tls.key_file", "is not the key of"]),
        (vec![("cert.pem", cert.as_str())], 0, vec!["is valid"]),
        (vec![("cert.pem", "x")], 1, vec!["server.tls.cert_file", "holds nothing", "as PEM into"]),
        (vec![("cert.pem", &cert), ("ca.pem", "")], 1, vec!["client_ca_file", "server.tls.ca_file"]),
        (
            vec![("ca.pem", &secured.authority.pem), ("cert.pem", &expired), ("key.pem", &expired_key)],
            0,
            vec!["warning: server.tls.cert_file", "has expired at 2001-01-01", "renew it"],
        ),
    ] {
        files.iter().for_each(|(name, text)| secured.write(name, text));
        let (found, stdout, _) = secured.run(&["check-config"]).await;
        assert_eq!(found, code, "{stdout}");
        for word in words {
            assert!(stdout.contains(word), "{word} in\n{stdout}");
        }
    }
    std::fs::remove_file(secured.path("key.pem")).expect("removed");
    let (code, stdout, _) = secured.run(&["check-config"]).await;
    assert!(code == 1 && stdout.contains("key.pem can't be read"), "{stdout}");
    assert!(stdout.contains("backstop.toml:7:"), "the place is named:\n{stdout}");
}
