//! Asks an agent, byte by byte: what these tests send no client library would.
#![allow(dead_code)] // Each test binary uses some of it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bw_agent::Agent;

/// Until whoever hangs fails. Nothing waits so long that goes well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Both ends that an agent can be asked through.
pub(crate) trait Stream: Read + Write {
    fn patient(self) -> Self;
}

impl Stream for UnixStream {
    fn patient(self) -> Self {
        self.set_read_timeout(Some(PATIENCE)).expect("no error");
        self.set_write_timeout(Some(PATIENCE)).expect("no error");
        self
    }
}

impl Stream for TcpStream {
    fn patient(self) -> Self {
        self.set_read_timeout(Some(PATIENCE)).expect("no error");
        self.set_write_timeout(Some(PATIENCE)).expect("no error");
        self
    }
}

/// What an agent answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The answer among the bytes that came before the connection was closed.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "))?;
        let status = status.get(..3)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }
}

/// Sends bytes, and reads until the other end closes.
pub(crate) fn exchange(stream: impl Stream, sent: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = stream.patient();
    stream.write_all(sent)?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    Ok(received)
}

pub(crate) fn connect(socket: &Path) -> UnixStream {
    UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display())).patient()
}

pub(crate) fn request(method: &str, target: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

pub(crate) fn get(socket: &Path, target: &str) -> Answer {
    ask(socket, "GET", target)
}

pub(crate) fn ask(socket: &Path, method: &str, target: &str) -> Answer {
    let received = exchange(connect(socket), &request(method, target)).expect("no error");
    Answer::parse(&received).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&received)))
}

/// A folder of a test's own, removed with what is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        // Ordering: Relaxed; only that it differs matters.
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket has about a hundred bytes.
        let path = std::env::temp_dir().join(format!("bw-agent-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("no error");
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An agent on a socket of its own, stopped with this.
pub(crate) struct OwnAgent {
    agent: Agent,
    _folder: Folder,
}

impl OwnAgent {
    pub(crate) fn start() -> Self {
        Self::told(|builder| builder)
    }

    pub(crate) fn told(tell: impl FnOnce(bw_agent::AgentBuilder) -> bw_agent::AgentBuilder) -> Self {
        let folder = Folder::new();
        let builder = bw_agent::builder().socket(folder.join("agent.sock"));
        Self { agent: tell(builder).start().expect("it starts"), _folder: folder }
    }

    pub(crate) fn socket(&self) -> &Path {
        self.agent.socket().expect("a socket")
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        get(self.socket(), target)
    }
}

impl Drop for OwnAgent {
    fn drop(&mut self) {
        self.agent.stop();
    }
}

pub(crate) fn send(mut stream: impl Write, bytes: &[u8]) {
    stream.write_all(bytes).expect("it is read");
}
