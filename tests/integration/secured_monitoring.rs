//! A real Alertmanager and Prometheus that let in only who presents a certificate and a password.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use backstop::clock::{Clock, SystemClock};
use backstop::config::Config;
use backstop::demo::trading_api::TradingApi;
use backstop::outbound::Connections;
use backstop::signals::{AlertSource, Alertmanager, Prometheus, RuleSource};
use reqwest::Url;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::support::{MATCH, PATIENCE, Site, own_port, prepare, rollout_toml, wait_for};
use crate::tls::Authority;

/// bcrypt of [`PASSWORD`], at the lowest cost that is allowed.
const PASSWORD_HASH: &str = "$2b$04$hNf2lSsxfm0.i4a.1kVpSOLmPi9e3UQrIWaUGHlQHkf26vSDHZcnm";
const PASSWORD: &str = "tenants-password";

/// The keys of a system to which Backstop authenticates.
const CONVINCED: &str = "basic_auth = { username = \"backstop\", password_file = \"password\" }
ca_file = \"ca.pem\"
client_cert_file = \"client.pem\"
client_key_file = \"client-key.pem\"
headers = { \"X-Scope-OrgID\" = \"team-a\" }
";

/// A running program; it is killed when dropped.
struct Secured {
    _child: Child,
    address: SocketAddr,
}

impl Secured {
    fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

/// Writes the certificates, the password and the programs' side of both into the folder.
fn write_secrets(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    let authority = Authority::new();
    write("ca.pem", &authority.pem);
    for (name, names) in [("server", ["127.0.0.1"]), ("client", ["backstop"])] {
        let (cert, key) = authority.sign(&names, None);
        write(&format!("{name}.pem"), &cert);
        write(&format!("{name}-key.pem"), &key);
    }
    write("password", PASSWORD);
    let web = "tls_server_config:
  cert_file: server.pem
  key_file: server-key.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
basic_auth_users:
  backstop: HASH
";
    write("web.yml", &web.replace("HASH", PASSWORD_HASH));
}

async fn start(folder: &Path, programs: [&str; 2], arguments: &[&str]) -> Secured {
    let address = own_port();
    for program in programs {
        let mut command = Command::new(program);
        command.current_dir(folder).args(arguments).arg("--web.config.file=web.yml");
        command.arg(format!("--web.listen-address={address}")).stdin(Stdio::null());
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn() else {
            continue;
        };
        wait_for(program, || async { tokio::net::TcpStream::connect(address).await.ok() }).await;
        return Secured { _child: child, address };
    }
    panic!("{} is needed: {}", programs[0], backstop::demo::monitoring::INSTALL_HINT);
}

async fn start_alertmanager(folder: &Path, webhook: &str) -> Secured {
    let config = format!(
        "route: {{ receiver: backstop, group_by: ['...'], group_wait: 0s, group_interval: 1s }}
receivers:
- name: backstop
  webhook_configs:
  - {{ url: '{webhook}', http_config: {{ authorization: {{ credentials: hook-token }} }} }}
"
    );
    std::fs::write(folder.join("am.yml"), config).expect("written");
    let arguments = ["--config.file=am.yml", "--storage.path=am", "--cluster.listen-address="];
    start(folder, ["alertmanager", "prometheus-alertmanager"], &arguments).await
}

async fn start_prometheus(folder: &Path) -> Secured {
    std::fs::write(folder.join("prom.yml"), "global: { evaluation_interval: 1s }\n").expect("written");
    start(folder, ["prometheus", "prometheus"], &["--config.file=prom.yml", "--storage.tsdb.path=prom"]).await
}

/// What both say to a Backstop whose systems have these keys: nothing, or why they can't be read.
async fn asked(folder: &Path, keys: &str, alertmanager: &Secured, prometheus: &Secured) -> [String; 2] {
    let text = format!(
        "[alertmanager]\nurls = [\"{}\"]\n{keys}[prometheus]\nurl = \"{}\"\n{keys}\
         [[rollouts]]\nname = \"x\"\ntraffic = {{ kind = \"feature-flag\", url = \"http://127.0.0.1:1\", feature = \"f\" }}\n",
        alertmanager.url(),
        prometheus.url(),
    );
    let config = Config::parse(&text, &folder.join("backstop.toml")).expect("a valid configuration");
    config.look_at_secrets();
    let (mut connections, now) = (Connections::default(), SystemClock.now());
    let to_alertmanager = connections.to(&config.alertmanager.access, PATIENCE).expect("a client");
    let to_prometheus = connections.to(&config.prometheus.access, PATIENCE).expect("a client");
    let alertmanager = Alertmanager::new(to_alertmanager, config.alertmanager.urls[0].clone());
    let listing = alertmanager.list(&Default::default(), &config.alertmanager.watchdog, now).await;
    let prometheus = Prometheus::new(to_prometheus, config.prometheus.url.expect("a URL"));
    let clock = prometheus.clock().await;
    [
        listing.err().map(|error| error.to_string()).unwrap_or_default(),
        clock.err().map(|error| error.to_string()).unwrap_or_default(),
    ]
}

#[tokio::test]
async fn real_monitoring_answers_who_is_trusted_and_each_lack_is_named() {
    prepare();
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write_secrets(folder);
    let (alertmanager, prometheus) =
        tokio::join!(start_alertmanager(folder, "http://127.0.0.1:1"), start_prometheus(folder));
    std::fs::write(folder.join("wrong-password"), "not-it").expect("written");
    wait_for("both to be ready", || async {
        let answers = asked(folder, CONVINCED, &alertmanager, &prometheus).await;
        (answers == ["", ""]).then_some(())
    })
    .await;
    let without = |line: &str| {
        let kept: Vec<_> = CONVINCED.lines().filter(|kept| !kept.starts_with(line)).collect();
        kept.join("\n") + "\n"
    };
    for (keys, lack) in [
        (CONVINCED.replace("\"password\"", "\"wrong-password\""), "status 401"),
        (CONVINCED.replace("\"password\"", "\"no-such-file\""), "no-such-file can't be read"),
        (without("basic_auth"), "status 401"),
        (without("ca_file"), "certificate"),
        // A server that misses the client's certificate only hangs up, at times with a word.
        (without("client_"), "sent, but no answer"),
    ] {
        for answer in asked(folder, &keys, &alertmanager, &prometheus).await {
            assert!(answer.contains(lack), "{lack} is not in {answer:?} with\n{keys}");
        }
    }
}

#[tokio::test]
async fn a_grace_is_confirmed_at_an_alertmanager_behind_a_password_and_certificates() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::new("#monitoring", &rollout_toml("spark-trading", MATCH, "3s", &api));
    let folder = site.folder.path();
    write_secrets(folder);
    let alertmanager = start_alertmanager(folder, &site.url("/api/v1/alertmanager")).await;
    let section =
        format!("[alertmanager]\nurls = [\"{}\"]\npoll_interval = \"1s\"\n{CONVINCED}", alertmanager.url());
    site.edit("#monitoring", &section);
    let app = site.start().await;

    let read = |name: &str| std::fs::read(folder.join(name)).expect("read");
    let identity = [read("client.pem"), read("client-key.pem")].concat();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&read("ca.pem")).expect("a certificate")])
        .identity(reqwest::Identity::from_pem(&identity).expect("an identity"))
        .build()
        .expect("a client");
    let labels = json!({ "alertname": "CanaryErrorRateWarning", "severity": "warning",
                         "rollout": "spark-trading", "canary_rollback": "true" });
    let url: Url = format!("{}/api/v2/alerts", alertmanager.url()).parse().expect("a URL");
    let post = client.post(url).basic_auth("backstop", Some(PASSWORD)).json(&json!([{ "labels": labels }]));
    assert!(post.send().await.expect("an answer").status().is_success());

    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((done.reason.as_str(), api.share()), ("still_firing", 0), "{done:?}");
    app.shutdown().await.expect("drained");
}
