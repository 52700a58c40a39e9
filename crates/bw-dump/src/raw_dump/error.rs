//! Why a raw dump file could not be read.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use super::VERSION;
use super::content::Compression;

/// Why a raw dump file could not be read. It says what is wrong, where, and what to do about it, in one line that is safe to
/// print: text from the file is escaped and cut.
pub struct RawDumpError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    /// Reading failed, or the file is no valid gzip.
    Io(io::Error),
    /// More than the reader may take: of what, and how much that is.
    TooLarge { what: &'static str, most: usize },
    /// Compressed in a way that the reader does not know, or compressed although it is no raw dump.
    Compressed(Compression),
    /// Something else entirely.
    NotADump(Cow<'static, str>),
    /// Of a later version.
    Newer(u64),
    /// No JSON, or not the fields that are due.
    Syntax { message: String, source: serde_json::Error },
    /// Fields that cannot be true.
    Invalid { place: String, problem: String },
}

impl RawDumpError {
    pub(super) fn io(error: io::Error) -> Self {
        Self(Box::new(Kind::Io(error)))
    }

    pub(super) fn too_large(what: &'static str, most: usize) -> Self {
        Self(Box::new(Kind::TooLarge { what, most }))
    }

    pub(super) fn compressed(compression: Compression) -> Self {
        Self(Box::new(Kind::Compressed(compression)))
    }

    pub(super) fn not_a_dump(why: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Kind::NotADump(why.into())))
    }

    pub(super) fn newer(version: u64) -> Self {
        Self(Box::new(Kind::Newer(version)))
    }

    pub(super) fn syntax(source: serde_json::Error) -> Self {
        Self(Box::new(Kind::Syntax { message: harmless(&source.to_string()), source }))
    }

    /// `place` is made by us: fields and indices.
    pub(super) fn invalid(place: impl Into<String>, problem: impl AsRef<str>) -> Self {
        Self(Box::new(Kind::Invalid { place: place.into(), problem: harmless(problem.as_ref()) }))
    }

    /// Whether reading failed, not what was read; or decompressing it, which looks the same.
    #[must_use]
    pub fn is_io(&self) -> bool {
        matches!(*self.0, Kind::Io(_))
    }

    /// Returns what to decompress the file with, if it is compressed and has to be decompressed first.
    #[must_use]
    pub fn decompress_with(&self) -> Option<&'static str> {
        match *self.0 {
            Kind::Compressed(compression) => Some(compression.command),
            _ => None,
        }
    }

    /// Returns what was found instead, if the file is something else than a raw dump: a sentence without a period.
    #[must_use]
    pub fn found_instead(&self) -> Option<&str> {
        match &*self.0 {
            Kind::NotADump(why) => Some(why),
            _ => None,
        }
    }

    /// Whether it was more than the reader may take; see [`RawDumpReader`](crate::RawDumpReader).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(*self.0, Kind::TooLarge { .. })
    }

    /// Whether the file is a raw dump of a later version than this reader knows.
    #[must_use]
    pub fn is_newer_version(&self) -> bool {
        matches!(*self.0, Kind::Newer(_))
    }
}

/// Characters of the message of somebody else that are kept: it may quote what was read.
const MESSAGE_CHARS: usize = 300;

/// The text with everything escaped that a terminal would obey, and cut in the middle: libraries put the place at the end.
pub(super) fn harmless(text: &str) -> String {
    let escape = |c: char| {
        let plain = c == '"' || c == '\'' || c == '\\';
        if plain { c.to_string() } else { c.escape_debug().to_string() }
    };
    let count = text.chars().count();
    if count <= MESSAGE_CHARS {
        return text.chars().map(escape).collect();
    }
    let head: String = text.chars().take(MESSAGE_CHARS / 2).map(escape).collect();
    let tail: String = text.chars().skip(count - MESSAGE_CHARS / 2).map(escape).collect();
    format!("{head}…({} more)…{tail}", count - MESSAGE_CHARS / 2 * 2)
}

impl fmt::Display for RawDumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("is compressed, and ends in the middle: it was cut short; write or copy it again")
            }
            Kind::Io(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) =>
            {
                write!(f, "is compressed, and damaged: {error}; write or copy it again")
            }
            Kind::Io(error) => write!(f, "cannot be read: {error}"),
            Kind::TooLarge { what, most } => {
                write!(f, "has more than {most} {what}, the most this reader takes")
            }
            Kind::Compressed(Compression { name, command }) => {
                write!(f, "is compressed with {name}: decompress it with `{command}`")
            }
            Kind::NotADump(why) => write!(f, "is no raw dump file: {why}"),
            Kind::Newer(version) => write!(
                f,
                "is a raw dump of version {version}, and this program reads versions up to {VERSION}: use a newer one"
            ),
            Kind::Syntax { source, .. } if source.is_eof() => {
                f.write_str("ends in the middle: it was cut short; write or copy it again")
            }
            Kind::Syntax { message, .. } => write!(f, "is no valid raw dump file: {message}"),
            Kind::Invalid { place, problem } => write!(f, "is no valid raw dump file: {place}: {problem}"),
        }
    }
}

impl fmt::Debug for RawDumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Error for RawDumpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Io(error) => Some(error),
            Kind::Syntax { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_harmless_and_short() {
        assert_eq!(harmless("a \"b\"\u{1b}[31m\n\u{202e}é"), "a \"b\"\\u{1b}[31m\\n\\u{202e}é");
        let long = harmless(&format!("begin{}end", "é\u{1b}".repeat(1_000_000)));
        assert!(long.starts_with("begin") && long.ends_with("end") && long.len() < 4_000, "{long}");
        assert!(long.contains("more"));
    }
}
