//! Why the command did not do what it was asked for.

use std::fmt;

/// Why nothing, or not everything, was printed, in one line that says what to do. It may hold text of others, and is escaped
/// where it is printed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the message is about, with what stands between the two.
    subject: Option<String>,
    message: String,
    help: Option<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Ended,
    Silent,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { subject: None, message: message.into(), help: None, kind: Kind::Plain }
    }

    /// The process that was asked is there no more.
    pub(crate) fn ended(message: impl Into<String>) -> Self {
        Self { subject: None, message: message.into(), help: None, kind: Kind::Ended }
    }

    /// The process that was asked is there, and did not answer in time: it may do so later.
    pub(crate) fn silent(message: impl Into<String>) -> Self {
        Self { subject: None, message: message.into(), help: None, kind: Kind::Silent }
    }

    /// Adds what to do about it, which is printed in a line of its own.
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Returns what to do about it.
    pub(crate) fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Puts a subject in front of the message, for a message that goes on as a sentence.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self { subject: Some(format!("{subject} ")), ..self }
    }

    /// Puts a subject and a colon in front of the message.
    pub(crate) fn at(self, subject: &str) -> Self {
        Self { subject: Some(format!("{subject}: ")), ..self }
    }

    /// Returns the message without its subject, for where that is known.
    pub(crate) fn without_subject(self) -> String {
        self.message
    }

    /// Whether the process that was asked is there no more.
    pub(crate) fn is_end(&self) -> bool {
        self.kind == Kind::Ended
    }

    /// Whether asking again may help.
    pub(crate) fn may_pass(&self) -> bool {
        self.kind == Kind::Silent
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.subject.as_deref().unwrap_or(""), self.message)
    }
}
