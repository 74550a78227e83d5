//! What is wrong, and what to do.

use super::*;
use crate::config::Problem;

/// What `check-config` says of these lines of a criterion.
fn problems(lines: &str) -> Vec<Problem> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("backstop.toml");
    let text = format!("{FLAG}ramp.criteria_files = []\n[[rollouts.ramp.criteria]]\n{lines}");
    std::fs::write(&file, &text).expect("written");
    match Config::parse(&text, &file) {
        Err(report) => report.problems,
        Ok(config) => config.check_files(chrono::DateTime::UNIX_EPOCH),
    }
}

#[test]
fn each_mistake_names_its_key_its_line_and_the_remedy() {
    let query = "name = \"a\"\nquery = \"up\"\n";
    for (lines, key, message, remedy) in [
        ("title = \"A\"", "name", "is missing", "add name"),
        ("name = \"A b\"", "name", "is no criterion's name", "a-z, 0-9 and -"),
        ("name = \"a\"\nbelow = 1", "query", "is missing (of \"a\")", "add query"),
        (query, "below", "is missing", "add below = 0.2"),
        (&format!("{query}below = \"1\""), "below", "is no number", "below = 0.2"),
        (&format!("{query}below = nan"), "below", "is no number", "below = 0.2"),
        (&format!("{query}below = 1\nabove = 0"), "above", "is a second threshold", "leave one"),
        (&format!("{query}below = 1\nunit = \"percent\""), "unit", "is not known", "\"ratio\""),
        (
            &format!("{query}below = 1\nstages = [0]"),
            "stages",
            "is not a list of whole per cents",
            "stages = [1",
        ),
        (
            &format!("{query}below = 1\nstages = []"),
            "stages",
            "is not a list of whole per cents",
            "stages = [1",
        ),
        (&format!("{query}below = 1\nwindow = \"2d\""), "window", "out of bounds", "choose between"),
        (&format!("{query}below = 1\nmin_samples = -1"), "min_samples", "is no whole number", "300"),
        (
            &format!("{query}below = 1\nmin_samples = 9"),
            "min_samples",
            "nothing that is counted",
            "add samples",
        ),
        (
            &format!("{query}below = 1\nsample = \"x\""),
            "sample",
            "is not a known key",
            "did you mean \"samples\"?",
        ),
        (
            &format!("{query}below = 1\nargv = [\"x\"]"),
            "argv",
            "is not for kind = \"query\"",
            "kind = \"command\"",
        ),
        ("name = \"a\"\nbelow = 1\nquery = \"max(\"", "query", "is no PromQL", "Prometheus' own page"),
        (
            "name = \"a\"\nbelow = 1\nquery = \"up\"\nsamples = \"sum(\"",
            "samples",
            "is no PromQL",
            "Prometheus' own page",
        ),
        (
            "name = \"a\"\nbelow = 1\nquery = \"x{{selectr}}\"",
            "query",
            "has {selectr}, which stands for nothing",
            "did you mean {selector}?",
        ),
        ("name = \"a\"\nkind = \"shell\"", "kind", "is not known", "\"command\""),
        ("name = \"a\"\nkind = \"http\"", "url", "is missing", "add url"),
        ("name = \"a\"\nkind = \"http\"\nurl = \"ftp://x\"", "url", "is not http or https", "http://"),
        (
            "name = \"a\"\nkind = \"http\"\nurl = \"http://x\"\nexpected = 1",
            "expected",
            "not where it is in the answer",
            "add pointer",
        ),
        (
            "name = \"a\"\nkind = \"http\"\nurl = \"http://x\"\npointer = \"ok\"",
            "pointer",
            "no JSON pointer",
            "\"/ok\"",
        ),
        (
            "name = \"a\"\nkind = \"http\"\nurl = \"http://x\"\npointer = \"/ok\"\nexpected = []",
            "expected",
            "is no text, number, true or false",
            "expected = \"ok\"",
        ),
        ("name = \"a\"\nkind = \"logs\"", "selector", "is missing", "add selector"),
        (
            "name = \"a\"\nkind = \"logs\"\nselector = \"{}\"\nat_most = 0.5",
            "at_most",
            "no number of lines",
            "at_most = 0",
        ),
        (
            "name = \"a\"\nkind = \"logs\"\nselector = 'count_over_time({app=\"x\"}[5m])'",
            "selector",
            "selects no streams",
            "begin it with",
        ),
        ("name = \"a\"\nkind = \"command\"", "argv", "is missing", "add argv"),
        ("name = \"a\"\nkind = \"command\"\nargv = []", "argv", "is missing", "add argv"),
        (
            "name = \"a\"\nkind = \"command\"\nargv = [\"psql\", \"postgres://spark:p@ss/word@db/spark\"]",
            "argv",
            "a password in it",
            "PGPASSWORD",
        ),
        (
            "name = \"a\"\nkind = \"command\"\nargv = [\"x\"]\nvariables = { U = \"--db=amqp://u:p@h:1/\" }",
            "variables",
            "a password in it",
            "name the variable",
        ),
        (
            "name = \"a\"\nkind = \"command\"\nargv = [\"x\"]\nfile = \"../ci_{stage}.txt\"",
            "file",
            "is no name of a file",
            "ci_stage_{stage}.txt",
        ),
        (
            "name = \"a\"\nkind = \"command\"\nargv = [\"x\"]\nfile = \"ci.txt\"",
            "file",
            "has no {stage}",
            "ci_stage_{stage}.txt",
        ),
    ] {
        let found = problems(lines);
        let as_wanted = |one: &Problem| {
            one.key == format!("rollouts[0].ramp.criteria[0].{key}")
                && one.message.contains(message)
                && one.remedy.contains(remedy)
                && one.line.is_some()
        };
        assert!(found.iter().any(as_wanted), "{lines}: {found:#?}");
    }
}

