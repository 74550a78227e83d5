//! Ramps, good and bad.

use std::path::Path;

use super::*;

const FLAG: &str = "[[rollouts]]\nname = \"x\"\ntraffic = { kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }\n";

fn parse(ramp: &str) -> Result<Config, Vec<Problem>> {
    let text = format!("{FLAG}[rollouts.ramp]\n{ramp}");
    Config::parse(&text, Path::new("/etc/backstop/backstop.toml")).map_err(|report| report.problems)
}

fn ramp(text: &str) -> RampConfig {
    parse(text).expect("valid").rollouts.remove(0).ramp
}

fn shares(percents: &[u8]) -> Vec<Share> {
    percents.iter().copied().map(Share).collect()
}

/// The ramp's keys that are warned of.
fn warned(config: &Config) -> Vec<&str> {
    let keys = config.warnings.iter().map(|problem| problem.key.as_str());
    keys.filter(|key| key.contains(".ramp.")).collect()
}

#[test]
fn without_a_key_a_ramp_is_the_protocols() {
    let absent = Config::parse(FLAG, Path::new("backstop.toml")).expect("valid").rollouts.remove(0).ramp;
    assert_eq!(absent, ramp(""));
    assert_eq!(absent.stages, shares(&[1, 5, 25, 50, 100]));
    let minutes = [
        absent.stage_duration,
        absent.last_stage_duration,
        absent.max_hold,
        absent.hold_reminder,
        absent.watch_after,
    ];
    assert_eq!(minutes.map(|span| span.as_secs() / 60), [15, 30, 60, 15, 24 * 60]);
    assert_eq!(absent.judge_interval, 15 * SECOND);
    assert_eq!((absent.approval, absent.stable_down, absent.git_tag), (BTreeSet::new(), false, None));
}

#[test]
fn each_key_is_read() {
    let config = parse(
        "stages = [10, 50, 100]\nstage_duration = \"20m\"\nlast_stage_duration = \"2h\"\njudge_interval = \"30s\"\n\
         max_hold = \"10m\"\nhold_reminder = \"5m\"\nwatch_after = \"0s\"\napproval = [100, 10]\n\
         git_tag = { repository = \"repo\", push = true }\n",
    )
    .expect("valid");
    assert_eq!(warned(&config), [""; 0]);
    let expected = RampConfig {
        stages: shares(&[10, 50, 100]),
        stage_duration: 20 * MINUTE,
        last_stage_duration: 2 * HOUR,
        judge_interval: 30 * SECOND,
        max_hold: 10 * MINUTE,
        hold_reminder: 5 * MINUTE,
        watch_after: Duration::ZERO,
        approval: BTreeSet::from([Share(10), Share(100)]),
        stable_down: false,
        git_tag: Some(GitTagConfig { repository: PathBuf::from("/etc/backstop/repo"), push: true }),
        criteria: ramp("").criteria,
    };
    assert_eq!(config.rollouts[0].ramp, expected);
}

#[test]
fn stages_go_up_from_1_to_100_per_cent() {
    let up_to_20: Vec<i64> = (81..=100).collect();
    assert_eq!(stages_of(&up_to_20).map(|stages| stages.len()), Ok(20));
    assert_eq!(stages_of(&[100]), Ok(shares(&[100])));
    let (not, error) = (|percents: &[i64]| stages_of(percents).expect_err("none"), StagesError::NoShare);
    assert_eq!(not(&[]), StagesError::None);
    assert_eq!(not(&(80..=100).collect::<Vec<_>>()), StagesError::TooMany(21));
    assert_eq!(
        (not(&[0, 100]), not(&[1, 101]), not(&[-1]), not(&[256])),
        (error(0), error(101), error(-1), error(256))
    );
    for (before, next) in [(5, 5), (25, 5)] {
        let (percents, before, next) = ([before, next, 100], Share(before as u8), Share(next as u8));
        assert_eq!(not(&percents), StagesError::NotAscending { before, next });
    }
    assert_eq!(not(&[1, 99]), StagesError::NotWhole(Share(99)));
}

#[test]
fn each_mistake_names_its_key_and_remedy() {
    for (text, key, message, remedy) in [
        ("stages = [1, 50]", "stages", "ends at 50 %", "[1, 5, 25, 50, 100]"),
        ("stages = []", "stages", "no stage", "[1, 5, 25, 50, 100]"),
        ("stages = [1.5, 100]", "stages", "whole numbers", "stages = "),
        ("stages = \"1,100\"", "stages", "whole numbers", "stages = "),
        ("approval = [10]", "approval", "has 10", "1, 5, 25, 50, 100"),
        ("approval = true", "approval", "whole numbers", "approval = "),
        ("stage_duration = \"5s\"", "stage_duration", "unjudged", "judge_interval"),
        ("last_stage_duration = \"14s\"", "last_stage_duration", "unjudged", "judge_interval"),
        ("stage_duration = \"2days\"", "stage_duration", "out of bounds", "between 1s and 1day"),
        ("stable_down = true", "stable_down", "for a cluster", "remove it"),
        ("git_tag = { push = true }", "git_tag.repository", "is missing", "repository = "),
        ("git_tag = { repository = \"r\", psuh = true }", "git_tag.psuh", "not a known key", "\"push\""),
        ("stagess = [100]", "stagess", "not a known key", "\"stages\""),
    ] {
        let problems = parse(text).expect_err(text);
        let key = format!("rollouts[0].ramp.{key}");
        let found = problems.iter().find(|problem| problem.key == key && problem.level == Level::Error);
        let problem = found.unwrap_or_else(|| panic!("{text}: no problem at {key}: {problems:?}"));
        assert!(problem.message.contains(message) && problem.remedy.contains(remedy), "{text}: {problem}");
    }
}

#[test]
fn a_stage_shorter_than_the_protocols_is_a_warning() {
    for (text, key) in [
        ("stage_duration = \"599s\"", Some("rollouts[0].ramp.stage_duration")),
        ("stage_duration = \"10m\"", None),
        ("last_stage_duration = \"1799s\"", Some("rollouts[0].ramp.last_stage_duration")),
    ] {
        let config = parse(text).expect("valid");
        assert_eq!(warned(&config).first().copied(), key, "{text}");
    }
}

#[test]
fn stable_may_go_down_in_a_cluster() {
    let cluster = super::super::kubernetes::tests::BOTH_KINDS;
    let text = format!("{cluster}[rollouts.ramp]\nstable_down = true\n");
    let config = Config::parse(&text, Path::new("backstop.toml")).expect("valid");
    assert!(!config.rollouts[0].ramp.stable_down && config.rollouts[1].ramp.stable_down);
}

#[test]
fn a_folder_that_is_no_repository_is_found_before_the_first_success() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("git_tag = {{ repository = {:?} }}", folder.path().display().to_string());
    let config = parse(&text).expect("valid");
    let problems = config.check_repositories();
    let [problem] = problems.as_slice() else { panic!("one: {problems:?}") };
    assert_eq!(problem.key, "rollouts[0].ramp.git_tag.repository");
    assert!(problem.message.contains("is no git repository"), "{problem}");
    std::fs::create_dir(folder.path().join(".git")).expect("made");
    assert_eq!(config.check_repositories(), []);
}
