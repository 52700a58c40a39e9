//! One line in the program, and it can be asked where its async tasks wait.

mod trace_requests;

pub use trace_requests::{TraceRequests, TracedRequests};
