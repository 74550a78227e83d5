//! What ramps cost while they wait: requests a minute to each system, and processor time, beside the same
//! rollouts without ramps.

use std::time::{Duration, Instant};

use crate::Plan;
use crate::counted::Counted;
use crate::flag_api::{FlagApi, SPOT_CHECK};
use crate::report::{Report, mebibytes, shown};
use crate::site::{OPERATOR, Served, Site};
use backstop::demo::monitoring::{
    AlertmanagerSettings, INSTALL_HINT, Programs, PrometheusSettings, ScrapeTarget, Server, free_port,
};

/// As many as the protocol's stages have in the middle; and one that asks the application itself.
const CRITERIA: usize = 8;

/// What one system was asked in a window.
#[derive(Debug, Clone, Copy)]
struct Cost {
    flag_reads: f64,
    prometheus: f64,
    alertmanager: f64,
    application: f64,
    processor: Duration,
    memory: u64,
}

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let count = plan.samples(100, 20);
    let window = Duration::from_secs(plan.samples(45, 15) as u64);
    let api = FlagApi::start_at(count, 0).await;
    let folder = tempfile::tempdir().expect("a folder");
    let monitoring = Monitoring::start(folder.path()).await;
    let site = site(&api, count, &monitoring);
    let served = site.serve().await;
    api.all_polled().await;
    let without = cost(&served, &api, &monitoring, window).await;
    let one = {
        served.start_ramp("r0", "v1.4.0").await;
        cost(&served, &api, &monitoring, window).await
    };
    for number in 1..count {
        served.start_ramp(&format!("r{number}"), "v1.4.0").await;
    }
    api.all_at(50).await;
    let all = cost(&served, &api, &monitoring, window).await;
    let mut table = vec![vec![
        String::new(),
        "without ramps".to_owned(),
        "1 ramp".to_owned(),
        format!("{count} ramps"),
        format!("each of {count}"),
    ]];
    let each = |of_all: f64, of_none: f64| (of_all - of_none) / count as f64;
    for (what, of) in [
        ("reads of the flag API a minute", (|cost: &Cost| cost.flag_reads) as fn(&Cost) -> f64),
        ("questions to Prometheus a minute", |cost| cost.prometheus),
        ("questions to Alertmanager a minute", |cost| cost.alertmanager),
        ("questions to the application a minute", |cost| cost.application),
    ] {
        let numbers = [of(&without), of(&one), of(&all), each(of(&all), of(&without))];
        table.push(std::iter::once(what.to_owned()).chain(numbers.map(|n| format!("{n:.1}"))).collect());
    }
    let processor = [without.processor, one.processor, all.processor];
    let of_each = (all.processor.saturating_sub(without.processor)) / u32::try_from(count).expect("few");
    let processor = processor.into_iter().chain([of_each]).map(|time| shown(time) + " a minute");
    table.push(std::iter::once("processor".to_owned()).chain(processor).collect());
    let memory = [without.memory, one.memory, all.memory].map(mebibytes);
    table.push(std::iter::once("memory".to_owned()).chain(memory).collect());
    report.table(
        &format!("What ramps cost while they wait ({CRITERIA} queries each every 15 s, and one question to the application a minute)"),
        table,
    );
}

/// The real ones.
struct Monitoring {
    prometheus: Server,
    alertmanager: Counted,
    _alertmanager: Server,
}

