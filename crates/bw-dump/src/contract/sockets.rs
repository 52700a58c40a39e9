//! Where the socket of an agent is, and what its name says.
//!
//! The sockets of a user are in one folder: `backtrace-waker` in `$XDG_RUNTIME_DIR`, or `/tmp/backtrace-waker-UID` where there is
//! no such variable. The folder belongs to the user, and nobody else may enter it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The name of the folder in the folder of a session.
const FOLDER: &str = "backtrace-waker";

/// The folder for those who have no session.
const TMP: &str = "/tmp";

/// The end of a socket's name.
const END: &str = ".sock";

/// Returns the folder of the sockets in the folder of a user's session, which `$XDG_RUNTIME_DIR` names.
#[must_use]
pub fn folder_in_session(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join(FOLDER)
}

/// Returns the folder of the sockets of a user without a session. It does not depend on `$TMPDIR`, which whoever asks may have
/// set otherwise.
#[must_use]
pub fn folder_in_tmp(uid: u32) -> PathBuf {
    PathBuf::from(format!("{TMP}/{FOLDER}-{uid}"))
}

/// Returns the user's number in the name of a folder that [`folder_in_tmp`] returned. `None` for the name of another folder.
#[must_use]
pub fn uid_of_folder_in_tmp(name: &str) -> Option<u32> {
    number(name.strip_prefix(FOLDER)?.strip_prefix('-')?)
}

/// The name of a socket file: `PID.sock`, or `PID.N.sock` where the process has several agents, or where a process of another
/// container has the same number. It prints and parses as that.
///
/// ```
/// use bw_dump::contract::sockets::SocketName;
///
/// let name: SocketName = "4711.2.sock".parse()?;
/// assert_eq!((name.pid, name.number), (4711, 2));
/// assert_eq!(SocketName::new(4711, 0).to_string(), "4711.sock");
/// # Ok::<(), bw_dump::contract::sockets::InvalidSocketName>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SocketName {
    /// The number of the process, as it saw itself. It is a hint: the kernel says which process listens.
    pub pid: u32,
    /// Which of the sockets with that process number it is, from 0.
    pub number: u32,
}

impl SocketName {
    /// Returns the name of a socket of this process number.
    #[must_use]
    pub const fn new(pid: u32, number: u32) -> Self {
        Self { pid, number }
    }
}

impl fmt::Display for SocketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { pid, number: 0 } => write!(f, "{pid}{END}"),
            Self { pid, number } => write!(f, "{pid}.{number}{END}"),
        }
    }
}

impl FromStr for SocketName {
    type Err = InvalidSocketName;

    fn from_str(text: &str) -> Result<Self, InvalidSocketName> {
        let stem = text.strip_suffix(END).ok_or(InvalidSocketName)?;
        let (pid, number_after) =
            stem.split_once('.').map_or((stem, None), |(pid, after)| (pid, Some(after)));
        let name = Self {
            pid: number(pid).ok_or(InvalidSocketName)?,
            number: number_after.map_or(Some(0), number).ok_or(InvalidSocketName)?,
        };
        // One socket has one name.
        if name.to_string() == text { Ok(name) } else { Err(InvalidSocketName) }
    }
}

/// Digits alone: no sign, as `parse` takes it.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The error of a file name that is not the name of a socket of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidSocketName;

impl fmt::Display for InvalidSocketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a socket is PID.sock or PID.N.sock")
    }
}

impl std::error::Error for InvalidSocketName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_and_parse() {
        for (name, text) in [
            (SocketName::new(7, 0), "7.sock"),
            (SocketName::new(7, 1), "7.1.sock"),
            (SocketName::new(u32::MAX, u32::MAX), "4294967295.4294967295.sock"),
        ] {
            assert_eq!(name.to_string(), text);
            assert_eq!(text.parse(), Ok(name));
        }
    }

    #[test]
    fn other_files_are_not_sockets() {
        for text in [
            "",
            ".sock",
            "7",
            "7.sock2",
            "a.sock",
            "+7.sock",
            "7.0.sock",
            "07.sock",
            "7..sock",
            "7.1.1.sock",
            "7.-1.sock",
        ] {
            assert_eq!(text.parse::<SocketName>(), Err(InvalidSocketName), "{text}");
        }
    }

    #[test]
    fn folders_are_of_users() {
        assert_eq!(folder_in_session(Path::new("/run/user/7")), Path::new("/run/user/7/backtrace-waker"));
        assert_eq!(folder_in_tmp(7), Path::new("/tmp/backtrace-waker-7"));
        assert_eq!(uid_of_folder_in_tmp("backtrace-waker-7"), Some(7));
        for name in
            ["backtrace-waker", "backtrace-waker-", "backtrace-waker-x", "other-7", "backtrace-waker-7.sock"]
        {
            assert_eq!(uid_of_folder_in_tmp(name), None, "{name}");
        }
    }
}
