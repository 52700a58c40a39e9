//! All agents that can be found, and what each says of its process.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::agent::{Agent, Place, is_not_halted};
use super::http::{self, Answer, Trouble};
use super::process::Process;
use super::socket::{self, Peer};
use super::url;
use crate::failure::Failure;
use crate::users;

/// So many are asked at once.
const AT_ONCE: usize = 64;
/// How much longer than each of them all may take together.
const FACTOR: u32 = 100;
/// Bytes of an answer that are taken.
const MOST_BYTES: usize = 64 * 1024;
/// The version of what agents say that is known here.
const VERSION: u64 = 1;

/// An agent that was found.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) socket: PathBuf,
    /// As the kernel numbers it here; `None` where it is in a container that this process is not to see into.
    pub(crate) process: Option<Process>,
    pub(crate) uid: Option<u32>,
    /// What it says, or why it does not.
    pub(crate) says: Result<Says, String>,
}

/// What an agent says of its process. Nothing in it is to be trusted.
#[derive(Debug, Deserialize)]
pub(crate) struct Says {
    format: String,
    version: u64,
    pub(crate) package: Option<String>,
    /// As the process numbers itself.
    pub(crate) pid: Option<u32>,
    pub(crate) executable: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) agent_started_at: Option<String>,
    pub(crate) tasks: Option<u64>,
}

/// Finds all agents that this user may ask, and asks each, for so long at most. By process. What is left of those that ended is
/// left out, and left where it is.
pub(crate) fn list(limit: Duration) -> Result<Vec<Listed>, Failure> {
    let sockets = socket::all();
    let all = async {
        let mut listed = Vec::new();
        for some in sockets.chunks(AT_ONCE) {
            let asked: Vec<_> =
                some.iter().map(|(path, owner)| tokio::spawn(one(path.clone(), *owner, limit))).collect();
            for one in asked {
                let one = one.await.map_err(|error| Trouble::Own(error.to_string()))?;
                listed.extend(one);
            }
        }
        Ok(listed)
    };
    let mut listed = http::within(limit.saturating_mul(FACTOR), all).map_err(|trouble| match trouble {
        Trouble::Own(message) => Failure::new(message),
        _ => Failure::new("there are too many sockets to ask in time"),
    })?;
    listed.sort_by_key(|it| (it.process.as_ref().map(Process::pid), it.socket.clone()));
    Ok(listed)
}

/// `None` where nobody listens any more.
async fn one(socket: PathBuf, owner: u32, limit: Duration) -> Option<Listed> {
    let mut agent = Agent { place: Place::Socket(socket.clone()), token: None, process: None };
    let mut uid = None;
    let says = match timeout(limit, ask(&socket, owner, &mut agent, &mut uid)).await {
        Ok(Err(Trouble::Connect(error))) if is_gone(&error) => return None,
        Ok(answer) => answer,
        Err(_) => Err(Trouble::Timeout),
    };
    let says = says.map_err(|trouble| agent.explain(trouble, limit)).and_then(|answer| agent.check(answer));
    let says = says.and_then(|body| read(&body));
    let who = agent.who();
    let short = |failure: Failure| {
        let message = failure.to_string();
        message
            .strip_prefix(&*who)
            .map(|rest| rest.trim_start_matches([':', ' ']).to_owned())
            .unwrap_or(message)
    };
    let says = says.map_err(short);
    Some(Listed { socket, process: agent.process, uid, says })
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

async fn ask(path: &Path, owner: u32, agent: &mut Agent, uid: &mut Option<u32>) -> Result<Answer, Trouble> {
    let (stream, Peer { uid: peer, pid }) = socket::connect(path).await?;
    *uid = Some(peer);
    agent.process = pid.map(Process::new);
    // Root asks everybody's, and nobody may have it ask somebody else's.
    if peer != owner {
        let (peer, owner) = (users::name(peer), users::name(owner));
        return Err(Trouble::Own(format!("not asked: the socket is {owner}'s, and {peer} listens there")));
    }
    is_not_halted(agent.process.as_ref())?;
    http::get(stream, "localhost", &format!("{}process", url::BASE), None, MOST_BYTES).await
}

fn read(body: &[u8]) -> Result<Says, Failure> {
    let no_agent = || Failure::new("its answer is none of an agent's");
    let says: Says = serde_json::from_slice(body).map_err(|_| no_agent())?;
    if says.format != "backtrace-waker agent" {
        return Err(no_agent());
    }
    if says.version > VERSION {
        return Err(Failure::new(format!(
            "its agent is newer (version {}) than this command (version {VERSION}): use a newer one",
            says.version
        )));
    }
    Ok(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_says_is_read_and_what_others_say_is_not() {
        let says =
            read(br#"{"format":"backtrace-waker agent","version":1,"pid":7,"tasks":3,"more":[]}"#).unwrap();
        assert_eq!((says.pid, says.tasks, says.executable), (Some(7), Some(3), None));
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
