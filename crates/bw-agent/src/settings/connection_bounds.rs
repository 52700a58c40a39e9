//! How much whoever connects may take.

use std::time::Duration;

/// How much whoever connects may take of the process. The same for each listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionBounds {
    /// Connections at once. Others wait to be accepted.
    pub(crate) connections: usize,
    /// How long the first line and the headers of a request may take to arrive.
    pub(crate) headers: Duration,
    /// How long a connection may live.
    pub(crate) connection: Duration,
}

impl ConnectionBounds {
    /// Bytes of the first line and the headers of a request, and how many headers.
    pub(crate) const HEADER_BYTES: usize = 16 * 1024;
    pub(crate) const HEADERS: usize = 64;
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self {
            connections: 64,
            headers: Duration::from_secs(5),
            // Twice the longest timeout: once to wait for a turn, once for a dump.
            connection: Duration::from_secs(120),
        }
    }
}
