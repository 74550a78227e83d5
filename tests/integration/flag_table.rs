//! Every way in which the flag API lets Backstop down, all at the same time, each mended once its
//! first failure is seen.

use std::net::SocketAddr;
use std::time::Duration;

use backstop::demo::trading_api::{Fault, TradingApi};
use backstop::incident::{Attempt, Share, StepOutcome};
use backstop::web::IncidentView;

use crate::support::alerting::matching;
use crate::support::{Site, body, now, own_port, rollout_toml_at, wait_for};

/// When a case is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mended {
    /// Never: it needs no mending.
    Never,
    /// At the second request: the first has failed by then.
    AtSecondRequest,
    /// Once the incident is reported as failed.
    OnceFailed,
}

struct Case {
    name: &'static str,
    /// How the API sets and reads; `None`: nothing listens there.
    faults: Option<(Fault, Fault)>,
    mended: Mended,
    /// What the first attempt is recorded as, with the status; `None`: it may be either.
    first: Option<(StepOutcome, Option<u16>)>,
}

fn cases() -> Vec<Case> {
    use Mended::{AtSecondRequest, Never, OnceFailed};
    use StepOutcome::{Done, DoneUnread, Failed, NotEffective, Unknown};
    let long = Duration::from_secs(20);
    let case = |name, on_set, on_read, mended, outcome, status| Case {
        name,
        faults: Some((on_set, on_read)),
        mended,
        first: Some((outcome, status)),
    };
    let fine = Fault::None;
    vec![
        Case { name: "down", faults: None, mended: OnceFailed, first: Some((Failed, None)) },
        case("slow", Fault::Hangs(long), fine, AtSecondRequest, Unknown, None),
        Case {
            name: "late",
            faults: Some((Fault::AppliesLate(Duration::from_millis(1_300)), fine)),
            mended: Never,
            first: None,
        },
        case("error", Fault::Status(500), fine, AtSecondRequest, Failed, Some(500)),
        case("throttled", Fault::Status(429), fine, AtSecondRequest, Failed, Some(429)),
        case("gateway", Fault::Status(504), fine, AtSecondRequest, Unknown, Some(504)),
        case("refused", Fault::Status(404), fine, OnceFailed, Failed, Some(404)),
        case("redirected", Fault::Status(302), fine, OnceFailed, Failed, Some(302)),
        case("applies-and-hangs", Fault::AppliesThenHangs(long), fine, Never, Done, None),
        case("nonsense", Fault::Nonsense, fine, AtSecondRequest, NotEffective, Some(200)),
        case("lies", Fault::Lies, fine, AtSecondRequest, NotEffective, Some(200)),
        case("lies-unread", Fault::Lies, Fault::Nonsense, OnceFailed, DoneUnread, Some(200)),
        case("unreadable", fine, Fault::Status(500), OnceFailed, DoneUnread, Some(200)),
        case("all-down", Fault::Status(503), Fault::Hangs(long), AtSecondRequest, Failed, Some(503)),
    ]
}

/// One case under way.
struct Running {
    case: Case,
    address: SocketAddr,
    api: Option<TradingApi>,
}

impl Running {
    async fn new(case: Case) -> Self {
        let address = own_port();
        let api = match case.faults {
            None => None,
            Some((on_set, on_read)) => {
                let api = TradingApi::start_at(address, 25, 10).await.expect("started");
                api.fault(on_set, on_read);
                Some(api)
            }
        };
        Self { case, address, api }
    }

    fn rollout(&self) -> String {
        let base = format!("http://{}", self.address);
        rollout_toml_at(self.case.name, &matching(self.case.name), "5m", &base)
    }

    async fn mend(&mut self, incident: Option<&IncidentView>) {
        let failed = incident.is_some_and(|incident| incident.state == "failed");
        match (&self.api, self.case.mended) {
            (None, _) if failed => {
                self.api = Some(TradingApi::start_at(self.address, 25, 10).await.expect("started"));
            }
            (Some(api), Mended::OnceFailed) if failed => api.fault(Fault::None, Fault::None),
            (Some(api), Mended::AtSecondRequest) if api.sets().len() >= 2 => {
                api.fault(Fault::None, Fault::None);
            }
            _ => {}
        }
    }

    /// Reads are made before this is asked, so that a share of 0 % was there when it was said.
    fn is_truthful(&self, incident: &IncidentView) {
        let share = self.api.as_ref().map_or(25, TradingApi::share);
        let name = self.case.name;
        assert!(incident.state != "rolled_back" || share == 0, "{name}: rolled back at {share} %");
    }

    fn ended_well(&self, incident: &IncidentView) {
        let name = self.case.name;
        let api = self.api.as_ref().expect("it was mended");
        let attempts: Vec<&Attempt> = incident.steps.iter().flat_map(|step| &step.attempts).collect();
        let context = format!("{name}: {attempts:#?}");
        assert_eq!((api.share(), api.changes().as_slice()), (0, [(25, 0)].as_slice()), "{context}");
        if let Some((outcome, status)) = self.case.first {
            assert_eq!((attempts[0].outcome, attempts[0].answer.status), (outcome, status), "{context}");
        }
        for attempt in &attempts {
            let read_as_zero = attempt.read_back == Some(Share::ZERO);
            assert_eq!(attempt.outcome == StepOutcome::Done, read_as_zero, "{context}");
            assert!(attempt.request.contains("\"percentage\":0"), "{context}");
        }
        assert_eq!(attempts.last().map(|last| last.outcome), Some(StepOutcome::Done), "{context}");
        if self.case.faults.is_some() {
            assert_eq!(attempts.len(), api.sets().len(), "every request is told, and no other; {context}");
        }
        if self.case.mended == Mended::OnceFailed {
            assert!(incident.notifications.iter().any(|told| told.kind == "rollback_failed"), "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_flag_api_does_the_canary_ends_at_0_percent_and_nothing_is_said_before() {
    let mut running = Vec::new();
    for case in cases() {
        running.push(Running::new(case).await);
    }
    let rollouts: String = running.iter().map(Running::rollout).collect();
    let site = Site::new("[alertmanager]\npoll_interval = \"1s\"", &rollouts);
    let app = site.start().await;
    for running in &running {
        let namespace = format!("\"namespace\":\"{}\",\"rollout\"", running.case.name);
        let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
        assert_eq!(site.post(critical.replace("\"rollout\"", &namespace)).await, 200);
    }
    let running = tokio::sync::Mutex::new(running);
    wait_for("every case to end", || async {
        let incidents = site.incidents().await;
        let mut ended = 0;
        let mut running = running.lock().await;
        for running in running.iter_mut() {
            let incident = incidents.iter().find(|incident| incident.rollout == running.case.name);
            running.mend(incident).await;
            if let Some(incident) = incident {
                running.is_truthful(incident);
                ended += usize::from(incident.state == "rolled_back");
            }
        }
        (ended == running.len()).then_some(())
    })
    .await;
    let incidents = site.incidents().await;
    for running in running.lock().await.iter() {
        let of_case: Vec<_> = incidents.iter().filter(|i| i.rollout == running.case.name).collect();
        assert_eq!(of_case.len(), 1, "{}", running.case.name);
        running.ended_well(of_case[0]);
    }
    app.shutdown().await.expect("drained");
}
