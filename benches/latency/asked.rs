//! The agent of this process, asked over its socket as the command asks it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bw_agent::Agent;

const REQUEST: &[u8] =
    b"GET /debug/async/dump?format=raw HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// An agent on a socket of its own. Stopped when the last clone goes.
#[derive(Clone)]
pub(crate) struct Asked(Arc<Running>);

struct Running {
    agent: Agent,
    socket: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.agent.stop();
    }
}

impl Asked {
    pub(crate) fn start() -> Result<Self, String> {
        let agent = bw_agent::start().map_err(|error| format!("no agent: {error}"))?;
        let socket = agent.socket().map(Path::to_owned).ok_or("the environment turned the agent off")?;
        Ok(Self(Arc::new(Running { agent, socket })))
    }

    /// A raw dump file.
    pub(crate) fn dump(&self) -> Result<Vec<u8>, String> {
        let failed = |error: std::io::Error| format!("the agent does not answer: {error}");
        let mut stream = UnixStream::connect(&self.0.socket).map_err(failed)?;
        stream.write_all(REQUEST).map_err(failed)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(failed)?;
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .ok_or("the agent's answer has no end of headers")?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("the agent said {}", String::from_utf8_lossy(&answer)));
        }
        Ok(answer.split_off(end + 4))
    }
}
