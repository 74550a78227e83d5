//! Rules and groups of them, and how they are written as YAML.

use std::collections::BTreeMap;
use std::fmt;

/// Where the runbooks are read.
const RUNBOOKS: &str = "https://github.com/backstop-project/backstop/blob/main/alert-rules/runbooks.md";

/// Rules that are evaluated one after another, so that an alert reads what was recorded before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Unique in a file.
    pub name: String,
    /// In the order of their evaluation.
    pub rules: Vec<Rule>,
}

/// A recording or an alerting rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub kind: Kind,
    /// PromQL, of one line or several.
    pub expression: String,
    /// What `for` is, if it has one.
    pub lasting: Option<&'static str>,
    /// Put on what it makes, over what its expression carries.
    pub labels: BTreeMap<String, String>,
    /// For people: `summary`, `description`, `runbook_url`, `threshold`.
    pub annotations: Vec<(&'static str, String)>,
    /// Why it is as it is; written above it.
    pub comment: &'static str,
}

/// What a rule makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A series of this name.
    Record(String),
    /// An alert of this name.
    Alert(&'static str),
}

impl Rule {
    /// A recording rule.
    #[must_use]
    pub fn record(name: String, expression: String, labels: &BTreeMap<String, String>) -> Self {
        Self {
            kind: Kind::Record(name),
            expression,
            lasting: None,
            labels: labels.clone(),
            annotations: Vec::new(),
            comment: "",
        }
    }

    /// An alerting rule with what a person reads of it, and its place in the runbooks.
    #[must_use]
    pub fn alert(
        name: &'static str,
        expression: String,
        labels: BTreeMap<String, String>,
        (summary, description): (&str, String),
    ) -> Self {
        let runbook = format!("{RUNBOOKS}#{}", name.to_lowercase());
        let annotations =
            vec![("summary", summary.to_owned()), ("description", description), ("runbook_url", runbook)];
        Self { kind: Kind::Alert(name), expression, lasting: None, labels, annotations, comment: "" }
    }

    /// The same with a `for`.
    #[must_use]
    pub fn lasting(self, span: &'static str) -> Self {
        Self { lasting: Some(span), ..self }
    }

    /// The same with the number that it compares with, for people and dashboards.
    #[must_use]
    pub fn threshold(mut self, threshold: &str) -> Self {
        self.annotations.push(("threshold", threshold.to_owned()));
        self
    }

    /// The same with a comment above it.
    #[must_use]
    pub fn why(self, comment: &'static str) -> Self {
        Self { comment, ..self }
    }
}

/// A scalar that YAML takes for nothing but a text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.comment.lines() {
            writeln!(f, "      # {line}")?;
        }
        match &self.kind {
            Kind::Record(name) => writeln!(f, "      - record: {name}")?,
            Kind::Alert(name) => writeln!(f, "      - alert: {name}")?,
        }
        writeln!(f, "        expr: |")?;
        for line in self.expression.lines() {
            writeln!(f, "          {line}")?;
        }
        if let Some(span) = self.lasting {
            writeln!(f, "        for: {span}")?;
        }
        if !self.labels.is_empty() {
            writeln!(f, "        labels:")?;
        }
        for (name, value) in &self.labels {
            let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let name = if is_plain { name.clone() } else { quoted(name) };
            writeln!(f, "          {name}: {}", quoted(value))?;
        }
        if !self.annotations.is_empty() {
            writeln!(f, "        annotations:")?;
        }
        for (name, value) in &self.annotations {
            writeln!(f, "          {name}: {}", quoted(value))?;
        }
        Ok(())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  - name: {}\n    rules:", quoted(&self.name))?;
        for (index, rule) in self.rules.iter().enumerate() {
            let gap = if index > 0 { "\n" } else { "" };
            write!(f, "{gap}{rule}")?;
        }
        Ok(())
    }
}
