use super::*;
use crate::finding::Severity;
use crate::signals::{Placeholder, SignalError};

fn check() -> Check<'static> {
    Check::new(Area::Ramp, "spark-trading", "x")
}

#[test]
fn a_window_that_is_open_is_named_with_its_end() {
    assert_eq!(judged_freeze("x", None).severity, Severity::Fine);
    let since = "2026-12-20T00:00:00Z".parse().expect("a time");
    let until = "2027-01-02T00:00:00Z".parse().expect("a time");
    let found = judged_freeze("x", Some(&Frozen { name: "holidays".to_owned(), since, until }));
    assert_eq!(found.severity, Severity::Note);
    assert!(
        found.message.contains("\"holidays\", from 2026-12-20T00:00:00Z until 2027-01-02T00:00:00Z"),
        "{found:?}"
    );
}

#[test]
fn what_a_ramp_would_leave_behind_without_is_a_warning_with_what_to_mend() {
    assert_eq!(judged_repository(check(), Ok(())).severity, Severity::Fine);
    let why = "fatal: not a git repository".to_owned();
    let found = judged_repository(check(), Err(TagError::Unusable { repository: "/srv/x".into(), why }));
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.message.contains("/srv/x can't be used as a git repository: fatal"), "{found:?}");

    assert_eq!(judged_picture(check(), Ok(())).severity, Severity::Fine);
    for error in [
        RenderError::NotKept(Placeholder::WebPage),
        RenderError::NotRendered(SignalError::NoAnswer("nobody".to_owned())),
    ] {
        let found = judged_picture(check(), Err(error));
        assert_eq!(found.severity, Severity::Warning);
        assert!(found.remedy.as_ref().is_some_and(|remedy| remedy.contains("render_dashboard")), "{found:?}");
    }
}

#[tokio::test]
async fn each_rollout_is_looked_at_and_a_repository_and_a_renderer_where_they_are_configured() {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let of = |more: &str, grafana: &str| {
        let toml = format!(
            "{grafana}[[rollouts]]\nname = \"x\"\ntraffic = {{ kind = \"feature-flag\", url = \"http://127.0.0.1:1/\", feature = \"f\", read_url = \"http://127.0.0.1:1/\" }}\nramp.criteria_files = []\n{more}"
        );
        Config::parse(&toml, &folder.path().join("backstop.toml")).expect("valid")
    };
    let abouts = |config: &Config| {
        examinations(config, &Judges::new()).iter().map(|one| one.about.clone()).collect::<Vec<_>>()
    };
    assert_eq!(abouts(&of("", "")), ["x"]);
    let grafana = "[grafana]\nurl = \"http://127.0.0.1:1/\"\n";
    assert_eq!(abouts(&of("", grafana)), ["x"], "no picture is asked for");
    let with_all =
        of("ramp.git_tag.repository = \"repository\"\n", &format!("{grafana}render_dashboard = \"d\"\n"));
    assert_eq!(abouts(&with_all), ["x", "x", "http://127.0.0.1:1/"]);
    let found = crate::doctor::examined(examinations(&with_all, &Judges::new()), |_, _| {}).await;
    let of_check = |name: &str| found.iter().filter(|one| one.check == name).collect::<Vec<_>>();
    for name in ["git_tag", "renderer", "criteria"] {
        assert_eq!(of_check(name).len(), 1, "{found:#?}");
        assert_eq!(of_check(name)[0].severity, Severity::Warning, "{found:#?}");
    }
    assert!(of_check("git_tag")[0].message.contains("is no folder"), "{found:#?}");
    assert_eq!(of_check("freeze")[0].severity, Severity::Fine);
}
