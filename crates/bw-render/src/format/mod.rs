//! A file or folder for each format that is no text for people.

pub(crate) mod folded;
pub mod html;
pub mod json;
pub mod pprof;
