//! What an agent is told before it starts: by the program, through [`AgentBuilder`], and by the operator, through the
//! [environment]. Both write to the same [`Settings`].

mod agent_builder;
mod connection_bounds;
pub(crate) mod environment;
mod on_panic;
#[cfg(unix)]
mod on_signal;
mod stall_watch;
pub(crate) mod start_error;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bw_dump::contract::endpoints::DEFAULT_TIMEOUT;
use tokio::runtime::Handle;

pub use self::agent_builder::AgentBuilder;
pub(crate) use self::connection_bounds::ConnectionBounds;
pub use self::on_panic::OnPanic;
#[cfg(unix)]
pub use self::on_signal::OnSignal;
pub use self::stall_watch::StallWatch;
pub(crate) use self::token::Token;
use crate::report::Sink;

/// Bytes that an answer may have unless told otherwise.
const SIZE_CAP: usize = 64 << 20;

/// Everything an agent is told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) socket: SocketPlace,
    pub(crate) tcp: Option<SocketAddr>,
    pub(crate) operator: OperatorPlaces,
    pub(crate) token: Option<Token>,
    pub(crate) runtime: Option<Handle>,
    /// How long a dump waits for tasks, where the request does not say.
    pub(crate) timeout: Duration,
    /// Bytes that an answer may have, and all answers together that nobody has read yet.
    pub(crate) size_cap: usize,
    pub(crate) connections: ConnectionBounds,
    #[cfg(unix)]
    pub(crate) on_signal: Option<OnSignal>,
    pub(crate) on_panic: Option<OnPanic>,
    pub(crate) stall_watch: Option<StallWatch>,
    /// Where reports go; stderr if there are none.
    pub(crate) sinks: Vec<Sink>,
    /// The operator's folder, where reports go as well.
    pub(crate) operator_sink: Option<Sink>,
}

/// Where the unix socket is to be.
#[derive(Clone, Debug)]
pub(crate) enum SocketPlace {
    /// In the folder where those who ask look for it.
    Folder,
    At(PathBuf),
    Nowhere,
}

/// Where the operator wants the agent to listen instead. A place that cannot be used is warned of, and what the program said holds:
/// a variable that is set for a whole machine must not keep a program from starting.
#[derive(Debug, Default)]
pub(crate) struct OperatorPlaces {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) tcp: Option<SocketAddr>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            socket: SocketPlace::Folder,
            tcp: None,
            operator: OperatorPlaces::default(),
            token: None,
            runtime: None,
            timeout: DEFAULT_TIMEOUT,
            size_cap: SIZE_CAP,
            connections: ConnectionBounds::default(),
            #[cfg(unix)]
            on_signal: None,
            on_panic: None,
            stall_watch: None,
            sinks: Vec::new(),
            operator_sink: None,
        }
    }
}

impl Settings {
    /// Whether a trigger is on.
    pub(crate) fn reports(&self) -> bool {
        #[cfg(unix)]
        let on_signal = self.on_signal.is_some();
        #[cfg(not(unix))]
        let on_signal = false;
        on_signal || self.on_panic.is_some() || self.stall_watch.is_some()
    }
}
