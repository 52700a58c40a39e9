//! One line in the program, and it can be asked where its async tasks wait.

#![deny(unsafe_code)]

mod access;
mod agent;
mod answer;
mod bounds;
mod builder;
mod dump;
mod environment;
mod error;
#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod forked;
mod launch;
mod listen;
#[allow(unsafe_code)]
mod os;
mod page;
mod process;
mod query;
mod report;
mod router;
#[cfg(unix)]
mod socket;
mod surface;
mod tasks;
mod trace_requests;
mod trigger;

pub use agent::{Agent, builder, start};
pub use builder::AgentBuilder;
pub use error::StartError;
pub use router::router;
pub use trace_requests::{TraceRequests, TracedRequests};
