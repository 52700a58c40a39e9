//! The socket file of an agent: made, found stale, removed.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bw_dump::contract::sockets::SocketName;
use parking_lot::Mutex;

use super::socket_folder;
use crate::os::fork_guard::NotInChildren;
use crate::os::{self, user_id};
use crate::report::warning::warn;
use crate::settings::start_error::StartError;

/// Agents of one number and one user: several in a process, and processes of other pid namespaces that share the folder.
const MOST_NAMES: u32 = 1_000;

/// Files of the folder that are looked at when stale ones are swept.
const MOST_SWEPT: usize = 1_000;

/// How long a start waits for the list of sockets, which is held for moments. For ever in a child that was forked just then.
const PATIENCE: Duration = Duration::from_secs(1);

/// A socket that listens, and is not accepted from yet.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) file: Arc<SocketFile>,
    // Before the listener, so that the number is taken from the list before it is closed.
    pub(crate) not_in_children: NotInChildren,
    pub(crate) listener: UnixListener,
}

/// A socket file that this process made.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    process: u32,
}

/// The socket files that are to be removed when the process ends.
static FILES: Mutex<Vec<Arc<SocketFile>>> = Mutex::new(Vec::new());

/// Listens in the folder of this user, under the first name of this process that is free: `PID.sock`, `PID.1.sock`, ... Removes
/// stale sockets there.
pub(crate) fn in_folder() -> Result<Listening, StartError> {
    let folder = socket_folder::make()?;
    sweep(&folder);
    let process = std::process::id();
    for number in 0..MOST_NAMES {
        match at(&folder.join(SocketName::new(process, number).to_string())) {
            Err(Refused::IsLive) => {}
            Err(refused) => return Err(refused.into_error(&folder)),
            Ok(listening) => return Ok(listening),
        }
    }
    Err(StartError::new(format!(
        "{} has {MOST_NAMES} live sockets of the number {process}",
        folder.display()
    )))
}

/// Listens at that path, whose folder must be there. Removes a stale socket that is in its place, and nothing else.
pub(crate) fn at_path(path: &Path) -> Result<Listening, StartError> {
    // What the working directory is later on must not matter to who removes it.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    at(&path).map_err(|refused| refused.into_error(&path))
}

/// Why there is no socket at a path.
#[derive(Debug)]
enum Refused {
    IsLive,
    IsNoSocket,
    Failed(io::Error),
}

impl Refused {
    fn into_error(self, path: &Path) -> StartError {
        let path = path.display();
        let instead = "with AgentBuilder::socket or BACKTRACE_WAKER_SOCKET, or start without one with \
                       AgentBuilder::no_socket";
        match self {
            Self::IsLive => StartError::new(format!(
                "another agent listens on {path}; stop it, or give this one another path {instead}"
            )),
            Self::IsNoSocket => StartError::new(format!(
                "{path} is there and is no socket, so it is left alone; remove it, or give another path {instead}"
            )),
            Self::Failed(cause) => StartError::because(
                format!(
                    "cannot make a socket in or at {path}; its folder must be there and writable, its disk have room, and the \
                     path be shorter than about 100 bytes; give another path {instead}"
                ),
                cause,
            ),
        }
    }
}

fn at(path: &Path) -> Result<Listening, Refused> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            discard_stale(path)?;
            UnixListener::bind(path)
        }
        result => result,
    };
    let listener = listener.map_err(|error| match error.kind() {
        // Somebody was faster.
        io::ErrorKind::AddrInUse => Refused::IsLive,
        _ => Refused::Failed(error),
    })?;
    finish(path, listener).map_err(|error| {
        // It is ours, and of no use.
        let _ = fs::remove_file(path);
        Refused::Failed(error)
    })
}

