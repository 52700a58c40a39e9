//! What is searched for.

use std::ops::Range;

/// What is searched for: text that must be found. Upper and lower case are the same unless there is an upper case letter in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    folded: Vec<char>,
    is_exact: bool,
}

/// Characters that can be typed. Nobody looks for more.
const MOST_CHARS: usize = 100;

impl Pattern {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The number that it is, if it is one: perhaps the id of a task.
    pub(crate) fn number(&self) -> Option<u64> {
        self.text.bytes().all(|byte| byte.is_ascii_digit()).then(|| self.text.parse().ok()).flatten()
    }

    pub(crate) fn push(&mut self, c: char) {
        if self.folded.len() < MOST_CHARS && !c.is_control() {
            self.text.push(c);
            self.fold();
        }
    }

    pub(crate) fn pop(&mut self) {
        self.text.pop();
        self.fold();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn fold(&mut self) {
        self.is_exact = self.text.chars().any(char::is_uppercase);
        self.folded = self.text.chars().map(|c| self.folded_char(c)).collect();
    }

    fn folded_char(&self, c: char) -> char {
        if self.is_exact {
            c
        } else if c.is_ascii() {
            c.to_ascii_lowercase()
        } else {
            c.to_lowercase().next().unwrap_or(c)
        }
    }

    /// Whether it is in there. An empty one is in everything.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.is_empty() || self.first_in(text).is_some()
    }

    /// Where it is in there, without overlaps. An empty one is nowhere.
    pub(crate) fn all_in(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        while let Some(range) = self.first_in(&text[from..]) {
            let range = from + range.start..from + range.end;
            from = range.end;
            found.push(range);
        }
        found
    }

    fn first_in(&self, text: &str) -> Option<Range<usize>> {
        let (&first, others) = self.folded.split_first()?;
        let mut chars = text.char_indices();
        while let Some((start, c)) = chars.next() {
            if self.folded_char(c) != first {
                continue;
            }
            let mut rest = chars.clone();
            if others.iter().all(|&other| rest.next().is_some_and(|(_, c)| self.folded_char(c) == other)) {
                return Some(start..rest.offset());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let mut pattern = Pattern::default();
        text.chars().for_each(|c| pattern.push(c));
        pattern
    }

    #[test]
    fn upper_case_means_upper_case() {
        assert!(pattern("conn").is_in("Connection") && !pattern("Conn").is_in("connection"));
        assert!(pattern("größe").is_in("GRÖSSE: GRÖßE") && pattern("").is_in(""));
        assert_eq!(pattern("aa").all_in("xaAaay"), [1..3, 3..5]);
        assert_eq!(pattern("é").all_in("ÉaÉ"), [0..2, 3..5]);
        assert_eq!(pattern("").all_in("a"), []);
    }

    #[test]
    fn what_cannot_be_typed_is_not_in_it() {
        let mut pattern = pattern("a\u{1b}\nb");
        assert_eq!(pattern.text(), "ab");
        pattern.pop();
        assert!(pattern.text() == "a" && pattern.number().is_none());
        pattern.clear();
        assert!(pattern.is_empty() && pattern.number().is_none());
        pattern.push('7');
        assert_eq!(pattern.number(), Some(7));
        for _ in 0..1_000 {
            pattern.push('7');
        }
        assert!(pattern.number().is_none() && pattern.text().len() == MOST_CHARS);
    }
}
