//! Agents that say what a test wants them to.

// Each test has this module, and not all of them need all of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

/// What it does with each connection, of which it has read the head of the request.
pub(crate) type Says = Box<dyn FnMut(&str, &mut dyn Write) + Send>;

/// A socket in a folder of its own, and a thread that answers there. Whoever is asked is this process.
pub(crate) struct Agent {
    pub(crate) socket: PathBuf,
    requests: Receiver<String>,
}

/// A folder for the sockets of a test, as `XDG_RUNTIME_DIR` would name it: with nothing in it, for its user alone.
pub(crate) fn runtime_dir(test: &str) -> RuntimeDir {
    use std::os::unix::fs::PermissionsExt;

    // Not below the target folder: the path of a socket has 107 bytes at most.
    let folder = std::env::temp_dir().join(format!("bw-cli-{test}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let inner = folder.join("backtrace-waker");
    std::fs::create_dir_all(&inner).unwrap();
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o700)).unwrap();
    RuntimeDir(folder)
}

/// A folder that is gone when the test is over.
pub(crate) struct RuntimeDir(PathBuf);

impl std::ops::Deref for RuntimeDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Agent {
    /// An agent of this process, as `ps` finds it in that folder.
    pub(crate) fn new(runtime_dir: &Path, name: &str, says: Says) -> Self {
        let socket = runtime_dir.join("backtrace-waker").join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        let (sender, requests) = channel();
        let mut says = says;
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head = head(&stream);
                // Whoever only looked whether somebody listens has said nothing.
                if !head.is_empty() {
                    let _ = sender.send(head.clone());
                    says(&head, &mut stream);
                }
            }
        });
        Self { socket, requests }
    }

    pub(crate) fn path(&self) -> &str {
        self.socket.to_str().unwrap()
    }

    /// The heads of the requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

/// The same on a port.
pub(crate) fn on_tcp(mut says: Says) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = head(&stream);
            says(&head, &mut stream);
        }
    });
    address
}

fn head(stream: impl Read) -> String {
    let mut head = String::new();
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next().filter(|line| line.as_ref().is_ok_and(|it| !it.is_empty())) {
        head += &line;
        head.push('\n');
    }
    head
}

/// An answer with the length of its body.
pub(crate) fn answer(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Says the same to everybody, and closes.
pub(crate) fn always(bytes: Vec<u8>) -> Says {
    Box::new(move |_, stream| {
        // The other side may have seen enough.
        let _ = stream.write_all(&bytes);
    })
}
