//! A criterion's words for one ramp and stage: `{revision}` and `{stage}` in what is run, in addresses and in
//! names of files.

use super::{CommandCheck, Criterion, HttpCheck, LogCheck, Question};
use crate::incident::{Revision, Share};

/// Stands for the ramp's revision.
const REVISION: &str = "{revision}";

/// Stands for the share of the stage, in per cent.
const STAGE: &str = "{stage}";

/// A revision that can't stand in a command or an address: it may have been chosen by somebody else, and could
/// be an option, another path, another argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "revision {revision:?} can't take the place of {{revision}} in criterion {criterion}: of a-z, A-Z, 0-9, . _ and -, beginning with a letter or digit, it may be; rename it, or turn the criterion off"
)]
pub struct UnfitRevision {
    pub revision: String,
    pub criterion: String,
}

impl Criterion {
    /// The criterion as it is asked in this stage of this revision's ramp.
    ///
    /// # Errors
    /// Where it names the revision, and that fits nowhere.
    pub fn filled(&self, revision: &Revision, share: Share) -> Result<Self, UnfitRevision> {
        let (mut question, stage) = (self.question.clone(), share.0.to_string());
        let mut is_named = false;
        let mut fill = |text: &mut String| {
            is_named |= text.contains(REVISION);
            *text = text.replace(REVISION, revision.as_str()).replace(STAGE, &stage);
        };
        match &mut question {
            Question::Query(_) | Question::Approval => {}
            Question::Http(HttpCheck { url, .. }) => fill(url),
            Question::Logs(LogCheck { selector, file, .. }) => {
                fill(selector);
                file.iter_mut().for_each(fill);
            }
            Question::Command(CommandCheck { argv, variables, file, .. }) => {
                argv.iter_mut().for_each(&mut fill);
                variables.values_mut().for_each(&mut fill);
                file.iter_mut().for_each(fill);
            }
        }
        if is_named && !is_word(revision.as_str()) {
            let (revision, criterion) = (revision.as_str().to_owned(), self.name.as_str().to_owned());
            return Err(UnfitRevision { revision, criterion });
        }
        Ok(Self { question, ..self.clone() })
    }
}

impl CommandCheck {
    /// Whether this is what the template runs, for some revision and stage.
    #[must_use]
    pub fn is_of(&self, template: &Self) -> bool {
        let all_fit = |theirs: &[String], ours: &[String]| {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(theirs, ours)| fits(theirs, ours))
        };
        let values = |check: &Self| check.variables.values().cloned().collect::<Vec<_>>();
        self.directory == template.directory
            && self.environment == template.environment
            && self.variables.keys().eq(template.variables.keys())
            && all_fit(&template.argv, &self.argv)
            && all_fit(&values(template), &values(self))
    }
}

/// Whether the text is the template with something in its places.
fn fits(template: &str, text: &str) -> bool {
    let first = [REVISION, STAGE].into_iter().filter_map(|place| Some((template.find(place)?, place))).min();
    let Some((at, place)) = first else { return template == text };
    let (before, after) = (&template[..at], &template[at + place.len()..]);
    text.strip_prefix(before).is_some_and(|rest| {
        let words = (1..=rest.len()).take_while(|end| rest.get(..*end).is_some_and(is_word));
        words.into_iter().any(|end| fits(after, &rest[end..]))
    })
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::incident::{CriterionName, OnFail};

    fn command(argv: &[&str]) -> CommandCheck {
        CommandCheck {
            argv: argv.iter().map(|&part| part.to_owned()).collect(),
            directory: None,
            environment: Vec::new(),
            variables: BTreeMap::from([("STAGE".to_owned(), "{stage}".to_owned())]),
            file: Some("ci_stage_{stage}.txt".to_owned()),
            timeout_seconds: 60,
            every_seconds: 60,
        }
    }

    fn criterion(question: Question) -> Criterion {
        Criterion {
            name: CriterionName::new("ci"),
            title: "CI".to_owned(),
            on_fail: OnFail::Hold,
            is_advisory: false,
            question,
        }
    }

    fn filled(check: &CommandCheck, revision: &str) -> Result<CommandCheck, UnfitRevision> {
        match criterion(Question::Command(check.clone()))
            .filled(&Revision::new(revision), Share(25))?
            .question
        {
            Question::Command(check) => Ok(check),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_names_its_revision_and_stage_and_is_still_the_one_that_is_configured() {
        let template = command(&["gh", "run", "list", "--commit={revision}", "{stage}"]);
        let check = filled(&template, "v1.4.0").expect("a plain revision");
        assert_eq!(check.argv, ["gh", "run", "list", "--commit=v1.4.0", "25"]);
        assert_eq!(check.variables["STAGE"], "25");
        assert_eq!(check.file.as_deref(), Some("ci_stage_25.txt"));
        assert!(check.is_of(&template));
        for other in [
            command(&["gh", "run", "list", "--commit={revision}"]),
            command(&["sh", "run", "list", "--commit={revision}", "{stage}"]),
            command(&["gh", "run", "list", "{revision}", "{stage}"]),
            CommandCheck { directory: Some("/srv".to_owned()), ..template.clone() },
            CommandCheck { environment: vec!["GH_TOKEN".to_owned()], ..template.clone() },
            CommandCheck { variables: BTreeMap::new(), ..template.clone() },
        ] {
            assert!(!check.is_of(&other), "{other:?}");
        }
    }

    #[test]
    fn a_place_takes_a_word_and_nothing_that_could_be_more() {
        for (template, text, is_so) in [
            ("a", "a", true),
            ("a", "b", false),
            ("{revision}", "v1.4.0", true),
            ("{revision}", "", false),
            ("{revision}", "--delete", false),
            ("x{revision}-{stage}.txt", "xv1-2-25.txt", true),
            ("x{stage}", "x1 2", false),
            ("{revision}", "v1;reboot", false),
            ("{stage}ä", "5ä", true),
        ] {
            assert_eq!(fits(template, text), is_so, "{template} {text}");
        }
    }

    #[test]
    fn a_revision_that_could_be_an_option_or_a_path_is_refused_where_it_is_named_and_only_there() {
        let named = command(&["git", "show", "{revision}"]);
        for unfit in ["--output=/etc/passwd", "a b", "../../secret", "", "x@y"] {
            let error = filled(&named, unfit).expect_err(unfit).to_string();
            assert!(error.contains(&format!("{unfit:?}")) && error.contains("criterion ci"), "{error}");
            assert!(filled(&command(&["pnpm", "test"]), unfit).is_ok(), "{unfit}");
        }
    }

    #[test]
    fn addresses_and_log_files_are_filled_too() {
        let http = HttpCheck {
            url: "http://127.0.0.1:4001/spot/{revision}".to_owned(),
            status: 200,
            pointer: None,
            expected: None,
            every_seconds: 60,
        };
        let logs = LogCheck {
            selector: "{app=\"x\",version=\"{revision}\"}".to_owned(),
            at_most: 0,
            every_seconds: 60,
            file: Some("logs_{stage}.txt".to_owned()),
        };
        let of =
            |question| criterion(question).filled(&Revision::new("v2"), Share::ALL).expect("plain").question;
        assert!(matches!(of(Question::Http(http)), Question::Http(check) if check.url.ends_with("/spot/v2")));
        let Question::Logs(check) = of(Question::Logs(logs)) else { panic!("logs") };
        assert_eq!(
            (check.selector.as_str(), check.file.as_deref()),
            ("{app=\"x\",version=\"v2\"}", Some("logs_100.txt"))
        );
    }
}
