//! Text whose parts say what they are, for those who color it in their own way.

use std::fmt::{self, Write};

/// What a part of a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanStyle {
    /// Nothing special.
    #[default]
    Plain,
    /// The lines that connect a function to its caller, and a task to its parent.
    TreeLine,
    /// The name of a function.
    Function,
    /// ` at file:line:column` after the name of a function.
    Location,
    /// A count, a mark, a warning, or a line below a tree.
    Note,
    /// The beginning of what is said about a task or a group: `task 17 "connection"`.
    Heading,
}

/// A part of a line with one style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StyledSpan<'a> {
    /// The text, escaped and without a line feed.
    pub text: &'a str,
    /// What the text is.
    pub style: SpanStyle,
}

/// A line of styled spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StyledLine {
    text: String,
    /// Where each span ends in the text. No two neighbors have the same style.
    ends: Vec<(usize, SpanStyle)>,
}

/// Lines of styled spans. [`Display`](fmt::Display) prints the text without styles; [`Palette::paint`](crate::Palette::paint)
/// prints it with colors.
///
/// ```
/// use bw_render::{SpanStyle, StyledText};
///
/// let mut text = StyledText::new();
/// text.push(SpanStyle::Heading, "2 tasks");
/// text.push(SpanStyle::Plain, " suspended\nspawned at src/main.rs");
/// assert_eq!(text.to_string(), "2 tasks suspended\nspawned at src/main.rs");
/// let first: Vec<_> = text.lines()[0].spans().map(|span| (span.text, span.style)).collect();
/// assert_eq!(first, [("2 tasks", SpanStyle::Heading), (" suspended", SpanStyle::Plain)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StyledText {
    lines: Vec<StyledLine>,
}

impl StyledLine {
    /// The text without styles.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The spans from left to right. None of them is empty.
    pub fn spans(&self) -> impl Iterator<Item = StyledSpan<'_>> {
        let mut start = 0;
        self.ends.iter().map(move |&(end, style)| {
            let text = &self.text[start..end];
            start = end;
            StyledSpan { text, style }
        })
    }

    /// Appends text that has no line feed.
    fn push(&mut self, style: SpanStyle, text: &str) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        match self.ends.last_mut() {
            Some((end, last)) if *last == style => *end = self.text.len(),
            _ => self.ends.push((self.text.len(), style)),
        }
    }
}

impl From<&str> for StyledLine {
    /// A line without styles. A line feed in it does not end the line.
    fn from(text: &str) -> Self {
        let mut line = Self::default();
        line.push(SpanStyle::Plain, text);
        line
    }
}

impl fmt::Display for StyledLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StyledText {
    /// Returns a text without lines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends text to the last line. Each line feed begins another line.
    pub fn push(&mut self, style: SpanStyle, text: &str) {
        let mut parts = text.split('\n');
        let Some(first) = parts.next().filter(|_| !text.is_empty()) else { return };
        match self.lines.last_mut() {
            Some(line) => line.push(style, first),
            None => self.begin_line(style, first),
        }
        for part in parts {
            self.begin_line(style, part);
        }
    }

    /// Appends another text, whose first line goes on where the last line ends.
    pub fn append(&mut self, other: &Self) {
        for (number, line) in other.lines.iter().enumerate() {
            if number > 0 || self.lines.is_empty() {
                self.lines.push(StyledLine::default());
            }
            for span in line.spans() {
                self.push(span.style, span.text);
            }
        }
    }

    /// Whether the text has no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines from top to bottom.
    #[must_use]
    pub fn lines(&self) -> &[StyledLine] {
        &self.lines
    }

    /// The lines from top to bottom, owned.
    #[must_use]
    pub fn into_lines(self) -> Vec<StyledLine> {
        self.lines
    }

    /// Removes the first line if it has no text.
    pub(crate) fn remove_empty_first_line(&mut self) {
        if self.lines.first().is_some_and(|line| line.text.is_empty()) {
            self.lines.remove(0);
        }
    }

    fn begin_line(&mut self, style: SpanStyle, text: &str) {
        let mut line = StyledLine::default();
        line.push(style, text);
        self.lines.push(line);
    }
}

impl fmt::Display for StyledText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.lines.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "\n" })?;
            f.write_str(&line.text)?;
        }
        Ok(())
    }
}

/// Writes plain text, as [`push`](StyledText::push) does; never fails.
impl Write for StyledText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(SpanStyle::Plain, text);
        Ok(())
    }
}

/// What renderers write to. [`Write`] writes plain text.
pub(crate) trait StyledWrite: Write {
    /// Writes text of that style.
    fn styled(&mut self, style: SpanStyle, text: fmt::Arguments<'_>) -> fmt::Result;

    /// Writes the spans of a line.
    fn line(&mut self, line: &StyledLine) -> fmt::Result {
        line.spans().try_for_each(|span| match span.style {
            SpanStyle::Plain => self.write_str(span.text),
            style => self.styled(style, format_args!("{}", span.text)),
        })
    }

    /// Writes all lines.
    fn text(&mut self, text: &StyledText) -> fmt::Result {
        for (number, line) in text.lines.iter().enumerate() {
            self.write_str(if number == 0 { "" } else { "\n" })?;
            self.line(line)?;
        }
        Ok(())
    }
}

impl StyledWrite for StyledText {
    fn styled(&mut self, style: SpanStyle, text: fmt::Arguments<'_>) -> fmt::Result {
        match text.as_str() {
            Some(text) => self.push(style, text),
            None => self.push(style, &text.to_string()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_of_one_style_are_one_span_and_line_feeds_begin_lines() {
        let mut text = StyledText::new();
        text.push(SpanStyle::Note, "a");
        text.push(SpanStyle::Note, "b\n\nc");
        text.push(SpanStyle::Plain, "");
        text.push(SpanStyle::Plain, "d\n");
        let spans = |at: usize| text.lines()[at].spans().map(|it| (it.text, it.style)).collect::<Vec<_>>();
        assert_eq!(spans(0), [("ab", SpanStyle::Note)]);
        assert_eq!(spans(1), []);
        assert_eq!(spans(2), [("c", SpanStyle::Note), ("d", SpanStyle::Plain)]);
        assert_eq!((text.lines().len(), text.to_string()), (4, "ab\n\ncd\n".to_owned()));
    }

    #[test]
    fn an_appended_text_goes_on_in_the_last_line() {
        let (mut all, mut more) = (StyledText::new(), StyledText::new());
        all.append(&more);
        assert!(all.is_empty());
        more.push(SpanStyle::Function, "f\ng");
        all.append(&more);
        all.append(&more);
        assert_eq!(all.to_string(), "f\ngf\ng");
        assert_eq!(all.lines()[1].spans().count(), 1);
    }
}
