//! What an agent is told before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::access::Token;
use crate::agent::Agent;
use crate::bounds::Bounds;
use crate::environment::Environment;
use crate::error::StartError;
use crate::launch;
use crate::surface::Settings;
use crate::trigger::Triggers;

/// What an agent is told before it [starts](Self::start); made by [`builder`](crate::builder).
///
/// The operator's environment wins over all of it: see [the table](crate#environment).
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> Result<(), bw_agent::StartError> {
/// let agent = bw_agent::builder().no_socket().tcp(([127, 0, 0, 1], 0)).deadline(Duration::from_secs(5)).start()?;
/// println!("curl http://{}/debug/async/dump", agent.tcp().expect("it was told to listen"));
/// # agent.stop();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an agent that is not started answers nobody"]
pub struct AgentBuilder {
    pub(crate) socket: SocketPlace,
    pub(crate) tcp: Option<SocketAddr>,
    /// What the operator wants instead of those two, where it can be had.
    pub(crate) of_operator: OfOperator,
    pub(crate) token: Option<Token>,
    pub(crate) runtime: Option<Handle>,
    pub(crate) settings: Settings,
    pub(crate) bounds: Bounds,
    /// What makes it report without being asked; see the module.
    pub(crate) triggers: Triggers,
}

/// Where the unix socket is to be.
#[derive(Clone, Debug)]
pub(crate) enum SocketPlace {
    /// In the folder where those who ask look for it.
    Folder,
    At(PathBuf),
    Nowhere,
}

/// Where the operator wants it to listen. What is not possible is warned of, and what the program said holds: a variable that is
/// set for a whole machine must not keep a program from starting.
#[derive(Debug, Default)]
pub(crate) struct OfOperator {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) tcp: Option<SocketAddr>,
}

impl AgentBuilder {
    pub(crate) fn new() -> Self {
        Self {
            socket: SocketPlace::Folder,
            tcp: None,
            of_operator: OfOperator::default(),
            token: None,
            runtime: None,
            settings: Settings::default(),
            bounds: Bounds::default(),
            triggers: Triggers::default(),
        }
    }

    /// Listens on a unix socket of this path, and not in the user's folder; its own folder must be there. Those who ask must be
    /// told the path.
    ///
    /// A socket that nobody listens on any more is replaced, anything else at that path is left alone. The path must be shorter
    /// than about 100 bytes.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = SocketPlace::At(path.into());
        self
    }

    /// Listens on no unix socket.
    pub fn no_socket(mut self) -> Self {
        self.socket = SocketPlace::Nowhere;
        self
    }

    /// Listens on TCP as well. Port 0 takes one that is free; [`Agent::tcp`] tells which.
    ///
    /// Whoever can connect can ask: with a loopback address that is every user of the machine, and every program that forwards
    /// to it. A [token](Self::token) keeps them out. Other addresses are refused without one, and the connection is not
    /// encrypted: where others can read along, put it behind something that does.
    pub fn tcp(mut self, address: impl Into<SocketAddr>) -> Self {
        self.tcp = Some(address.into());
        self
    }

    /// What everybody who asks over TCP must send: as `Authorization: Bearer TOKEN`, or as the password of any user. The unix
    /// socket does not ask for it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::new(token));
        self
    }

    /// The runtime whose tasks dumps compare with those that are traced, so that they can say `traced 812 of 1,040 tasks alive`. Unless
    /// told, the one in which the agent is started, if it is.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// How long a dump waits for tasks to answer, where who asks does not say; two seconds unless told. At most a minute.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline.min(Settings::LONGEST);
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
        self.bounds = Bounds { connections: connections.max(1), headers, connection };
        self
    }

    /// Starts it: see [`start`](crate::start).
    ///
    /// # Errors
    ///
    /// If it cannot listen where it was told to, or its thread cannot be started.
    pub fn start(mut self) -> Result<Agent, StartError> {
        let environment = Environment::of_process();
        if environment.is_off() {
            return Ok(Agent::off());
        }
        environment.apply(&mut self);
        launch::launch(self)
    }
}
