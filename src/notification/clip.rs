//! Texts cut to what the other side takes.

/// At most so many characters, the last of them an ellipsis where something was cut. The other side would
/// refuse the whole message, or cut it where a number ends half.
#[must_use]
pub(super) fn clip(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect()
}

/// The longest beginning of at most so many bytes that ends between two characters.
#[must_use]
pub(super) fn beginning(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(clip("hızlı", 5), "hızlı");
        assert_eq!(clip("召集 all", 4), "召集 …");
        assert_eq!(clip("🟢🟢🟢", 2), "🟢…");
        assert_eq!(beginning("🟢🟢", 7), "🟢");
        assert_eq!((beginning("ab", 9), beginning("召", 2)), ("ab", ""));
    }
}
