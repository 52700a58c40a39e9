//! Why an agent did not start.

use std::error::Error;
use std::fmt;
use std::io;

/// Why an agent did not start. The message says what to do. Nothing listens then, and nothing is left behind.
///
/// A program that wants to run without the agent rather than not at all prints it and goes on.
#[derive(Debug)]
pub struct StartError {
    message: String,
    cause: Option<io::Error>,
}

impl StartError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None }
    }

    pub(crate) fn because(message: impl Into<String>, cause: io::Error) -> Self {
        Self { message: message.into(), cause: Some(cause) }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "the agent did not start: {cause}: {}", self.message),
            None => write!(f, "the agent did not start: {}", self.message),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
