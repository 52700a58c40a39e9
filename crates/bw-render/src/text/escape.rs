//! Text from debug information is not to be trusted: whoever built the program chose it.

use std::fmt;

/// Prints text with everything escaped that could do more than show a character: control characters, which a terminal
/// obeys, and the invisible and direction-changing ones, which make text look like other text. Those become `\u{1b}` and the
/// like; printing does not allocate.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(
    /// The text.
    pub &'a str,
);

impl<'a> Escaped<'a> {
    /// Prints at most so many bytes of the text, as every name and path is printed here: cut in the middle, where it says how
    /// many characters are missing.
    #[must_use]
    pub fn shortened(self, most: usize) -> impl fmt::Display + use<'a> {
        Shortened { text: self.0, most, ellipsis: "…" }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_dangerous(c)) {
            f.write_str(&rest[..at])?;
            write!(f, "{}", c.escape_unicode())?;
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// Control characters, line and paragraph separators, what changes the direction of text, and all that Unicode calls
/// `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt): invisible unless a font makes an effort. Some of those may
/// stand in identifiers.
pub(crate) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, grapheme joiner, Arabic letter mark.
            '\u{ad}' | '\u{34f}' | '\u{61c}'
            // Hangul fillers, Khmer inherent vowels, Mongolian variation selectors and vowel separator.
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero-width characters and direction marks; line and paragraph separators, embeddings and overrides.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            // Word joiner, invisible operators, isolates.
            | '\u{2060}'..='\u{206f}'
            // Hangul fillers, variation selectors, byte order mark.
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            // Reserved, and interlinear annotation.
            | '\u{fff0}'..='\u{fffb}'
            // No characters at all, and not allowed in XML.
            | '\u{fffe}' | '\u{ffff}'
            // Format controls of shorthand and of music.
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags, more variation selectors, reserved.
            | '\u{e0000}'..='\u{e0fff}')
}

/// Text of at most so many bytes, and how many characters had to go.
///
/// Cut in the middle: both the beginning and the end of a name tell most.
pub(crate) struct Shortened<'a> {
    pub(crate) text: &'a str,
    pub(crate) most: usize,
    pub(crate) ellipsis: &'static str,
}

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.len() <= self.most {
            return Escaped(self.text).fmt(f);
        }
        let head = self.text.floor_char_boundary_stable(self.most / 2);
        let tail = self.text.ceil_char_boundary_stable(self.text.len() - self.most / 2);
        let cut = self.text[head..tail].chars().count();
        let ellipsis = self.ellipsis;
        write!(
            f,
            "{}{ellipsis}({cut} more){ellipsis}{}",
            Escaped(&self.text[..head]),
            Escaped(&self.text[tail..])
        )
    }
}

/// What `str::floor_char_boundary` will be for every compiler we support.
trait CharBoundary {
    fn floor_char_boundary_stable(&self, at: usize) -> usize;
    fn ceil_char_boundary_stable(&self, at: usize) -> usize;
}

impl CharBoundary for str {
    fn floor_char_boundary_stable(&self, at: usize) -> usize {
        (0..=at).rev().find(|&at| self.is_char_boundary(at)).unwrap_or(0)
    }

    fn ceil_char_boundary_stable(&self, at: usize) -> usize {
        (at..self.len()).find(|&at| self.is_char_boundary(at)).unwrap_or(self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_direction_overrides_are_escaped() {
        let hostile = "a\u{1b}[31m\nb\u{202e}c\u{2028}\u{200b}\u{7f}\u{9b}d\u{feff}";
        assert_eq!(
            Escaped(hostile).to_string(),
            r"a\u{1b}[31m\u{a}b\u{202e}c\u{2028}\u{200b}\u{7f}\u{9b}d\u{feff}"
        );
        let invisible = "a\u{fe0f}b\u{3164}c\u{e0101}d\u{34f}e\u{115f}";
        assert_eq!(Escaped(invisible).to_string(), r"a\u{fe0f}b\u{3164}c\u{e0101}d\u{34f}e\u{115f}");
        assert_eq!(Escaped("größe::日本").to_string(), "größe::日本");
    }

    #[test]
    fn a_megabyte_of_name_is_cut_in_the_middle() {
        let name = format!("begin{}end", "é".repeat(1_000_000));
        let short = Shortened { text: &name, most: 20, ellipsis: "…" }.to_string();
        assert_eq!(short, "beginéé…(999995 more)…éééend");
        assert_eq!(Escaped(&name).shortened(20).to_string(), short);
        assert_eq!(Shortened { text: "short", most: 20, ellipsis: "…" }.to_string(), "short");
    }
}
