use std::collections::BTreeMap;
use std::path::Path as FilePath;

use async_trait::async_trait;

use super::*;
use crate::config::Config;
use crate::finding::Severity;
use crate::incident::{CriterionName, HttpCheck, OnFail, RangeQuery};
use crate::ramp::{Answer, Asked, Metric, Needs, RangeAnswer};

const FLAG: &str = "[[rollouts]]\nname = \"spark-trading\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }\n";

fn check() -> Check<'static> {
    Check::new(Area::Ramp, "spark-trading", "criteria")
}

fn criterion(question: Question) -> Criterion {
    Criterion {
        name: CriterionName::new("own"),
        title: "Own".to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question,
    }
}

fn query() -> Criterion {
    let query = RangeQuery {
        expression: "max(x)".to_owned(),
        bound: crate::incident::Bound::Below(1.0),
        unit: crate::incident::Unit::Count,
        window_seconds: 0,
        since_stage_began: false,
        samples: None,
        min_samples: 0,
    };
    criterion(Question::Query(query))
}

fn judgement(verdict: GateVerdict, reason: GateReason) -> Judgement {
    Judgement {
        criterion: CriterionName::new("own"),
        verdict,
        reason,
        value: None,
        detail: "what was seen".to_owned(),
        judged_at: SystemClock.now(),
    }
}

#[test]
fn what_keeps_a_criterion_from_being_judged_is_a_warning_and_what_comes_with_a_canary_a_note() {
    use GateVerdict::{Fail, Pass, Unknown};
    let http = criterion(Question::Http(HttpCheck {
        url: "http://127.0.0.1:1/".to_owned(),
        status: 200,
        pointer: None,
        expected: None,
        every_seconds: 60,
    }));
    for (criterion, verdict, reason, severity, words) in [
        (query(), Pass, GateReason::Within, None, ""),
        (
            query(),
            Fail,
            GateReason::OutsideNow,
            Some(Severity::Note),
            "would hold a ramp now: what was seen.",
        ),
        (query(), Unknown, GateReason::NoData, Some(Severity::Note), "right while no canary has run"),
        (query(), Unknown, GateReason::TooFewSamples, Some(Severity::Note), "can't be judged now"),
        (query(), Unknown, GateReason::NoAnswer, Some(Severity::Warning), "can't be judged: what was seen."),
        (query(), Unknown, GateReason::SeveralSeries, Some(Severity::Warning), "can't be judged"),
        (http.clone(), Unknown, GateReason::NoData, Some(Severity::Warning), "can't be judged"),
        (http, Unknown, GateReason::NoAnswer, Some(Severity::Warning), "can't be judged"),
    ] {
        let found = judged(check(), &criterion, &judgement(verdict, reason));
        assert_eq!(found.as_ref().map(|found| found.severity), severity, "{reason:?}");
        assert!(found.as_ref().is_none_or(|found| found.message.contains(words)), "{found:?}");
        let is_a_way_out = |found: &Finding| {
            found.remedy.as_ref().is_some_and(|remedy| remedy.contains("name = \"own\" and enabled = false"))
        };
        assert!(found.is_none_or(|found| found.severity != Severity::Warning || is_a_way_out(&found)));
    }
}

#[test]
fn a_metric_that_is_missing_stops_every_ramp_and_a_counter_that_may_be_misspelt_is_said() {
    let of_all = |name: &str| Metric { whose: String::new(), name: name.to_owned() };
    let metric = |name: &str| Needs::Metric(of_all(name));
    let counter = Needs::Any(vec![metric("errors_total"), metric("up")]);
    let of = |needs: Option<Needs>| StagedCriterion {
        criterion: query(),
        stages: Vec::new(),
        metric_from: None,
        needs,
        statistic: None,
    };
    let known = BTreeSet::from([of_all("up")]);
    for (needs, known, severity, words) in [
        (Some(metric("up")), Some(&known), None, ""),
        (None, Some(&known), None, ""),
        (Some(metric("gauge")), None, None, ""),
        (Some(metric("gauge")), Some(&known), Some(Severity::Warning), "Prometheus has no gauge."),
        (Some(counter), Some(&known), Some(Severity::Note), "no errors_total. That is as it should be"),
    ] {
        let found = judged_metrics(check(), &of(needs), known);
        assert_eq!(found.as_ref().map(|found| found.severity), severity, "{found:?}");
        assert!(found.is_none_or(|found| found.message.contains(words)));
    }
}

