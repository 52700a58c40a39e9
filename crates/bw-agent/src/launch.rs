//! Starts the agent's thread. Whatever can fail does so before there is one, so that who starts it is told.

use std::mem::take;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use bw_dump::contract::endpoints::BASE;
use bw_dump::contract::environment::{SOCKET, TCP};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::agent::{Agent, Running};
use crate::listen::connections;
#[cfg(unix)]
use crate::listen::socket_file::{self, Listening};
use crate::os::NoSignals;
#[cfg(unix)]
use crate::os::fork_guard::NotInChildren;
use crate::report::warning::warn;
use crate::settings::start_error::StartError;
use crate::settings::{AgentBuilder, Settings, SocketPlace, Token, environment};
use crate::surface::{Coverage, Surface};
use crate::trigger::Triggers;

/// Virtual memory, of which is used what it needs: answers are made on threads beside it.
const STACK_BYTES: usize = 2 << 20;

/// Threads on which answers are made, at most. One would do, as there is one dump at a time; a list of tasks need not wait for it,
/// nor either for a report, and one that code of the program's blocks for ever leaves enough of them.
const WORKERS: usize = 4;

/// How long such a thread waits for more to do. An agent is asked seldom, and then again.
const WORKER_STAYS: Duration = Duration::from_secs(10);

impl AgentBuilder {
    /// Starts the agent: see [`start`](crate::start).
    ///
    /// # Errors
    ///
    /// If it cannot listen where it was told to, or its thread cannot be started.
    pub fn start(mut self) -> Result<Agent, StartError> {
        if environment::apply(&mut self.settings) { launch(self.settings) } else { Ok(Agent::off()) }
    }
}

