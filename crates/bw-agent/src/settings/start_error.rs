//! Why an agent did not start.

use std::error::Error;
use std::fmt;
use std::io;

/// Why an agent did not start. The message says what to do. Nothing listens then, and nothing is left behind.
///
/// A program that wants to run without the agent rather than not at all prints it and goes on.
/// Its `Debug` is its message as well: what a `main` prints that returns it.
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

    /// Why, where the agent starts without what could not be had.
    pub(crate) fn why(&self) -> impl fmt::Display {
        match &self.cause {
            Some(cause) => format!("{cause}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the agent did not start: {}", self.why())
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_returns_it_prints_what_to_do() {
        let error = StartError::because("make the folder", io::ErrorKind::NotFound.into());
        let text =
            format!("the agent did not start: {}: make the folder", io::Error::from(io::ErrorKind::NotFound));
        // As `main` does.
        let boxed: Box<dyn Error> = Box::new(error);
        assert_eq!((format!("{boxed:?}"), boxed.to_string()), (text.clone(), text));
        assert!(boxed.source().is_some());
        assert_eq!(format!("{:?}", StartError::new("do so")), "the agent did not start: do so");
    }
}