#[test]
fn a_program_that_is_not_there_is_a_warning_and_a_variable_that_is_not_set_a_note() {
    let command = |argv: &str, environment: &[&str]| CommandCheck {
        argv: vec![argv.to_owned()],
        directory: None,
        environment: environment.iter().map(|name| (*name).to_owned()).collect(),
        variables: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        timeout_seconds: 1,
        every_seconds: 60,
        file: None,
    };
    for (check_of, severity, words) in [
        (command("sh", &[]), None, ""),
        (command("no-such-program", &[]), Some(Severity::Warning), "there is no program no-such-program in"),
        (
            command("sh", &["BACKSTOP_HAS_NO_SUCH_VARIABLE"]),
            Some(Severity::Note),
            "BACKSTOP_HAS_NO_SUCH_VARIABLE",
        ),
    ] {
        let found = judged_program(check(), &criterion(Question::Command(check_of.clone())), &check_of);
        assert_eq!(found.as_ref().map(|found| found.severity), severity, "{found:?}");
        assert!(found.is_none_or(|found| found.message.contains(words)));
    }
}

/// Answers every query with one value over the whole span, and says what it was asked.
#[derive(Debug)]
struct Always(f64);

#[async_trait]
impl Judge for Always {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        let Question::Query(query) = &criterion.question else { panic!("{criterion:?} was asked") };
        let grid = span.grid(query).expect("old enough");
        #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
        let point =
            |number: usize| ((grid.start + grid.step * i64::try_from(number).expect("few")) as f64, self.0);
        let points = (0..grid.points()).map(point).collect();
        let series = vec![crate::ramp::Series { labels: BTreeMap::new(), points }];
        Asked::bare(Answer::Range(RangeAnswer { series, samples: Some(1e6), error: None }))
    }
}

#[tokio::test]
async fn every_criterion_is_asked_over_the_last_stages_time_but_what_names_the_revision_or_runs() {
    let toml = format!(
        "{FLAG}ramp.criteria_files = []\nramp.last_stage_duration = \"40m\"\n\
         [[rollouts.ramp.criteria]]\nname = \"a\"\nquery = \"max(x)\"\nbelow = 5\n\
         [[rollouts.ramp.criteria]]\nname = \"b\"\nquery = \"max(x)\"\nbelow = 1\n\
         [[rollouts.ramp.criteria]]\nname = \"c\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/{{revision}}\"\n\
         [[rollouts.ramp.criteria]]\nname = \"d\"\nkind = \"command\"\nargv = [\"/bin/sh\", \"{{revision}}\"]\n\
         [[rollouts.ramp.criteria]]\nname = \"e\"\nkind = \"approval\"\n\
         [[rollouts.ramp.criteria]]\nname = \"f\"\ntitle = \"Off\"\nkind = \"approval\"\nenabled = false\n"
    );
    let config = Config::parse(&toml, FilePath::new("/etc/backstop/backstop.toml")).expect("valid");
    let rollout = &config.rollouts[0];
    let span = &made_up_span(rollout);
    assert_eq!(span.duration_seconds, 2_400);
    let criteria = rollout.ramp.criteria.load(rollout).expect("valid");
    let judge: Arc<dyn Judge> = Arc::new(Always(2.0));
    let look_at = |known| looked(check(), &criteria, &judge, span, known);
    let found = look_at(Ok(BTreeSet::from([Metric { whose: String::new(), name: "x".to_owned() }]))).await;
    let said: Vec<_> = found.iter().map(|one| (one.severity, one.message.as_str())).collect();
    assert_eq!(said.len(), 4, "{said:#?}");
    assert_eq!(said[0].0, Severity::Note);
    assert!(said[0].1.starts_with("b: it would hold a ramp now"), "{said:#?}");
    assert!(said[1].1.starts_with("c: it names the revision"), "{said:#?}");
    assert_eq!(said[2], (Severity::Fine, "3 of 5 criteria are as they should be."));
    assert_eq!(said[3], (Severity::Note, "Not judged, since they are off: Off."));
    let silent = look_at(Err("Prometheus can't be asked: nobody".to_owned())).await;
    let said: Vec<_> = silent.iter().map(|one| (one.severity, one.message.as_str())).collect();
    let why = "No ramp can start: Prometheus can't be asked: nobody, and 2 criteria ask it.";
    assert_eq!(said[0], (Severity::Warning, why), "once for both");
    assert_eq!(said[2], (Severity::Fine, "2 of 5 criteria are as they should be."));
    let unasked = look(rollout, None, None).await;
    assert_eq!((unasked.len(), unasked[0].severity), (1, Severity::Warning));
}