fn launch(mut settings: Settings) -> Result<Agent, StartError> {
    let (tcp, operator, token) = (settings.tcp, take(&mut settings.operator), settings.token.take());
    let runtime = settings.runtime.take();
    let coverage = runtime.or_else(|| Handle::try_current().ok()).map_or(Coverage::Unknown, Coverage::Of);
    let started_at = SystemTime::now();

    let bind = |address| bind(address, token.as_ref());
    let operator_tcp = operator.tcp.map(bind);
    let is_operator_tcp = matches!(operator_tcp, Some(Ok(_)));
    let program_tcp = || tcp.map(bind).transpose();
    let tcp = wanted(TCP, operator_tcp, program_tcp, |tcp| {
        tcp.local_addr().map_or_else(|_| "TCP".into(), |address| address.to_string())
    })?;
    let own = OwnRuntime::new()?;
    let entered = own.enter();
    let triggers = Triggers::arm(&mut settings)?;
    let tcp = tcp.map(tokio_listener).transpose()?;
    let tcp_address = tcp.as_ref().map(|tcp| tcp.address);
    #[cfg(unix)]
    let unix = {
        let operator_socket = operator.socket.map(|path| socket_file::at_path(&path));
        let program_socket = || match &settings.socket {
            SocketPlace::Folder => socket_file::in_folder().map(Some),
            SocketPlace::At(path) => socket_file::at_path(path).map(Some),
            SocketPlace::Nowhere => Ok(None),
        };
        wanted(SOCKET, operator_socket, program_socket, |unix| unix.file.path().display().to_string())?
    };
    #[cfg(not(unix))]
    if let SocketPlace::At(path) = &settings.socket {
        return Err(StartError::new(format!(
            "{}: unix sockets are for unix; use AgentBuilder::tcp",
            path.display()
        )));
    }
    #[cfg(unix)]
    let (socket_file, unix) = match unix.map(tokio_unix_listener).transpose()? {
        Some((file, unix)) => (Some(file), Some(unix)),
        None => (None, None),
    };
    drop(entered);
    let surface = Surface::new(&settings, coverage, Some(started_at), tcp_address);
    let bounds = settings.connections;

    let (stop, stopped) = oneshot::channel();
    #[cfg(unix)]
    let thread_file = socket_file.clone();
    let main = move || {
        let serve = async move {
            triggers.run(Arc::clone(&surface));
            #[cfg(unix)]
            if let Some(unix) = unix {
                tokio::spawn(connections::on_unix(unix, Arc::clone(&surface), bounds));
            }
            if let Some(tcp) = tcp {
                tokio::spawn(connections::on_tcp(tcp, token, surface, bounds));
            }
            // Who drops the handle without a word wants it to run on.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let ran = panic::catch_unwind(AssertUnwindSafe(|| own.run(serve)));
        if ran.is_err() {
            warn(
                "the agent has ended by a panic, which is a bug of backtrace-waker; nobody can ask any more",
            );
        }
        #[cfg(unix)]
        if let Some(file) = thread_file {
            file.remove();
        }
    };
    let spawned = {
        let _no_signals = NoSignals::here();
        thread::Builder::new().name("bw-agent".into()).stack_size(STACK_BYTES).spawn(main)
    };
    let thread = spawned.map_err(|cause| {
        #[cfg(unix)]
        if let Some(file) = &socket_file {
            file.remove();
        }
        StartError::because("its thread could not be started; the process may have too many", cause)
    })?;
    if let Some(address) = tcp_address.filter(|_| is_operator_tcp) {
        // Who wrote the program may not print it, and the port may be any.
        warn(format_args!("listens on http://{address}{BASE}"));
    }
    Ok(Agent::new(Running {
        #[cfg(unix)]
        socket: socket_file,
        tcp: tcp_address,
        process: std::process::id(),
        thread: Mutex::new(Some((stop, thread))),
    }))
}

/// What the operator wants, if it can be had, or else what the program does: then a warning says what holds instead, and where that
/// is.
fn wanted<L>(
    variable: &str,
    operator: Option<Result<L, StartError>>,
    program: impl FnOnce() -> Result<Option<L>, StartError>,
    place: impl FnOnce(&L) -> String,
) -> Result<Option<L>, StartError> {
    let error = match operator {
        None => return program(),
        Some(Ok(listening)) => return Ok(Some(listening)),
        Some(Err(error)) => error,
    };
    let instead = program();
    let holds = match &instead {
        Ok(Some(listening)) => format!("and the agent listens on {} instead", place(listening)),
        _ => "as if it were not set".to_owned(),
    };
    warn(format_args!("{variable} is ignored, {holds}: {}", error.why()));
    instead
}

/// The agent's own runtime. Dropped where it may not block, it does not.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("bw-agent-work")
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(WORKERS)
            .thread_keep_alive(WORKER_STAYS)
            .build();
        let hint = "its runtime could not be made; the process may have too many files open";
        runtime.map(|runtime| Self(Some(runtime))).map_err(|cause| StartError::because(hint, cause))
    }

    fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }

    fn run(&self, future: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(future);
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn bind(address: SocketAddr, token: Option<&Token>) -> Result<TcpListener, StartError> {
    match token {
        Some(token) if token.is_empty() => {
            return Err(StartError::new(
                "the token is empty, so everybody would know it; give it a secret one",
            ));
        }
        None if !address.ip().to_canonical().is_loopback() => {
            return Err(StartError::new(format!(
                "others than this machine could ask on {address}; give it a token with AgentBuilder::token or \
                 BACKTRACE_WAKER_TOKEN, or listen on 127.0.0.1"
            )));
        }
        _ => {}
    }
    let hint =
        || format!("cannot listen on {address}; is another program there? Port 0 takes one that is free");
    TcpListener::bind(address).map_err(|cause| StartError::because(hint(), cause))
}

fn tokio_listener(listener: TcpListener) -> Result<connections::Tcp, StartError> {
    #[cfg(unix)]
    let not_in_children = NotInChildren::new(listener.as_fd());
    let made = listener.local_addr().and_then(|address| {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(connections::Tcp {
            address,
            #[cfg(unix)]
            not_in_children,
            listener,
        })
    });
    made.map_err(|cause| StartError::because("its runtime could not take the listener", cause))
}

#[cfg(unix)]
fn tokio_unix_listener(
    listening: Listening,
) -> Result<(Arc<socket_file::SocketFile>, connections::Unix), StartError> {
    let Listening { file, not_in_children, listener } = listening;
    match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => Ok((file, connections::Unix { not_in_children, listener })),
        Err(cause) => {
            file.remove();
            Err(StartError::because("its runtime could not take the listener", cause))
        }
    }
}
