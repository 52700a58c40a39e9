//! Reaching the agent in a process, and saying what to do where that does not work.

mod agent;
mod explain;
mod http;
#[cfg(feature = "https")]
mod https;
mod list;
mod process;
#[cfg_attr(not(unix), path = "no_socket.rs")]
mod socket;
mod url;

pub(crate) use agent::Agent;
pub(crate) use list::{Listed, list};
pub(crate) use process::{Process, without_deleted};
pub(crate) use url::Url;