#[test]
fn two_criteria_that_would_write_one_file_are_named() {
    let one = |name: &str| {
        format!("name = {name:?}\nkind = \"command\"\nargv = [\"x\"]\nfile = \"x_{{stage}}.txt\"\n")
    };
    let found = problems(&format!("{}[[rollouts.ramp.criteria]]\n{}", one("a"), one("b")));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].key, "rollouts[0].ramp.criteria[1].file");
    assert!(found[0].message.contains("(of \"b\"), and so is that of \"a\""), "{found:#?}");
    assert!(found[0].line.is_some());
}

#[test]
fn an_address_without_a_password_is_no_mistake() {
    for argument in ["https://host:8443/a@b:c", "postgres://spark@db:5432/spark", "x://user:@host", "a:b@c"] {
        let lines = format!("name = \"a\"\nkind = \"command\"\nargv = [\"x\", {argument:?}]");
        assert_eq!(problems(&lines), [], "{argument}");
    }
}

#[test]
fn a_file_that_is_missing_stops_no_rollback_and_is_named_where_criteria_are_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, file) = (folder.path().join("backstop.toml"), folder.path().join("own.toml"));
    std::fs::write(&config, format!("{FLAG}ramp.criteria_files = [\"own.toml\"]\n")).expect("written");
    let open = || Config::open(&config).expect("opened by a command");
    let checked = || open().check_files(chrono::DateTime::UNIX_EPOCH);
    let missing = checked();
    assert!(
        missing.iter().any(|one| one.file == file && one.message.contains("can't be read")),
        "{missing:#?}"
    );
    std::fs::write(&file, "[[criteria]\n").expect("written");
    assert!(checked().iter().any(|one| one.file == file && one.line == Some(1)), "{:#?}", checked());
    std::fs::write(&file, "[[criteria]]\nname = \"a\"\nbelow = 1\nquery = \"max(\"\n").expect("written");
    let wrong = checked();
    let in_file = |one: &Problem| one.file == file && one.key == "criteria[0].query" && one.line == Some(4);
    assert!(wrong.iter().any(in_file), "{wrong:#?}");
    std::fs::write(&file, "[[criteria]]\nname = \"a\"\nbelow = 1\nquery = \"max(up)\"\n").expect("written");
    assert_eq!(checked(), []);
    std::fs::write(&file, vec![b'#'; (1 << 20) + 1]).expect("written");
    assert!(checked().iter().any(|one| one.message.contains("1048577 bytes long")), "{:#?}", checked());
}

#[test]
fn more_criteria_than_anybody_reads_are_an_error() {
    let many = |count: usize| {
        let one = |number| format!("[[rollouts.ramp.criteria]]\nname = \"c{number}\"\nkind = \"approval\"\n");
        let rollout =
            rollout(&format!("ramp.criteria_files = []\n{}", (0..count).map(one).collect::<String>()));
        rollout.ramp.criteria.load(&rollout)
    };
    assert_eq!(many(100).expect("valid").all.len(), 100);
    let message = many(101).expect_err("too many").to_string();
    assert!(message.contains("are 101 criteria, and 100 are the most"), "{message}");
}