fn finish(path: &Path, listener: UnixListener) -> io::Result<Listening> {
    listener.set_nonblocking(true)?;
    // Until now it was what the mask of the process left of it, in a folder that nobody else may enter, or else one that the
    // user chose; who connects is looked at in any case.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let is = fs::symlink_metadata(path)?;
    let file = Arc::new(SocketFile {
        path: path.to_owned(),
        device: is.dev(),
        inode: is.ino(),
        process: std::process::id(),
    });
    SocketFile::remove_at_exit(&file)?;
    Ok(Listening { file, not_in_children: NotInChildren::new(listener.as_fd()), listener })
}

/// Whether nobody holds the socket of that name any more: not even somebody who has not begun to listen yet. Asked with a
/// socket of another kind, which is refused either way, but for different reasons; nobody notices, and it never waits.
fn is_stale(path: &Path) -> io::Result<bool> {
    match UnixDatagram::unbound()?.connect(path) {
        Ok(()) => Ok(false),
        Err(error) => Ok(error.kind() == io::ErrorKind::ConnectionRefused),
    }
}

/// Removes the socket at that path if nobody holds it any more.
fn discard_stale(path: &Path) -> Result<(), Refused> {
    let is = match fs::symlink_metadata(path) {
        Ok(is) => is,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Refused::Failed(error)),
    };
    if !is.file_type().is_socket() {
        return Err(Refused::IsNoSocket);
    }
    let is_ours = is.uid() == user_id();
    if !is_ours || !is_stale(path).map_err(Refused::Failed)? {
        return Err(Refused::IsLive);
    }
    // Another agent may have found the same, and may have a new one in its place by now. So it is moved aside first, and looked
    // at again there.
    let aside = aside(path);
    match fs::rename(path, &aside) {
        Ok(()) => {}
        // Somebody removed it for us.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Refused::Failed(error)),
    }
    if matches!(is_stale(&aside), Ok(false)) {
        // Not over one that came meanwhile.
        let _ = fs::hard_link(&aside, path);
    }
    fs::remove_file(&aside).map_err(Refused::Failed)
}

/// A name in the same folder that no agent has.
fn aside(path: &Path) -> PathBuf {
    static LAST: AtomicU32 = AtomicU32::new(0);
    // Ordering: Relaxed; only that it differs matters.
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{}-{number}", std::process::id()))
}

/// Removes the stale sockets of other processes: those that were killed could not.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.take(MOST_SWEPT).filter_map(Result::ok) {
        if entry.file_name().to_str().is_some_and(|name| name.parse::<SocketName>().is_ok()) {
            // One that cannot be removed stands in nobody's way.
            let _ = discard_stale(&entry.path());
        }
    }
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, unless this process is a forked child of the one that made it, or another file has taken its place. Before
    /// the socket is closed: nobody takes it for stale until then.
    pub(crate) fn remove(self: &Arc<Self>) {
        self.remove_file();
        if let Some(mut files) = FILES.try_lock_for(PATIENCE) {
            files.retain(|file| !Arc::ptr_eq(file, self));
        }
    }

    fn remove_file(&self) {
        let is_it = |is: &fs::Metadata| is.dev() == self.device && is.ino() == self.inode;
        if self.process == std::process::id() && fs::symlink_metadata(&self.path).is_ok_and(|is| is_it(&is)) {
            let _ = fs::remove_file(&self.path);
        }
    }

    fn remove_at_exit(file: &Arc<Self>) -> io::Result<()> {
        static IS_ARMED: OnceLock<bool> = OnceLock::new();
        if !IS_ARMED.get_or_init(|| os::at_exit(remove_all)) {
            warn(
                "sockets of agents will be left behind when the process ends; the next one to start sweeps them",
            );
        }
        let mut files = FILES.try_lock_for(PATIENCE).ok_or_else(|| {
            io::Error::other("this process was forked while its parent was starting an agent")
        })?;
        files.push(Arc::clone(file));
        Ok(())
    }
}

extern "C" fn remove_all() {
    // Held by a thread that is starting an agent just now. The next one to start sweeps what is left.
    let Some(files) = FILES.try_lock() else { return };
    files.iter().for_each(|file| file.remove_file());
}
