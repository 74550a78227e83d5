//! Passwords where everybody would see them.

/// Whether there is something like `scheme://user:password@` in it.
pub(super) fn has_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let authority =
            rest.split(|c: char| c == '/' || c == '?' || c.is_whitespace()).next().unwrap_or(rest);
        // A password may itself have an @ in it.
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':') && !user.ends_with(':'))
    })
}
