//! Starts the agent's thread. Whatever can fail does so before there is one, so that who starts it is told.

use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use axum::middleware;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::access::{Token, only_who_may};
use crate::agent::{Agent, Running};
use crate::builder::{AgentBuilder, SocketPlace};
use crate::error::StartError;
#[cfg(unix)]
use crate::forked::NotInChildren;
use crate::listen;
use crate::os::NoSignals;
use crate::report;
use crate::router;
#[cfg(unix)]
use crate::socket::{self, Listening};
use crate::surface::{Coverage, Surface};

/// Virtual memory, of which is used what it needs: answers are made on threads beside it.
const STACK_BYTES: usize = 2 << 20;

/// Threads on which answers are made, at most. One would do, as there is one dump at a time; a list of tasks need not wait for it,
/// nor either for a report, and one that code of the program's blocks for ever leaves enough of them.
const WORKERS: usize = 4;

/// How long such a thread waits for more to do. An agent is asked seldom, and then again.
const WORKER_STAYS: Duration = Duration::from_secs(10);

pub(crate) fn launch(builder: AgentBuilder) -> Result<Agent, StartError> {
    let AgentBuilder { socket, tcp, of_operator, token, runtime, settings, bounds, triggers } = builder;
    let coverage = runtime.or_else(|| Handle::try_current().ok()).map_or(Coverage::Unknown, Coverage::Of);
    let started_at = SystemTime::now();

    let bind = |address| bind(address, token.as_ref());
    let of_operator_tcp = of_operator.tcp.map(bind);
    let is_tcp_of_operator = matches!(of_operator_tcp, Some(Ok(_)));
    let of_program_tcp = || tcp.map(bind).transpose();
    let tcp = wanted("BACKTRACE_WAKER_TCP", of_operator_tcp, of_program_tcp, |tcp| {
        tcp.local_addr().map_or_else(|_| "TCP".into(), |address| address.to_string())
    })?;
    let own = Own::new()?;
    let entered = own.enter();
    let triggers = triggers.arm()?;
    let tcp = tcp.map(tokio_listener).transpose()?;
    let tcp_address = tcp.as_ref().map(|tcp| tcp.address);
    #[cfg(unix)]
    let unix = {
        let of_operator = of_operator.socket.map(|path| socket::at_path(&path));
        let of_program = || match socket {
            SocketPlace::Folder => socket::in_folder().map(Some),
            SocketPlace::At(path) => socket::at_path(&path).map(Some),
            SocketPlace::Nowhere => Ok(None),
        };
        wanted("BACKTRACE_WAKER_SOCKET", of_operator, of_program, |unix| {
            unix.file.path().display().to_string()
        })?
    };
    #[cfg(not(unix))]
    if let SocketPlace::At(path) = socket {
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
    let surface = Surface::new(settings, coverage, Some(started_at), tcp_address);
    let router = router::of_agent(Arc::clone(&surface));

    let (stop, stopped) = oneshot::channel();
    #[cfg(unix)]
    let of_thread = socket_file.clone();
    let main = move || {
        let serve = async move {
            triggers.run(surface);
            #[cfg(unix)]
            if let Some(unix) = unix {
                tokio::spawn(listen::on_unix(unix, router.clone(), bounds));
            }
            if let Some(tcp) = tcp {
                let access = move |request, next| only_who_may(token.clone(), request, next);
                tokio::spawn(listen::on_tcp(tcp, router.layer(middleware::from_fn(access)), bounds));
            }
            // Who drops the handle without a word wants it to run on.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let ran = panic::catch_unwind(AssertUnwindSafe(|| own.run(serve)));
        if ran.is_err() {
            report::warn(
                "the agent has ended by a panic, which is a bug of backtrace-waker; nobody can ask any more",
            );
        }
        #[cfg(unix)]
        if let Some(file) = of_thread {
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
    if let Some(address) = tcp_address.filter(|_| is_tcp_of_operator) {
        // Who wrote the program may not print it, and the port may be any.
        report::warn(format_args!("listens on http://{address}/debug/async/"));
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
    of_operator: Option<Result<L, StartError>>,
    of_program: impl FnOnce() -> Result<Option<L>, StartError>,
    place: impl FnOnce(&L) -> String,
) -> Result<Option<L>, StartError> {
    let error = match of_operator {
        None => return of_program(),
        Some(Ok(listening)) => return Ok(Some(listening)),
        Some(Err(error)) => error,
    };
    let instead = of_program();
    let holds = match &instead {
        Ok(Some(listening)) => format!("and the agent listens on {} instead", place(listening)),
        _ => "as if it were not set".to_owned(),
    };
    report::warn(format_args!("{variable} is ignored, {holds}: {}", error.why()));
    instead
}

/// The agent's own runtime. Dropped where it may not block, it does not.
struct Own(Option<Runtime>);

impl Own {
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

impl Drop for Own {
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

fn tokio_listener(listener: TcpListener) -> Result<listen::Tcp, StartError> {
    #[cfg(unix)]
    let not_in_children = NotInChildren::new(listener.as_fd());
    let made = listener.local_addr().and_then(|address| {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(listen::Tcp {
            address,
            #[cfg(unix)]
            not_in_children,
            listener,
        })
    });
    made.map_err(|cause| StartError::because("its runtime could not take the listener", cause))
}

#[cfg(unix)]
fn tokio_unix_listener(listening: Listening) -> Result<(Arc<socket::SocketFile>, listen::Unix), StartError> {
    let Listening { file, not_in_children, listener } = listening;
    match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => Ok((file, listen::Unix { not_in_children, listener })),
        Err(cause) => {
            file.remove();
            Err(StartError::because("its runtime could not take the listener", cause))
        }
    }
}