impl Monitoring {
    async fn start(folder: &std::path::Path) -> Self {
        let programs = Programs::find().unwrap_or_else(|| panic!("Prometheus is needed: {INSTALL_HINT}"));
        let settings = PrometheusSettings {
            targets: vec![ScrapeTarget {
                job: "nobody".to_owned(),
                // Nobody is there: `up` is 0, which is a value, too, so every criterion has something to look at.
                address: free_port().expect("a port"),
                path: "/metrics".to_owned(),
                labels: Vec::new(),
            }],
            rule_files: Vec::new(),
            alertmanagers: Vec::new(),
            interval: Duration::from_secs(5),
            resend_delay: Duration::from_secs(60),
            alert_relabel_configs: Vec::new(),
        };
        let prometheus = programs.prometheus(folder, &settings).await.expect("Prometheus");
        let settings = AlertmanagerSettings {
            // It has no alert to post.
            webhook_url: "http://127.0.0.1:9/".to_owned(),
            token_file: None,
            basic_auth: None,
            group_interval: Duration::from_secs(60),
            repeat_interval: Duration::from_secs(3_600),
            cluster: None,
        };
        let alertmanager = programs.alertmanager(folder, &settings).await.expect("Alertmanager");
        let counted = Counted::before(alertmanager.url()).await;
        Self { prometheus, alertmanager: counted, _alertmanager: alertmanager }
    }
}

fn site(api: &FlagApi, count: usize, monitoring: &Monitoring) -> Site {
    let mut text = format!(
        "auth.operator_token_files = [\"operator\"]\n[alertmanager]\nurls = [\"http://{}\"]\npoll_interval = \"15s\"\n\
         [prometheus]\nurl = \"{}\"\n",
        monitoring.alertmanager.address,
        monitoring.prometheus.url()
    );
    for number in 0..count {
        let url = format!("http://{}/flag/{number}", api.address);
        text += &format!(
            "[[rollouts]]\nname = \"r{number}\"\nrevision = \"v1.4.0\"\nmatch = {{ rollout = \"r{number}\" }}\n\
             [rollouts.traffic]\nkind = \"feature-flag\"\nurl = \"{url}\"\nread_url = \"{url}\"\nfeature = \"v1.4.0\"\n\
             [rollouts.ramp]\nstages = [50, 100]\nstage_duration = \"1h\"\ncriteria_files = [\"criteria.toml\"]\n"
        );
    }
    let site = Site::of(&text);
    let criteria: String = (0..CRITERIA)
        .map(|number| {
            format!(
                "[[criteria]]\nname = \"c{number}\"\nquery = \"sum(up) + {number} * 0\"\nat_most = 1\nwindow = \"1s\"\n"
            )
        })
        .collect();
    let spot_check = format!(
        "[[criteria]]\nname = \"spot-check\"\nkind = \"http\"\nurl = \"http://{}{SPOT_CHECK}\"\n",
        api.address
    );
    let criteria = criteria + &spot_check;
    std::fs::write(site.folder.path().join("criteria.toml"), criteria).expect("written");
    std::fs::write(site.folder.path().join("operator"), OPERATOR).expect("written");
    site
}

/// What is spent in a window, as a minute.
async fn cost(served: &Served, api: &FlagApi, monitoring: &Monitoring, window: Duration) -> Cost {
    let asked_before = asked(api, monitoring).await;
    let (processor, began) = (served.processor(), Instant::now());
    tokio::time::sleep(window).await;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let asked_now = asked(api, monitoring).await;
    let [flag_reads, prometheus, alertmanager, application] =
        std::array::from_fn(|system| (asked_now[system] - asked_before[system]) / minutes);
    Cost {
        flag_reads,
        prometheus,
        alertmanager,
        application,
        processor: (served.processor() - processor).div_f64(minutes),
        memory: served.memory("VmRSS"),
    }
}

/// What the flag API, Prometheus, Alertmanager and the application were asked so far.
async fn asked(api: &FlagApi, monitoring: &Monitoring) -> [f64; 4] {
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let [reads, alerts, spot_checks] =
        [api.reads(), monitoring.alertmanager.questions(), api.spot_checks()].map(|count| count as f64);
    [reads, answered(&monitoring.prometheus).await, alerts, spot_checks]
}

/// Questions that Prometheus has answered, by its own count.
async fn answered(prometheus: &Server) -> f64 {
    let text = reqwest::get(format!("{}/metrics", prometheus.url())).await.expect("an answer");
    let text = text.text().await.expect("text");
    let counted = text.lines().filter(|line| {
        line.starts_with("prometheus_http_requests_total{") && line.contains("handler=\"/api/v1/query")
    });
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
