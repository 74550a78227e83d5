//! The document's form: a text with named places, ours or a company's own.

/// What may stand in a template as `{{name}}`, in the order of ours.
pub const PLACEHOLDERS: &[&str] = &[
    "title",
    "summary",
    "incident",
    "rollout",
    "revision",
    "state",
    "times",
    "impact",
    "timeline",
    "alerts",
    "actions",
    "verification",
    "people",
    "messages",
    "evidence",
    "open_questions",
    "follow_ups",
];

/// Ours, as it lies in `deploy/` for whoever wants to begin with it.
const DEFAULT: &str = include_str!("../../deploy/INCIDENT_TEMPLATE.md");

/// Why a template can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It would be filled with nothing.
    #[error("line {line}: {name:?} is no placeholder; there are: {}", PLACEHOLDERS.join(", "))]
    Unknown { line: usize, name: String },
    /// `{{` without its end.
    #[error("line {line}: {{{{ is not closed by }}}} in the same line")]
    Unclosed { line: usize },
    /// Every report would be the same.
    #[error("it has no placeholder: write such as {{{{summary}}}}")]
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Which of [`PLACEHOLDERS`].
    Place(&'static str),
}

/// A template that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

impl Default for Template {
    /// Ours; a test proves that it can be read.
    fn default() -> Self {
        Self::parse(DEFAULT).unwrap_or(Self(vec![Part::Place("summary"), Part::Text("\n".to_owned())]))
    }
}

impl Template {
    /// Reads a template. It may leave placeholders out, and name one several times.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let number = index + 1;
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("{{") {
                let (name, behind) =
                    after.split_once("}}").ok_or(TemplateError::Unclosed { line: number })?;
                let known = PLACEHOLDERS.iter().find(|known| **known == name.trim());
                let unknown = || TemplateError::Unknown { line: number, name: name.trim().to_owned() };
                parts.push(Part::Text(before.to_owned()));
                parts.push(Part::Place(known.ok_or_else(unknown)?));
                rest = behind;
            }
            parts.push(Part::Text(rest.to_owned()));
        }
        let is_filled = parts.iter().any(|part| matches!(part, Part::Place(_)));
        if is_filled { Ok(Self(parts)) } else { Err(TemplateError::Nothing) }
    }

    /// The placeholders that it has.
    #[must_use]
    pub fn placeholders(&self) -> Vec<&'static str> {
        let places = self.0.iter().filter_map(|part| match part {
            Part::Place(name) => Some(*name),
            Part::Text(_) => None,
        });
        places.collect()
    }

    /// The document. What is filled in is not looked at again, whatever stands in it.
    pub(super) fn fill(&self, content: impl Fn(&str) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(name) => content(name),
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_can_be_read_and_has_every_placeholder() {
        let ours = Template::parse(DEFAULT).expect("a template");
        assert_eq!(ours, Template::default());
        for name in PLACEHOLDERS {
            assert!(ours.placeholders().contains(name), "{name} is missing in deploy/INCIDENT_TEMPLATE.md");
        }
    }

    #[test]
    fn a_companys_own_may_leave_out_and_repeat_and_is_filled_once() {
        let own = Template::parse("{{ title }}: {{summary}}\n{{title}}").expect("a template");
        assert_eq!(
            own.fill(|name| format!("<{name} {{{{x}}}}>")),
            "<title {{x}}>: <summary {{x}}>\n<title {{x}}>"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let unknown = Template::parse("# {{title}}\n{{timelime}}\n").expect_err("unknown");
        assert_eq!(unknown, TemplateError::Unknown { line: 2, name: "timelime".to_owned() });
        assert!(unknown.to_string().contains("timeline"), "{unknown}");
        let unclosed = Template::parse("{{title\n}}").expect_err("unclosed");
        assert_eq!(unclosed.to_string(), "line 1: {{ is not closed by }} in the same line");
        assert_eq!(Template::parse("nothing"), Err(TemplateError::Nothing));
        assert_eq!(Template::parse(""), Err(TemplateError::Nothing));
    }
}
