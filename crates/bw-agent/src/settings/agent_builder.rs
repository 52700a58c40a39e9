//! What the program tells an agent.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bw_dump::contract::endpoints::LONGEST_TIMEOUT;
use tokio::runtime::Handle;

#[cfg(unix)]
use super::OnSignal;
use super::{ConnectionBounds, OnPanic, Settings, SocketPlace, StallWatch, Token};
use crate::report::Sink;

/// Settings of an agent before it [starts](Self::start). [`builder`](crate::builder) makes one.
///
/// The operator's environment wins over all of it: see [the table](crate#environment).
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> Result<(), bw_agent::StartError> {
/// let agent = bw_agent::builder().no_socket().tcp(([127, 0, 0, 1], 0)).timeout(Duration::from_secs(5)).start()?;
/// println!("curl http://{}/debug/async/dump", agent.tcp().expect("it was told to listen"));
/// # agent.stop();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "an agent that is not started answers nobody"]
pub struct AgentBuilder {
    pub(crate) settings: Settings,
}

impl AgentBuilder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Listens on a unix socket of this path, and not in the user's folder; its own folder must be there. Those who ask must be
    /// told the path.
    ///
    /// A socket that nobody listens on any more is replaced, anything else at that path is left alone. The path must be shorter
    /// than about 100 bytes.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.socket = SocketPlace::At(path.into());
        self
    }

    /// Listens on no unix socket.
    pub fn no_socket(mut self) -> Self {
        self.settings.socket = SocketPlace::Nowhere;
        self
    }

    /// Listens on TCP as well. Port 0 takes one that is free; [`Agent::tcp`](crate::Agent::tcp) tells which.
    ///
    /// Whoever can connect can ask: with a loopback address that is every user of the machine, and every program that forwards
    /// to it. A [token](Self::token) keeps them out. Other addresses are refused without one, and the connection is not
    /// encrypted: where others can read along, put it behind something that does.
    pub fn tcp(mut self, address: impl Into<SocketAddr>) -> Self {
        self.settings.tcp = Some(address.into());
        self
    }

    /// What everybody who asks over TCP must send: as `Authorization: Bearer TOKEN`, or as the password of any user. The unix
    /// socket does not ask for it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.token = Some(Token::new(token));
        self
    }

    /// The runtime whose tasks dumps compare with those that are traced, so that they can say `traced 812 of 1,040 tasks alive`. Unless
    /// told, the one in which the agent is started, if it is.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.settings.runtime = Some(runtime);
        self
    }

    /// How long a dump waits for tasks to answer, where who asks does not say; two seconds unless told. At most a minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout.min(LONGEST_TIMEOUT);
        self
    }

    /// How many bytes an answer may have, and all together that clients have not read yet; 64 MiB unless told. Beyond it the
    /// answer is an error that says so.
    ///
    /// On top of that a dump takes about 200 bytes for each task while it is made, and the symbolizer has a bound of its own:
    /// [`backtrace_waker::symbolizer`].
    pub fn size_cap(mut self, bytes: usize) -> Self {
        self.settings.size_cap = bytes;
        self
    }

    /// For tests: who connects is given so little.
    #[doc(hidden)]
    pub fn bounds(mut self, connections: usize, headers: Duration, connection: Duration) -> Self {
        self.settings.connections = ConnectionBounds { connections: connections.max(1), headers, connection };
        self
    }

    // The triggers, one line each. See the crate's documentation of reports.

    /// Takes a dump of all tasks when the process gets that signal.
    ///
    /// A handler that is there keeps being called, and a warning says that there is one. One that is installed later replaces
    /// the agent's, unless it hands on as those of tokio and signal-hook do. **A process that has no agent is ended by these
    /// signals**: so it is before this one is started, and where the operator turned it off. After [`stop`](crate::Agent::stop)
    /// they do nothing.
    #[cfg(unix)]
    pub fn dump_on_signal(mut self, signal: impl Into<OnSignal>) -> Self {
        self.settings.on_signal = Some(signal.into());
        self
    }

    /// Takes a dump of all tasks when a thread panics.
    ///
    /// The hook is installed on top of the one that is there, which is called first: it prints what it always did, and if it ends
    /// the process, there is no dump. One that is set later replaces it, unless it calls the one before; so start the agent
    /// after that.
    pub fn dump_on_panic(mut self, on_panic: OnPanic) -> Self {
        self.settings.on_panic = Some(on_panic);
        self
    }

    /// Reports tasks that are stuck. A [`Duration`](std::time::Duration) is a [`StallWatch`] of that threshold.
    pub fn watch_stalls(mut self, watch: impl Into<StallWatch>) -> Self {
        self.settings.stall_watch = Some(watch.into());
        self
    }

    /// Sends the reports of all triggers there. May be called repeatedly: every sink gets every report. Without a call, reports go to
    /// stderr.
    pub fn report_to(mut self, sink: impl Into<Sink>) -> Self {
        self.settings.sinks.push(sink.into());
        self
    }
}
