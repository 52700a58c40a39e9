//! The handle of an agent that runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::oneshot;

#[cfg(unix)]
use crate::listen::socket_file::SocketFile;
use crate::report::warning::warn;
use crate::settings::AgentBuilder;
use crate::settings::start_error::StartError;
#[cfg(feature = "axum")]
use crate::trace_requests::TraceRequests;

/// Starts an agent: a thread that answers where every traced task waits. One line of `main`:
///
/// ```no_run
/// # fn main() -> Result<(), bw_agent::StartError> {
/// bw_agent::start()?;
/// # Ok(())
/// # }
/// ```
///
/// It listens on a unix socket that only this user and root may use, and nowhere else. [`builder`] has what can be changed, and
/// the operator's [environment](crate#environment) wins.
///
/// Called inside a tokio runtime, dumps say how many of its tasks are traced. Takes about a millisecond: looks for stale
/// sockets, and starts one thread.
///
/// # Errors
///
/// If there is no folder for the socket that is this user's alone, or the socket cannot be made there, or the thread not
/// started. The message says what to do. A program that is to run nevertheless calls [`start_or_warn`].
pub fn start() -> Result<Agent, StartError> {
    builder().start()
}

/// As [`start`], for programs that are to run whether there is an agent or not: if it cannot start, that is said where warnings
/// of the agent go, and what is returned does nothing. So whoever can spoil the folder of sockets cannot keep a service from
/// starting.
///
/// ```no_run
/// bw_agent::start_or_warn();
/// ```
#[allow(clippy::must_use_candidate, reason = "dropping it does not stop the agent")]
pub fn start_or_warn() -> Agent {
    start().unwrap_or_else(|error| {
        warn(format_args!("nobody can ask this process where its tasks wait: {error}"));
        Agent::off()
    })
}

/// An agent that listens and answers as [`start`] says, to be changed before it starts.
pub fn builder() -> AgentBuilder {
    AgentBuilder::new()
}

/// An agent that runs, until the process ends or [`stop`](Self::stop) is called. Dropping this does not stop it.
///
/// When the process ends by returning from `main` or by `exit`, its socket is removed; when a signal such as SIGTERM or SIGKILL ends
/// it, the next agent to start does that. A child that is forked has no agent: it answers nobody, leaves the socket alone, and may start its own.
#[derive(Debug)]
pub struct Agent {
    running: Option<Running>,
}

#[derive(Debug)]
pub(crate) struct Running {
    #[cfg(unix)]
    pub(crate) socket: Option<Arc<SocketFile>>,
    pub(crate) tcp: Option<SocketAddr>,
    pub(crate) process: u32,
    pub(crate) thread: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Agent {
    /// The operator wants none.
    pub(crate) fn off() -> Self {
        Self { running: None }
    }

    pub(crate) fn new(running: Running) -> Self {
        Self { running: Some(running) }
    }

    /// The unix socket it listens on. `None` if it was told not to, or the operator turned it off.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        #[cfg(unix)]
        return self.running.as_ref()?.socket.as_ref().map(|socket| socket.path());
        #[cfg(not(unix))]
        None
    }

    /// The TCP address it listens on, with the port it was given if it was told 0.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.running.as_ref()?.tcp
    }

    /// Returns a layer that traces each request of a server; the same as [`TraceRequests::new`]. Feature `axum`. So one line does both for an axum program:
    ///
    /// ```no_run
    /// # let app: axum::Router = axum::Router::new();
    /// let app = app.layer(bw_agent::start_or_warn().trace_requests());
    /// # drop::<axum::Router>(app);
    /// ```
    #[cfg(feature = "axum")]
    #[track_caller]
    pub fn trace_requests(&self) -> TraceRequests {
        TraceRequests::new()
    }

    /// Stops it: removes the socket, breaks off what it is answering, and waits for its thread. What is being symbolized on a
    /// thread beside it is finished there, and thrown away.
    ///
    /// Does nothing if it was stopped before, and in a child that was forked since it started. From the agent's own thread, where it
    /// calls back, it does not wait.
    pub fn stop(&self) {
        // A forked child has neither the thread nor a right to the socket.
        let Some(running) = self.running.as_ref().filter(|running| running.process == std::process::id())
        else {
            return;
        };
        let Some((stop, thread)) = running.thread.lock().take() else { return };
        #[cfg(unix)]
        if let Some(socket) = &running.socket {
            socket.remove();
        }
        // It has ended by itself if nobody receives this.
        let _ = stop.send(());
        if thread.thread().id() != thread::current().id() {
            // A panic in it was printed when it came.
            let _ = thread.join();
        }
    }
}
