//! What a feature-flag API is sent, and in which unit it counts.

use serde_json::Value;

/// The longest body: each attempt's stands in the evidence and in the store.
const MAX_BODY_BYTES: usize = 4 << 10;

/// Shares with which a body is tried: both ends, and two between.
const TRIED_PERCENT: [u8; 4] = [0, 1, 37, 100];

/// The unit in which an API counts the canary's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareScale {
    /// 0 to 100.
    Percent,
    /// 0 to 1.
    Fraction,
}

/// The method by which the share is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagMethod {
    /// The protocol's, and the default.
    Post,
    Put,
    /// For an API that changes what the body names and leaves the rest of the flag alone.
    Patch,
}

impl FlagMethod {
    /// As in HTTP and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// JSON with places for `{feature}`, `{revision}`, `{percentage}` and `{fraction}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTemplate(String);

/// Why a body is refused when the configuration is read; at a rollback it would be too late.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is cut nowhere, so it must be bounded.
    #[error("is longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
    /// A place that nothing fills; the API would take its name for a value.
    #[error("has {{{0}}}, which nothing fills")]
    UnknownPlace(String),
    #[error("is not JSON once it is filled in: {error}: {filled}")]
    NotJson {
        error: String,
        /// The body at the first tried share for which it is not JSON.
        filled: String,
    },
    /// The same would be sent for every share.
    #[error("does not say the share")]
    NoShare,
}

impl BodyError {
    /// What the operator should do, in the imperative.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLong => "leave out what the API does not need",
            Self::UnknownPlace(_) => "use {feature}, {revision}, {percentage} or {fraction}",
            Self::NotJson { .. } => {
                "write quotes around {feature} and {revision}, none around {percentage} and {fraction}"
            }
            Self::NoShare => "add {percentage} or {fraction}",
        }
    }
}

impl BodyTemplate {
    /// The protocol's body, in the API's unit.
    #[must_use]
    pub fn protocol(scale: ShareScale) -> Self {
        let share = match scale {
            ShareScale::Percent => "{percentage}",
            ShareScale::Fraction => "{fraction}",
        };
        Self(format!(r#"{{"feature":"{{feature}}","percentage":{share}}}"#))
    }

    /// Tries the text with this feature and a few shares.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn new(text: String, feature: &str) -> Result<Self, BodyError> {
        if text.len() > MAX_BODY_BYTES {
            return Err(BodyError::TooLong);
        }
        if let Some(unknown) = places(&text).find(|name| value(name, "", "", 0).is_none()) {
            return Err(BodyError::UnknownPlace(unknown.to_owned()));
        }
        let template = Self(text);
        let mut sent: Vec<Value> = Vec::new();
        for percent in TRIED_PERCENT {
            let filled = template.fill(feature, "revision", percent);
            let json = serde_json::from_str(&filled);
            sent.push(json.map_err(|error| BodyError::NotJson { error: error.to_string(), filled })?);
        }
        if sent.first() == sent.get(2) {
            return Err(BodyError::NoShare);
        }
        Ok(template)
    }

    /// The body that sets this share. What is filled in is never looked at for places again.
    #[must_use]
    pub fn fill(&self, feature: &str, revision: &str, percent: u8) -> String {
        let mut filled = String::with_capacity(self.0.len() + feature.len() + revision.len());
        let mut rest = self.0.as_str();
        while let Some(name) = places(rest).next() {
            let place = format!("{{{name}}}");
            let Some((before, after)) = rest.split_once(&place) else { break };
            filled.push_str(before);
            filled.push_str(&value(name, feature, revision, percent).unwrap_or(place));
            rest = after;
        }
        filled + rest
    }
}

/// What stands in a place; `None` where there is no such place.
fn value(name: &str, feature: &str, revision: &str, percent: u8) -> Option<String> {
    match name {
        "feature" => Some(escaped(feature)),
        "revision" => Some(escaped(revision)),
        "percentage" => Some(percent.to_string()),
        "fraction" => Some((f64::from(percent) / 100.0).to_string()),
        _ => None,
    }
}

/// A text as it stands between the quotes of JSON.
pub(super) fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// The names in braces. JSON's own braces never hold a bare lower-case word.
pub(super) fn places(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|after| {
        let (name, _) = after.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Result<BodyTemplate, BodyError> {
        BodyTemplate::new(text.to_owned(), "v1.4.0")
    }

    #[test]
    fn a_body_is_filled_with_texts_escaped_and_numbers_plain() {
        let text = r#"{"flag":{"name":"{feature}"},"weights":[{percentage},{fraction}],"note":"{revision}"}"#;
        let template = template(text).expect("a body");
        let feature = "\"a\"\\{percentage}\n\"";
        let filled: Value = serde_json::from_str(&template.fill(feature, "r{feature}", 7)).expect("JSON");
        assert_eq!(
            filled,
            serde_json::json!({"flag": {"name": feature}, "weights": [7, 0.07], "note": "r{feature}"})
        );
    }

    #[test]
    fn the_protocols_body_is_the_default_in_either_unit() {
        for (scale, percent, expected) in [
            (ShareScale::Percent, 25, r#"{"feature":"v1","percentage":25}"#),
            (ShareScale::Percent, 0, r#"{"feature":"v1","percentage":0}"#),
            (ShareScale::Fraction, 25, r#"{"feature":"v1","percentage":0.25}"#),
            (ShareScale::Fraction, 0, r#"{"feature":"v1","percentage":0}"#),
        ] {
            assert_eq!(BodyTemplate::protocol(scale).fill("v1", "r", percent), expected);
        }
    }

    #[test]
    fn a_text_that_no_api_could_take_is_refused_with_its_reason() {
        let refused = |text: &str| template(text).expect_err(text).to_string();
        for (text, expected) in [
            (r#"{"share": {percent}}"#, "has {percent}, which nothing fills"),
            (r#"{"share": "{user}", "p": {percentage}}"#, "has {user}, which nothing fills"),
            (r#"{"feature": {feature}, "p": {percentage}}"#, "is not JSON once it is filled in"),
            (r#"{"percentage": {percentage}"#, "is not JSON once it is filled in"),
            (r#"{"feature": "{feature}", "percentage": 0}"#, "does not say the share"),
            (&format!(r#"["{}", {{fraction}}]"#, "x".repeat(MAX_BODY_BYTES)), "is longer than 4096 bytes"),
        ] {
            assert!(refused(text).starts_with(expected), "{text}: {}", refused(text));
        }
    }
}
