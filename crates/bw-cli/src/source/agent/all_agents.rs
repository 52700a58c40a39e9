//! All agents that can be found, and how each describes its process.

use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bw_dump::contract::endpoints::PROCESS;
use bw_dump::contract::{InvalidProcessDescription, ProcessDescription};

use super::http::{self, Answer, Bounds, NoAnswer};
use super::process::Process;
use super::socket::{self, Peer};
use super::{Agent, CONNECT, Place, is_not_halted, users};
use crate::output::failure::Failure;

/// So many are asked at once.
const AT_ONCE: usize = 64;
/// How much longer than each of them all may take together.
const FACTOR: u32 = 100;
/// Bytes of an answer that are taken.
const MOST_BYTES: usize = 64 * 1024;

/// A process that was found.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Where its agent listens; `None` for a process whose memory is read.
    pub(crate) socket: Option<PathBuf>,
    /// As the kernel numbers it here; `None` where it is in a container that this process is not to see into.
    pub(crate) process: Option<Process>,
    pub(crate) uid: Option<u32>,
    /// What it says, or why it does not.
    pub(crate) description: Result<ProcessDescription, String>,
}

/// Finds all agents that this user may ask, and asks each, for so long at most. By process. What is left of those that ended is
/// left out, and left where it is.
pub(crate) fn list(timeout: Duration) -> Result<Vec<Listed>, Failure> {
    let sockets = socket::all();
    let deadline = Instant::now() + timeout.saturating_mul(FACTOR);
    let mut listed = Vec::new();
    for some in sockets.chunks(AT_ONCE) {
        if Instant::now() >= deadline {
            return Err(Failure::new("there are too many sockets to ask in time"));
        }
        let asked: io::Result<Vec<_>> = thread::scope(|scope| {
            let ask = |(path, owner): &(PathBuf, u32)| {
                let (path, owner) = (path.clone(), *owner);
                thread::Builder::new().spawn_scoped(scope, move || ask_one(path, owner, timeout))
            };
            let threads: io::Result<Vec<_>> = some.iter().map(ask).collect();
            let asked =
                threads?.into_iter().map(|thread| thread.join().unwrap_or_else(|it| resume_unwind(it)));
            Ok(asked.collect())
        });
        let asked = asked.map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        listed.extend(asked.into_iter().flatten());
    }
    listed.sort_by_key(|it| (it.process.as_ref().map(Process::pid), it.socket.clone()));
    Ok(listed)
}

/// Finds the agents of processes that are named so, one for each process: the processes and their sockets. Connects to the sockets
/// that this user may ask, and asks nothing.
pub(super) fn of_name(name: &str) -> Vec<(Process, PathBuf)> {
    let mut found: Vec<(Process, PathBuf)> = Vec::new();
    for (socket, owner) in socket::all() {
        let Ok((_, Peer { uid, pid: Some(pid) })) = socket::connect(&socket, http::deadline(CONNECT)) else {
            continue;
        };
        let process = Process::new(pid);
        let is_known = found.iter().any(|(known, _)| known.pid() == pid);
        if uid == owner && !is_known && process.is_named(name) {
            found.push((process, socket));
        }
    }
    found.sort_by_key(|(process, _)| process.pid());
    found
}

/// `None` where nobody listens any more.
fn ask_one(socket: PathBuf, owner: u32, timeout: Duration) -> Option<Listed> {
    let mut agent = Agent { place: Place::Socket(socket.clone()), token: None, process: None };
    let mut uid = None;
    let bounds = Bounds { deadline: http::deadline(timeout), most_bytes: MOST_BYTES };
    let answer = match ask(&socket, owner, &mut agent, &mut uid, bounds) {
        Err(NoAnswer::Connect(error)) if is_gone(&error) => return None,
        answer => answer.map_err(|no_answer| agent.explain(no_answer, timeout)),
    };
    let description = answer.and_then(|answer| agent.check(answer)).and_then(|body| read(&body));
    let description = description.map_err(Failure::without_subject);
    Some(Listed { socket: Some(socket), process: agent.process, uid, description })
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

fn ask(
    path: &Path,
    owner: u32,
    agent: &mut Agent,
    uid: &mut Option<u32>,
    bounds: Bounds,
) -> Result<Answer, NoAnswer> {
    let (stream, Peer { uid: peer, pid }) = socket::connect(path, bounds.deadline)?;
    *uid = Some(peer);
    agent.process = pid.map(Process::new);
    // Root asks everybody's, and nobody may have it ask somebody else's.
    if peer != owner {
        let (peer, owner) = (users::name(peer), users::name(owner));
        return Err(NoAnswer::Own(format!("not asked: the socket is {owner}'s, and {peer} listens there")));
    }
    is_not_halted(agent.process.as_ref())?;
    http::get_over_socket(stream, PROCESS, bounds)
}

fn read(body: &[u8]) -> Result<ProcessDescription, Failure> {
    ProcessDescription::from_json(body).map_err(|error| match error {
        InvalidProcessDescription::NewerVersion(version) => Failure::new(format!(
            "its agent is newer (version {version}) than this command (version {}): use a newer one",
            ProcessDescription::VERSION
        )),
        _ => Failure::new("its answer is none of an agent's"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_is_read_and_what_others_say_is_not() {
        let description =
            read(br#"{"format":"backtrace-waker agent","version":1,"pid":7,"tasks":3,"more":[]}"#).unwrap();
        assert_eq!((description.pid, description.tasks, description.executable), (Some(7), Some(3), None));
        for (body, message) in [
            (&br#"{"format":"backtrace-waker agent","version":2}"#[..], "newer (version 2)"),
            (br#"{"format":"something","version":1}"#, "none of an agent's"),
            (br#"{"version":1}"#, "none of an agent's"),
            (b"<html>", "none of an agent's"),
            (b"", "none of an agent's"),
            (br#"{"format":"backtrace-waker agent","version":1,"pid":-7}"#, "none of an agent's"),
        ] {
            assert!(read(body).unwrap_err().to_string().contains(message), "{message}");
        }
    }
}
