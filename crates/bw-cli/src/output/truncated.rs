//! Text of others: escaped, and not longer than somebody reads.

use bw_render::Escaped;

/// Returns the text escaped, with `…` in the place of what is after so many characters.
pub(crate) fn truncated(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", Escaped(&text[..end])),
        None => Escaped(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_before_it_is_escaped() {
        assert_eq!(truncated("é\u{1b}b", 3), "é\\u{1b}b");
        assert_eq!(truncated("é\u{1b}bc", 3), "é\\u{1b}b…");
        assert_eq!(truncated("", 0), "");
    }
}
