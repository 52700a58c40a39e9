//! An agent, and asking it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::explain;
use super::http::{self, Answer, Trouble};
use super::process::Process;
use super::socket::{self, Peer};
use super::url::{self, Url};
use crate::failure::Failure;
use crate::users;

/// How long to wait for one of several sockets to take a connection, which it does at once unless its queue is full.
const CONNECT: Duration = Duration::from_secs(1);

/// Where an agent listens.
#[derive(Debug)]
pub(super) enum Place {
    Socket(PathBuf),
    Url(Url),
}

/// An agent: what answers in a process.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(super) place: Place,
    pub(super) token: Option<String>,
    /// The process, if it is of this machine.
    pub(super) process: Option<Process>,
}

impl Agent {
    /// The agent of a process of this machine. Looks where its socket may be, and asks the kernel whose each is.
    pub(crate) fn of_process(pid: u32, limit: Duration) -> Result<Self, Failure> {
        let process = Process::new(pid);
        if !process.is_alive() {
            return Err(Failure::ended(format!(
                "no process has the number {pid}: it has ended, or never was; `backtrace-waker ps` lists those that can be asked"
            )));
        }
        let mut denied = None;
        let limit = limit.min(CONNECT);
        for path in socket::of_process(&process) {
            match http::within(limit, socket::connect(&path)) {
                Ok((_, peer)) if peer.pid == Some(pid) => {
                    return Ok(Self { place: Place::Socket(path), token: None, process: Some(process) });
                }
                Err(Trouble::Connect(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                    denied = Some(path);
                }
                // Whose it is cannot be told, but its name does; what is wrong, asking it will tell.
                Err(Trouble::Timeout)
                    if path.file_stem().is_some_and(|it| it == pid.to_string().as_str()) =>
                {
                    return Ok(Self { place: Place::Socket(path), token: None, process: Some(process) });
                }
                _ => {}
            }
        }
        Err(explain::no_agent(&process, denied.as_deref()))
    }

    /// The agent at a socket. Nothing is asked yet.
    pub(crate) fn at_socket(path: &Path, limit: Duration) -> Result<Self, Failure> {
        let mut agent = Self { place: Place::Socket(path.to_owned()), token: None, process: None };
        let (_, peer) =
            http::within(limit, socket::connect(path)).map_err(|trouble| agent.failure(trouble, limit))?;
        agent.process = peer.pid.map(Process::new);
        Ok(agent)
    }

    /// The agent at a URL. Nothing is asked yet.
    pub(crate) fn at_url(url: Url, token: Option<String>) -> Self {
        Self { place: Place::Url(url), token, process: None }
    }

    /// The process it is in, if that is one of this machine.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Asks for what it has at `name`, such as `dump?format=raw`. Blocks, for so long at most.
    pub(crate) fn ask(&self, name: &str, limit: Duration, most_bytes: usize) -> Result<Vec<u8>, Failure> {
        let answer = match &self.place {
            Place::Socket(path) => http::within(limit, self.over_socket(path, name, most_bytes)),
            #[cfg(feature = "https")]
            Place::Url(url) if url.is_https => {
                super::https::get(url, name, self.token.as_deref(), limit, most_bytes)
            }
            #[cfg(not(feature = "https"))]
            Place::Url(url) if url.is_https => Err(Trouble::Own(format!(
                "{url}: this command was built without the feature `https`: build it with, or ask through a tunnel (ssh -L)"
            ))),
            Place::Url(url) => http::within(limit, self.over_tcp(url, name, most_bytes)),
        };
        let answer = answer.map_err(|trouble| self.failure(trouble, limit))?;
        self.check(answer)
    }

    async fn over_socket(&self, path: &Path, name: &str, most_bytes: usize) -> Result<Answer, Trouble> {
        is_not_halted(self.process.as_ref())?;
        let (stream, Peer { uid, pid }) = socket::connect(path).await?;
        if !socket::is_trusted(uid) {
            return Err(Trouble::Own(format!(
                "{path} belongs to {user}, whose answers are not taken: run this as {user}, or with sudo",
                path = path.display(),
                user = users::name(uid),
            )));
        }
        if let (Some(process), Some(pid)) = (&self.process, pid)
            && process.pid() != pid
        {
            return Err(Trouble::Replaced(pid));
        }
        let path = format!("{}{name}", url::BASE);
        http::get(stream, "localhost", &path, None, most_bytes).await
    }

    async fn over_tcp(&self, url: &Url, name: &str, most_bytes: usize) -> Result<Answer, Trouble> {
        let addresses = tokio::net::lookup_host((&*url.host, url.port)).await;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses.map_err(Trouble::Connect)? {
            match tokio::net::TcpStream::connect(address).await {
                Ok(stream) => {
                    let path = url.path(name);
                    return http::get(stream, &url.authority, &path, self.token.as_deref(), most_bytes).await;
                }
                Err(error) => last = error,
            }
        }
        Err(Trouble::Connect(last))
    }
}

/// Said before anybody waits for an answer: the kernel takes connections for a process that is stopped.
pub(super) fn is_not_halted(process: Option<&Process>) -> Result<(), Trouble> {
    process.and_then(Process::halted).map_or(Ok(()), |why| Err(Trouble::Halted(why)))
}
