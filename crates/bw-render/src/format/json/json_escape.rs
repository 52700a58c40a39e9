//! JSON that can be shown to a terminal.

use std::fmt::Write as _;

use crate::text::escape::is_dangerous;

/// JSON with everything escaped that [`Escaped`](crate::Escaped) escapes. JSON itself only wants that of characters below U+0020, and has an
/// escape for every character: the meaning stays the same. Allocates only where there is something to escape.
#[must_use]
pub fn escaped(json: String) -> String {
    // What is left stands in strings: all else is ASCII, and white space is none of ours.
    let is_left = |c: char| c >= '\u{7f}' && is_dangerous(c);
    if !json.contains(is_left) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + json.len() / 8);
    let mut rest = &*json;
    while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_left(c)) {
        escaped.push_str(&rest[..at]);
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
        rest = &rest[at + c.len_utf8()..];
    }
    escaped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_json() {
        let names = ["a\u{9b}[31m\u{202e}b\u{e0101}c", "\u{7f}\n\"\\u202e", "größe 🦀"];
        let json = serde_json::to_string_pretty(&names).unwrap();
        let escaped = escaped(json.clone());
        assert!(!escaped.contains(|c| c != '\n' && is_dangerous(c)), "{escaped:?}");
        assert!(
            escaped.contains(r"a\u009b[31m\u202eb\udb40\udd01c") && escaped.contains("größe 🦀"),
            "{escaped}"
        );
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), names);
        assert_eq!(super::escaped("[\n]".into()), "[\n]");
    }
}
