//! Where the sockets of agents are.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use bw_dump::contract::environment;
use bw_dump::contract::sockets::{SocketName, folder_in_session, folder_in_tmp, uid_of_folder_in_tmp};

use super::connect::{is_trusted_by, own_uid};
use crate::source::agent::process::Process;

/// What the name of a socket says.
pub(crate) fn name_of(socket: &Path) -> Option<SocketName> {
    socket.file_name()?.to_str()?.parse().ok()
}

/// Where the socket of a process may be, the likeliest first; other processes may have theirs there as well.
pub(crate) fn of_process(process: &Process) -> Vec<PathBuf> {
    let root = process.other_root();
    let mut sockets = Vec::new();
    if let Some(path) = named(process, root.as_deref()) {
        sockets.push(path);
    }
    // Where there is no `/proc`, only what is ours is found.
    let uid = process.uid().unwrap_or_else(own_uid);
    let mut folders = match &root {
        Some(root) => folders_below(root),
        None => {
            vec![folder_in_session(Path::new(&format!("/run/user/{uid}"))), folder_in_tmp(uid)]
        }
    };
    folders.extend(of_session(process, root.as_deref()));
    let own_session =
        std::env::var_os(environment::RUNTIME_DIR).map(PathBuf::from).filter(|it| it.is_absolute());
    folders.extend(own_session.map(|folder| folder_in_session(&below(root.as_deref(), &folder))));
    let mut found: Vec<PathBuf> = folders.iter().flat_map(|folder| sockets_in(folder, uid)).collect();
    // The name says which process it is of, unless that is in a container. It is a hint only.
    let pids = [Some(process.pid()), process.inner_pid()];
    let is_likely = |path: &PathBuf| name_of(path).is_some_and(|name| pids.contains(&Some(name.pid)));
    found.sort_by_key(|path| !is_likely(path));
    sockets.extend(found);
    sockets
}

/// Every socket that this user may ask, each once, and whose it is: in the usual folders, and where variables of processes say.
/// Nobody is sent to a socket by somebody else than its owner.
pub(crate) fn all() -> Vec<(PathBuf, u32)> {
    let mut sockets = Vec::new();
    let mut seen = HashSet::new();
    // As root, of whoever owns the folder; of a process only if it is its user's.
    let mut add_of = |folder: &Path, user: Option<u32>| {
        let Ok(metadata) = fs::symlink_metadata(folder) else { return };
        let owner = metadata.uid();
        let may_be_asked = is_trusted_by(owner) && user.is_none_or(|user| user == owner);
        if may_be_asked && seen.insert((metadata.dev(), metadata.ino())) {
            sockets.extend(sockets_in(folder, owner).into_iter().map(|path| (path, owner)));
        }
    };
    for folder in folders_below(Path::new("/")) {
        add_of(&folder, None);
    }
    if let Some(folder) = std::env::var_os(environment::RUNTIME_DIR).filter(|it| Path::new(it).is_absolute())
    {
        add_of(&folder_in_session(Path::new(&folder)), None);
    }
    let mut containers = HashSet::new();
    for process in Process::all() {
        let root = process.other_root();
        if root.is_some() && process.mounts().is_some_and(|mounts| containers.insert(mounts)) {
            let folders = folders_below(root.as_deref().unwrap_or(Path::new("/")));
            folders.iter().for_each(|folder| add_of(folder, None));
        }
    }
    let mut by_name = Vec::new();
    for process in Process::all() {
        let Some(uid) = process.uid().filter(|&uid| is_trusted_by(uid)) else { continue };
        let root = process.other_root();
        if let Some(folder) = of_session(&process, root.as_deref()) {
            add_of(&folder, Some(uid));
        }
        by_name.extend(named(&process, root.as_deref()).map(|path| (path, uid)));
    }
    sockets.extend(by_name);
    let mut known = HashSet::new();
    sockets.retain(|(path, owner)| {
        let is_of_owner = |it: &fs::Metadata| it.file_type().is_socket() && it.uid() == *owner;
        let metadata = fs::symlink_metadata(path);
        metadata.is_ok_and(|it| is_of_owner(&it) && known.insert((it.dev(), it.ino())))
    });
    sockets
}

/// The socket that the environment of a process names.
fn named(process: &Process, root: Option<&Path>) -> Option<PathBuf> {
    let path = PathBuf::from(process.variable(environment::SOCKET).filter(|path| !path.is_empty())?);
    Some(if path.is_absolute() { below(root, &path) } else { process.working_folder().join(path) })
}

/// The folder for sockets in that which the environment of a process names for its session.
fn of_session(process: &Process, root: Option<&Path>) -> Option<PathBuf> {
    let folder =
        process.variable(environment::RUNTIME_DIR).map(PathBuf::from).filter(|it| it.is_absolute())?;
    Some(folder_in_session(&below(root, &folder)))
}

/// An absolute path as a process sees it whose root that is.
fn below(root: Option<&Path>, path: &Path) -> PathBuf {
    match root {
        Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_owned(),
    }
}

/// The folders of all users below a root.
fn folders_below(root: &Path) -> Vec<PathBuf> {
    let entries = |folder: &str| fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let is_ours = |name: &std::ffi::OsStr| name.to_str().is_some_and(|it| uid_of_folder_in_tmp(it).is_some());
    let in_run = entries("run/user").map(|user| folder_in_session(&user.path()));
    let in_tmp = entries("tmp").filter(|entry| is_ours(&entry.file_name())).map(|entry| entry.path());
    in_run.chain(in_tmp).collect()
}

/// The sockets in a folder that a user, and nobody else, may write to. Sorted.
fn sockets_in(folder: &Path, owner: u32) -> Vec<PathBuf> {
    // Not through a link: somebody could have put it there to have others asked.
    let metadata = fs::symlink_metadata(folder);
    if !metadata.is_ok_and(|it| it.is_dir() && it.uid() == owner && it.mode() & 0o022 == 0) {
        return Vec::new();
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_socket()));
    let mut sockets: Vec<_> = sockets.map(|entry| entry.path()).collect();
    sockets.retain(|path| path.extension().is_some_and(|end| end == "sock"));
    sockets.sort();
    sockets
}
