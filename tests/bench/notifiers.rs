//! A critical webhook to the flag's POST acknowledged while every channel to people hangs for ever,
//! against the same without any channel: promise 3 of the design, as a ratio.

use std::time::{Duration, Instant};

use backstop::demo::people::Answer;
use backstop::demo::people::People;
use backstop::demo::people::pagerduty::ROUTING_KEY;
use backstop::demo::people::slack::BOT_TOKEN;
use backstop::demo::people::statuspage::{API_KEY, PAGE};

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::report::{Report, Times};
use crate::site::{Site, WEBHOOK, single};
use crate::webhook::WARM_UP;
use crate::wire::Wire;

/// The pause before each sample of either: a critical comes to a resting machine.
const REST: Duration = Duration::from_millis(20);

/// One of the two: its flags, its server, the way in.
struct Side {
    api: FlagApi,
    wire: Wire,
    times: Times,
    _served: crate::site::Served,
    _site: Site,
}

impl Side {
    async fn start(samples: usize, people: Option<&People>) -> Self {
        let api = FlagApi::start(samples + 1).await;
        let site = Site::new(&api, samples + 1);
        if let Some(people) = people {
            site.add(
                &sections(people),
                &[
                    ("slack", BOT_TOKEN),
                    ("pagerduty", ROUTING_KEY),
                    ("page", API_KEY),
                    ("signing", "signing-secret-of-the-benchmark"),
                ],
            );
        }
        let served = site.serve().await;
        api.all_polled().await;
        let mut wire = served.connect().await;
        for number in 0..WARM_UP {
            let body = single(&format!("r{samples}"), "warning", number);
            assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
        }
        Self { api, wire, times: Times::new(), _served: served, _site: site }
    }

    async fn sample(&mut self, number: usize) {
        let body = single(&format!("r{number}"), "critical", number);
        let began = Instant::now();
        assert_eq!(self.wire.post(WEBHOOK, &body).await.0, 200);
        let (_, acknowledged_by) = self.api.rolled_back(number).await;
        self.times.add(acknowledged_by - began);
    }
}

fn sections(people: &People) -> String {
    let (slack, base, webhook) = (people.url("/slack/api"), people.url(""), people.url("/webhook/x"));
    format!(
        "[slack]\ntoken_file = \"slack\"\napi_url = \"{slack}\"\n\
         [pagerduty]\nrouting_key_file = \"pagerduty\"\nurl = \"{base}\"\n\
         [status_page]\nurl = \"{base}\"\npage_id = \"{PAGE}\"\nservice = \"Trading\"\nbearer_token_file = \"page\"\n\
         [webhook]\nurl = \"{webhook}\"\nsecret_file = \"signing\"\n"
    )
}

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let samples = plan.samples(100, 10);
    let people = People::start().await.expect("a free port");
    people.always("*", Answer::hang());
    let mut silent = Side::start(samples, None).await;
    let mut hanging = Side::start(samples, Some(&people)).await;
    for number in 0..samples {
        for side in [&mut silent, &mut hanging] {
            side.sample(number).await;
            // The next one finds a process that has recorded this one, whoever still hangs.
            tokio::time::sleep(10 * REST).await;
        }
    }
    assert!(people.calls().len() >= samples, "the channels were never called");
    let what = "critical -> POST acknowledged with every channel hanging";
    report.ratio(
        &format!("{what}, p50 (floor: without channels)"),
        silent.times.p50(),
        hanging.times.p50(),
        Some(1.1),
    );
    report.ratio(&format!("{what}, p99"), silent.times.p99(), hanging.times.p99(), Some(1.5));
}
