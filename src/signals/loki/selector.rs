//! The part of a LogQL query that selects streams.

/// The `{…}` that it begins with; braces in quotes are the value's own.
pub(super) fn streams(selector: &str) -> Option<&str> {
    let text = selector.trim_start();
    let mut quote = None;
    let mut is_escaped = false;
    if !text.starts_with('{') {
        return None;
    }
    for (at, c) in text.char_indices().skip(1) {
        match (quote, c) {
            (Some('"'), _) if is_escaped => is_escaped = false,
            (Some('"'), '\\') => is_escaped = true,
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(c),
            (None, '}') => return Some(&text[..=at]),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_selected_by_the_first_braces_whatever_is_in_quotes() {
        for (selector, expected) in [
            (r#"{app="x"} |= "ERROR""#, Some(r#"{app="x"}"#)),
            (r#"  {a="}",b=`}"`} |~ "{""#, Some(r#"{a="}",b=`}"`}"#)),
            (r#"{a="\"}\\"} != "x}""#, Some(r#"{a="\"}\\"}"#)),
            ("{ä=\"ö\"}", Some("{ä=\"ö\"}")),
            (r#"{app="x"#, None),
            (r#"{app="x\"}"#, None),
            ("app", None),
            ("", None),
        ] {
            assert_eq!(streams(selector), expected, "{selector}");
        }
    }
}
