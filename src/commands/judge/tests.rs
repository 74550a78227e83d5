use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::*;
use crate::clock::{SteppedClock, SystemClock};
use crate::commands::{MAX_AT_ONCE, MAX_OUTPUT_BYTES};
use crate::incident::{CriterionName, GateReason, GateVerdict, OnFail};
use crate::ramp::judge_answer;

/// A configuration that has every command, or none.
#[derive(Debug)]
struct Has(bool);

impl Configured for Has {
    fn has(&self, _: &Criterion) -> bool {
        self.0
    }
}

fn judge(has: bool) -> CommandJudge {
    CommandJudge {
        commands: Commands::default(),
        configured: Arc::new(Has(has)),
        clock: Arc::new(SystemClock),
    }
}

fn criterion(script: &str) -> Criterion {
    Criterion {
        name: CriterionName::new("contract-spot-checks"),
        title: "Contract test spot checks PASS".to_owned(),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question: Question::Command(CommandCheck {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            directory: None,
            environment: vec!["PATH".to_owned()],
            variables: BTreeMap::new(),
            timeout_seconds: 1,
            every_seconds: 60,
            file: Some("contract_spot_stage_25.txt".to_owned()),
        }),
    }
}

fn span() -> StageSpan {
    let now = SystemClock.now();
    StageSpan::new(now - TimeDelta::minutes(15), now, 900)
}

#[tokio::test]
async fn a_programs_end_is_its_verdict_and_what_it_said_is_evidence() {
    for (script, verdict, reason, detail, kept) in [
        (
            "echo 12 passed",
            GateVerdict::Pass,
            GateReason::Within,
            "it ended with 0: 12 passed",
            "12 passed\n",
        ),
        (
            "echo 1 failed >&2; echo; exit 1",
            GateVerdict::Fail,
            GateReason::CommandFailed,
            "it ended with 1: 1 failed",
            "1 failed\n\n",
        ),
        (
            "exit 2",
            GateVerdict::Unknown,
            GateReason::CommandUnclear,
            "it ended with 2, which says neither yes nor no",
            "",
        ),
        (
            "echo slow; sleep 1000",
            GateVerdict::Unknown,
            GateReason::CommandUnclear,
            "it was ended after 1s, its time limit: slow",
            "slow\n",
        ),
    ] {
        let criterion = criterion(script);
        let Asked { answer, kept: file } = judge(true).ask(&criterion, &span()).await;
        let judgement = judge_answer(&answer, &criterion, &span());
        assert_eq!((judgement.verdict, judgement.reason), (verdict, reason), "{script}: {answer:?}");
        assert_eq!(judgement.detail, detail);
        let file = file.expect("kept");
        assert_eq!(
            (file.name.as_str(), file.bytes.as_slice()),
            ("contract_spot_stage_25.txt", kept.as_bytes())
        );
    }
}

#[tokio::test]
async fn a_program_was_asked_when_it_began_and_not_when_it_came_to_wait_for_room() {
    let start = SystemClock.now();
    let clock = Arc::new(SteppedClock::starting_at(start));
    let judge = CommandJudge { clock: clock.clone(), ..judge(true) };
    let others = judge.commands.slots.clone();
    let room = others.acquire_many(u32::try_from(MAX_AT_ONCE).expect("few")).await.expect("room");
    let criterion = criterion("true");
    let span = span();
    let mut asking = std::pin::pin!(judge.ask(&criterion, &span));
    tokio::select! {
        biased;
        asked = &mut asking => panic!("there was no room: {asked:?}"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    let waited = TimeDelta::minutes(20);
    clock.step(waited);
    drop(room);
    assert!(asking.await.answer.asked_at().is_some_and(|asked_at| asked_at >= start + waited));
}

#[tokio::test]
async fn of_a_long_output_the_evidence_says_how_much_is_missing() {
    let script = format!("head -c {} /dev/zero", MAX_OUTPUT_BYTES + 17);
    let asked = judge(true).ask(&criterion(&script), &span()).await;
    assert!(asked.kept.expect("kept").bytes.ends_with(b"\0\n[17 bytes more were said, and not kept]\n"));
}

#[tokio::test]
async fn a_command_that_is_in_a_stored_plan_and_in_no_configuration_is_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ran");
    let criterion = criterion(&format!("touch {}", file.display()));
    let asked = judge(false).ask(&criterion, &span()).await;
    let judgement = judge_answer(&asked.answer, &criterion, &span());
    assert_eq!(judgement.verdict, GateVerdict::Unknown);
    assert!(judgement.detail.contains("no such command any more"), "{}", judgement.detail);
    assert!(!file.exists() && asked.kept.is_none());
}
