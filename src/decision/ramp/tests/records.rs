//! What people are told of a ramp's records.

use super::scene::{Scene, plan};
use crate::decision::Input;
use crate::incident::{
    Event, EvidenceFile, GateVerdict, NoticeFact, RampFact, RampId, RampPlan, RampSaid, Share,
};

impl Scene {
    fn record_is_written(&mut self, stage: Option<usize>, problems: &[&str]) {
        let ramp = self.ramp().id.clone();
        self.record_of(ramp, stage, problems);
    }

    fn record_of(&mut self, ramp: RampId, stage: Option<usize>, problems: &[&str]) {
        let name = "gates_stage_1.json".to_owned();
        let files = vec![EvidenceFile { name, sha256: "0".repeat(64), directory: None }];
        let problems = problems.iter().map(|&problem| problem.to_owned()).collect();
        self.world.send(&Input::RampEvidenceWritten { ramp, stage, files, problems });
    }

    /// The stage and problems of each notice of a record, and the share that it names.
    fn told_of_records(&self) -> Vec<(Option<usize>, String, Share)> {
        let facts = self.world.journal.iter().filter_map(|stored| match &stored.event {
            Event::NoticeRaised { fact: Some(fact), .. } => Some(fact.as_ref()),
            _ => None,
        });
        let told = facts.filter_map(|fact| match fact {
            NoticeFact::Ramp(RampFact {
                said: RampSaid::RecordProblem { stage, problems }, share, ..
            }) => Some((*stage, problems.clone(), *share)),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn a_records_problem_is_told_once_of_its_own_stage_however_often_it_is_reported() {
    let mut scene = Scene::running();
    scene.stage_passes();
    scene.share_is_set();
    scene.record_is_written(Some(0), &["stage_1.png is missing: late", "a lock is gone"]);
    let mut told = vec![(Some(0), "stage_1.png is missing: late; a lock is gone".to_owned(), Share(1))];
    assert_eq!(scene.told_of_records(), told, "while another stage runs");
    // As by a process that was killed before it knew that this was stored.
    scene.record_is_written(Some(0), &["stage_1.png is missing: refused"]);
    scene.wait(60);
    assert_eq!(scene.told_of_records(), told);

    scene.stage_passes();
    scene.record_is_written(Some(1), &["no metrics"]);
    told.push((Some(1), "no metrics".to_owned(), Share(25)));
    assert_eq!(scene.told_of_records(), told);
    assert_eq!(scene.ramp().evidence_problems, Vec::<String>::new());
}

#[test]
fn a_record_without_a_problem_of_another_ramp_or_of_no_stage_tells_nobody() {
    let mut scene = Scene::running();
    scene.stage_passes();
    scene.record_is_written(Some(0), &[]);
    scene.record_of(RampId::new("r-ramp-of-last-week"), Some(0), &["no metrics"]);
    scene.record_is_written(Some(9), &["no metrics"]);
    assert_eq!(scene.told_of_records(), []);
}

#[test]
fn a_problem_of_the_record_of_the_whole_is_told_after_the_ramps_end() {
    let mut scene = Scene::finishing();
    scene.evidence_is_written();
    assert_eq!(scene.state(), "succeeded");
    scene.record_is_written(None, &["the tag v1.4.0 is not pushed"]);
    scene.record_is_written(None, &["the tag v1.4.0 is not pushed"]);
    assert_eq!(scene.told_of_records(), [(None, "the tag v1.4.0 is not pushed".to_owned(), Share::ALL)]);
    assert_eq!(scene.count("ramp_record_problem"), 1);
}

#[test]
fn a_success_tells_what_persons_did_to_its_stages_and_for_how_long_it_is_watched() {
    for watched_seconds in [0, 86_400] {
        let plan = RampPlan { watch_after_seconds: watched_seconds, ..plan() };
        let mut scene = Scene::running_with(plan);
        scene.wait(60);
        scene.judge(GateVerdict::Pass);
        scene.promote(true, None);
        scene.judge(GateVerdict::Pass);
        scene.share_is_set();
        scene.stage_passes();
        scene.evidence_is_written();
        assert_eq!(scene.state(), "succeeded");
        let told = scene.world.journal.iter().find_map(|stored| match &stored.event {
            Event::NoticeRaised { fact: Some(fact), .. } => match fact.as_ref() {
                NoticeFact::Ramp(RampFact { said: said @ RampSaid::Succeeded { .. }, .. }) => {
                    Some(said.clone())
                }
                _ => None,
            },
            _ => None,
        });
        let started_at = scene.ramp().started_at;
        let by_persons = ["1 shortened by a person", "1 skipped by a person"].map(str::to_owned).to_vec();
        assert_eq!(told, Some(RampSaid::Succeeded { started_at, stages: 2, by_persons, watched_seconds }));
    }
}
