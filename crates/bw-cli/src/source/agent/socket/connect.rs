//! Connections to agents, and who is at the other end.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, socket};

use crate::source::agent::http::NoAnswer;

/// A connection to an agent.
pub(crate) type Stream = UnixStream;

/// Who is at the other end, as the kernel says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) uid: u32,
    /// As this process numbers processes; `None` if it cannot see that one, which is in another container.
    pub(crate) pid: Option<u32>,
}

/// Connects. While the queue of the other side is full, tries again, until the deadline.
pub(crate) fn connect(path: &Path, deadline: Instant) -> Result<(Stream, Peer), NoAnswer> {
    loop {
        match try_connect(path) {
            Ok(connected) => return Ok(connected),
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Err(NoAnswer::Connect(error));
            }
            Err(_) if Instant::now() >= deadline => return Err(NoAnswer::Timeout),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Connects without waiting: a process that is stopped takes no more connections than its queue holds.
fn try_connect(path: &Path) -> io::Result<(Stream, Peer)> {
    let address = UnixAddr::new(path)?;
    let stream = UnixStream::from(socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?);
    stream.set_nonblocking(true)?;
    socket::connect(stream.as_raw_fd(), &address)?;
    stream.set_nonblocking(false)?;
    let peer = peer(&stream)?;
    Ok((stream, peer))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer(stream: &Stream) -> nix::Result<Peer> {
    let peer = socket::getsockopt(stream, socket::sockopt::PeerCredentials)?;
    Ok(Peer { uid: peer.uid(), pid: u32::try_from(peer.pid()).ok().filter(|&pid| pid != 0) })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer(stream: &Stream) -> nix::Result<Peer> {
    let (uid, _) = nix::unistd::getpeereid(stream)?;
    #[cfg(target_vendor = "apple")]
    let pid = socket::getsockopt(stream, socket::sockopt::LocalPeerPid).ok();
    #[cfg(not(target_vendor = "apple"))]
    let pid = None;
    Ok(Peer { uid: uid.as_raw(), pid: pid.and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| pid != 0) })
}

/// Who this process acts as.
pub(super) fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Whether an answer of that user is taken: of ourselves and of root, and root takes those of everybody.
pub(crate) fn is_trusted(uid: u32) -> bool {
    let own = own_uid();
    uid == own || uid == 0 || own == 0
}

/// Whether an agent of that user takes questions of ours: it takes those of its own user and of root.
pub(crate) fn is_trusted_by(uid: u32) -> bool {
    let own = own_uid();
    uid == own || own == 0
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use nix::sys::socket::Backlog;

    use super::*;

    #[test]
    fn a_full_queue_is_waited_for_until_the_deadline() {
        let path = std::env::temp_dir().join(format!("bw-cli-queue-{}.sock", std::process::id()));
        let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
        socket::bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        socket::listen(&listener, Backlog::new(1).unwrap()).unwrap();
        // Nobody accepts.
        let mut queued = Vec::new();
        let refused = loop {
            let begin = Instant::now();
            match connect(&path, begin + Duration::from_millis(100)) {
                Ok(connected) => queued.push(connected),
                Err(error) => break (error, begin.elapsed()),
            }
        };
        assert!(
            matches!(refused, (NoAnswer::Timeout, after) if after >= Duration::from_millis(100)),
            "{refused:?}"
        );
        let peers: Vec<_> = queued.iter().map(|(_, peer)| (peer.uid, peer.pid)).collect();
        assert_eq!(peers.first(), Some(&(own_uid(), Some(std::process::id()))));
        drop(listener);
        let gone = connect(&path, Instant::now());
        std::fs::remove_file(&path).unwrap();
        assert!(
            matches!(gone, Err(NoAnswer::Connect(error)) if error.kind() == ErrorKind::ConnectionRefused)
        );
    }
}
