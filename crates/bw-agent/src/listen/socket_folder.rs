//! The folder in which the sockets of one user's agents are, and those who ask look for them.
//!
//! Whoever could write to it could put a socket of theirs there, and whoever could replace it, all of them. So it belongs to the
//! user who runs the program, and nobody else may enter it.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bw_dump::contract::environment::RUNTIME_DIR;
use bw_dump::contract::sockets::{folder_in_session, folder_in_tmp};

use crate::os::user_id;
use crate::settings::start_error::StartError;

/// Returns the folder for the sockets of this process' user, and makes it if it is not there: in `$XDG_RUNTIME_DIR` if that is a folder of
/// this user's alone, else in `/tmp`.
///
/// Not in `$TMPDIR`: who asks later may have another one, and would not find it.
pub(crate) fn make() -> Result<PathBuf, StartError> {
    let user = user_id();
    let of_session = std::env::var_os(RUNTIME_DIR).map(PathBuf::from).filter(|folder| {
        folder.is_absolute() && fs::symlink_metadata(folder).is_ok_and(|is| complaint(&is, user).is_none())
    });
    let folder = match of_session {
        Some(of_session) => folder_in_session(&of_session),
        None => folder_in_tmp(user),
    };
    make_private(&folder, user)?;
    Ok(folder)
}

fn make_private(folder: &Path, user: u32) -> Result<(), StartError> {
    let hint = "make it writable, or give the socket another path with AgentBuilder::socket or \
                BACKTRACE_WAKER_SOCKET";
    let failed =
        |cause| StartError::because(format!("cannot make the folder {}; {hint}", folder.display()), cause);
    match DirBuilder::new().mode(0o700).create(folder) {
        // The mask of the process may have taken rights away that we need.
        Ok(()) => fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let is = fs::symlink_metadata(folder).map_err(failed)?;
    match complaint(&is, user) {
        None => Ok(()),
        Some(complaint) => Err(StartError::new(format!(
            "the folder {} {complaint}, so somebody else could answer in this process' place; remove it, or give the socket \
             another path with AgentBuilder::socket or BACKTRACE_WAKER_SOCKET",
            folder.display()
        ))),
    }
}

/// What is wrong with a folder that is to be this user's alone. Of the link itself, where it is one.
fn complaint(is: &Metadata, user: u32) -> Option<String> {
    if is.is_symlink() {
        Some("is a symbolic link".into())
    } else if !is.is_dir() {
        Some("is no folder".into())
    } else if is.uid() != user {
        Some(format!("belongs to the user {} and not to {user}", is.uid()))
    } else if is.mode() & 0o777 != 0o700 {
        Some(format!("has the mode {:o} and not 700", is.mode() & 0o777))
    } else {
        None
    }
}
