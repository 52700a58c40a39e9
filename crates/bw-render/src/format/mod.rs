//! A file or folder for each format that is no text for people.

pub(crate) mod folded;
#[cfg(feature = "html")]
pub mod html;
#[cfg(feature = "json")]
pub mod json;
#[cfg(any(feature = "json", feature = "pprof"))]
mod numbered;
#[cfg(feature = "pprof")]
pub mod pprof;
