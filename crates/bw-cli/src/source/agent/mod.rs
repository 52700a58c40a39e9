//! An agent, and asking it: where its socket is, who is at the other end, and what to do where it does not answer.

pub(crate) mod all_agents;
mod explain;
mod http;
pub(crate) mod process;
#[cfg_attr(not(unix), path = "no_socket.rs")]
mod socket;
mod socket_transport;
pub(crate) mod users;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bw_dump::contract::sockets::SocketName;

use crate::options::url::Url;
use crate::output::failure::Failure;
use http::{Answer, Bounds, NoAnswer};
use process::Process;
use socket::Peer;

/// How long to wait for one of several sockets to take a connection, which it does at once unless its queue is full.
const CONNECT: Duration = Duration::from_secs(1);

/// Where an agent listens.
#[derive(Debug)]
enum Place {
    Socket(PathBuf),
    Url(Url),
}

/// An agent: what answers in a process.
#[derive(Debug)]
pub(crate) struct Agent {
    place: Place,
    token: Option<String>,
    /// The process, if it is of this machine.
    process: Option<Process>,
}

impl Agent {
    /// The agent of a process of this machine. Looks where its socket may be, and asks the kernel whose each is.
    pub(crate) fn of_process(pid: u32, timeout: Duration) -> Result<Self, Failure> {
        let process = Process::new(pid);
        if !process.is_alive() {
            return Err(Failure::ended(format!(
                "no process has the number {pid}: it has ended, or never was; `backtrace-waker ps` lists those that can be asked"
            )));
        }
        let mut denied = None;
        for path in socket::of_process(&process) {
            match socket::connect(&path, http::deadline(timeout.min(CONNECT))) {
                Ok((_, peer)) if peer.pid == Some(pid) => {
                    return Ok(Self { place: Place::Socket(path), token: None, process: Some(process) });
                }
                Err(NoAnswer::Connect(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                    denied = Some(path);
                }
                // Whose it is cannot be told, but its name does; what is wrong, asking it will tell.
                Err(NoAnswer::Timeout) if socket::name_of(&path) == Some(SocketName::new(pid, 0)) => {
                    return Ok(Self { place: Place::Socket(path), token: None, process: Some(process) });
                }
                _ => {}
            }
        }
        Err(explain::no_agent(&process, denied.as_deref()))
    }

    /// The agent of the process of this machine that is named so. `None` if no process is, or none with an agent. Connects to every
    /// socket that this user may ask, to learn whose it is.
    pub(crate) fn with_name(name: &str) -> Result<Option<Self>, Failure> {
        let mut found = all_agents::of_name(name);
        if found.len() > 1 {
            return Err(explain::ambiguous(name, found.iter().map(|(process, _)| process)));
        }
        if let Some((process, socket)) = found.pop() {
            return Ok(Some(Self { place: Place::Socket(socket), token: None, process: Some(process) }));
        }
        Ok(None)
    }

    /// The agent at a socket. Nothing is asked yet.
    pub(crate) fn at_socket(path: &Path, timeout: Duration) -> Result<Self, Failure> {
        let mut agent = Self { place: Place::Socket(path.to_owned()), token: None, process: None };
        let connected = socket::connect(path, http::deadline(timeout));
        let (_, peer) = connected.map_err(|no_answer| agent.failure(no_answer, timeout))?;
        agent.process = peer.pid.map(Process::new);
        Ok(agent)
    }

    /// The agent at a URL. Nothing is asked yet.
    pub(crate) fn at_url(url: Url, token: Option<String>) -> Self {
        Self { place: Place::Url(url), token, process: None }
    }

    /// Whether it is at a URL: such an agent may want a token.
    pub(crate) fn is_at_url(&self) -> bool {
        matches!(self.place, Place::Url(_))
    }

    /// The process it is in, if that is one of this machine.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Asks for what it has at `name`, such as `dump?format=raw`. Blocks, for so long at most.
    pub(crate) fn ask(&self, name: &str, timeout: Duration, most_bytes: usize) -> Result<Vec<u8>, Failure> {
        let bounds = Bounds { deadline: http::deadline(timeout), most_bytes };
        let answer = match &self.place {
            Place::Socket(path) => self.ask_at_socket(path, name, bounds),
            Place::Url(url) => http::get(url, name, self.token.as_deref(), bounds),
        };
        let answer = answer.map_err(|no_answer| self.failure(no_answer, timeout))?;
        self.check(answer)
    }

    fn ask_at_socket(&self, path: &Path, name: &str, bounds: Bounds) -> Result<Answer, NoAnswer> {
        is_not_halted(self.process.as_ref())?;
        let (stream, Peer { uid, pid }) = socket::connect(path, bounds.deadline)?;
        if !socket::is_trusted(uid) {
            return Err(NoAnswer::Own(format!(
                "{path} belongs to {user}, whose answers are not taken: run this as {user}, or with sudo",
                path = path.display(),
                user = users::name(uid),
            )));
        }
        if let (Some(process), Some(pid)) = (&self.process, pid)
            && process.pid() != pid
        {
            return Err(NoAnswer::Replaced(pid));
        }
        http::get_over_socket(stream, name, bounds)
    }
}

/// The process of this machine that is named so, whether it has an agent or not. `None` if none is.
pub(crate) fn only_process(name: &str) -> Result<Option<Process>, Failure> {
    let own = std::process::id();
    let mut found: Vec<Process> =
        Process::all().filter(|process| process.pid() != own && process.is_named(name)).collect();
    found.sort_by_key(Process::pid);
    if found.len() > 1 {
        return Err(explain::ambiguous(name, found.iter()));
    }
    Ok(found.pop())
}

/// Said before anybody waits for an answer: the kernel takes connections for a process that is stopped.
fn is_not_halted(process: Option<&Process>) -> Result<(), NoAnswer> {
    process.and_then(Process::halted).map_or(Ok(()), |why| Err(NoAnswer::Halted(why)))
}
