//! What this machine knows of a process: `proc(5)`. Where there is no `/proc`, nothing.
#![cfg_attr(not(unix), allow(dead_code, reason = "it is for finding sockets, of which there are none"))]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use nix::unistd::Pid;

/// A process of this machine, by its number. It may end at any time, and then nothing is known any more.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: u32,
    folder: PathBuf,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, folder: Path::new("/proc").join(pid.to_string()) }
    }

    /// All there are, as far as they may be seen.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Self::new)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is there, and not a zombie, which has ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.state().map_or_else(|| self.takes_signals(), |state| !matches!(state, 'Z' | 'X'))
    }

    /// Whether there is one of this number, visible in `/proc` or not.
    #[cfg(unix)]
    fn takes_signals(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().filter(|&pid| pid != 0).map(Pid::from_raw);
        let sent = pid.map(|pid| nix::sys::signal::kill(pid, None));
        matches!(sent, Some(Ok(()) | Err(nix::errno::Errno::EPERM)))
    }

    #[cfg(not(unix))]
    fn takes_signals(&self) -> bool {
        true
    }

    /// Whether it stands still, and why.
    pub(crate) fn stopped(&self) -> Option<&'static str> {
        match self.state()? {
            'T' => Some("it is stopped (kill -CONT makes it go on)"),
            't' => Some("a debugger has stopped it"),
            'D' => Some(
                "it is in a system call that cannot be interrupted, such as one on a disk that does not answer",
            ),
            _ => None,
        }
    }

    /// Why it will not answer, if all of it stands still until somebody makes it go on.
    pub(crate) fn halted(&self) -> Option<&'static str> {
        let stands_still = |state| matches!(state, 'T' | 't' | 'Z' | 'X');
        let why = self.stopped().filter(|_| self.state().is_some_and(stands_still))?;
        // What traces system calls stops one thread at a time, for a moment.
        let mut threads = fs::read_dir(self.folder.join("task")).ok()?.flatten();
        threads.all(|thread| state_in(&thread.path()).is_none_or(stands_still)).then_some(why)
    }

    fn state(&self) -> Option<char> {
        state_in(&self.folder)
    }

    /// A line of its status.
    fn status(&self, name: &str) -> Option<String> {
        status_in(&self.folder, name)
    }

    /// The user it acts as.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.status("Uid:")?.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    /// Its number as it sees itself: another one in a container.
    pub(crate) fn inner_pid(&self) -> Option<u32> {
        self.status("NSpid:")?.split_ascii_whitespace().last()?.parse().ok()
    }

    /// The file it runs, as it sees it.
    pub(crate) fn executable(&self) -> Option<PathBuf> {
        fs::read_link(self.folder.join("exe")).ok().map(|path| without_deleted(&path))
    }

    /// The first 15 bytes of its name.
    pub(crate) fn name(&self) -> Option<String> {
        let name = fs::read(self.folder.join("comm")).ok()?;
        Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
    }

    /// The arguments it was started with, or what it wrote in their place; without the name of the program. `None` where that is not to
    /// be seen.
    pub(crate) fn arguments(&self) -> Option<Vec<String>> {
        let line = fs::read(self.folder.join("cmdline")).ok()?;
        let line = line.strip_suffix(b"\0").unwrap_or(&line);
        let arguments = line.split(|&byte| byte == 0).skip(1);
        Some(arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect())
    }

    /// Whether the file it runs has this name, or it calls itself so: the kernel keeps 15 bytes of that.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let file = self.executable();
        file.and_then(|file| file.file_name().map(|it| it == name)).unwrap_or(false)
            || self.name().is_some_and(|own| !own.is_empty() && own == name)
    }

    /// The file it runs, whatever became of it on disk: not to be read, but to be named, as it stays as long as this does.
    pub(crate) fn open_executable(&self) -> io::Result<File> {
        File::open(self.folder.join("exe"))
    }

    /// A variable of the environment it was started with.
    #[cfg(unix)]
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        use std::os::unix::ffi::OsStringExt;

        let environment = fs::read(self.folder.join("environ")).ok()?;
        let mut variables = environment.split(|&byte| byte == 0);
        let value = variables.find_map(|it| it.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(OsString::from_vec(value.to_vec()))
    }

    #[cfg(not(unix))]
    pub(crate) fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    /// The folder that is `/` to it, if it has other files below that than this process: in a container.
    pub(crate) fn other_root(&self) -> Option<PathBuf> {
        let root = self.folder.join("root");
        let is_here = fs::read_link(&root).ok()? == Path::new("/");
        let namespace = |folder: &Path| fs::read_link(folder.join("ns/mnt")).ok();
        let is_same = namespace(&self.folder)? == namespace(Path::new("/proc/self"))?;
        (!is_here || !is_same).then_some(root)
    }

    /// The mount namespace it is in.
    pub(crate) fn mounts(&self) -> Option<PathBuf> {
        fs::read_link(self.folder.join("ns/mnt")).ok()
    }

    /// The folder it works in.
    pub(crate) fn working_folder(&self) -> PathBuf {
        self.folder.join("cwd")
    }
}

/// The state of the process or thread whose folder that is.
fn state_in(folder: &Path) -> Option<char> {
    status_in(folder, "State:")?.chars().next()
}

fn status_in(folder: &Path, name: &str) -> Option<String> {
    let status = fs::read(folder.join("status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// The path without what the kernel says behind it when there is no such file any more.
pub(crate) fn without_deleted(path: &Path) -> PathBuf {
    let before = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    before.map_or_else(|| path.to_owned(), PathBuf::from)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_is_known() {
        let this = Process::new(std::process::id());
        assert!(this.is_alive() && this.stopped().is_none() && this.halted().is_none());
        assert_eq!(this.executable(), std::env::current_exe().ok());
        assert_eq!(this.uid(), Some(nix::unistd::geteuid().as_raw()));
        assert_eq!(this.variable("CARGO_PKG_NAME").unwrap(), env!("CARGO_PKG_NAME"));
        assert_eq!(this.variable("CARGO_PKG"), None);
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        assert_eq!(this.arguments(), Some(arguments));
        let file = std::env::current_exe().unwrap();
        assert!(this.is_named(file.file_name().unwrap().to_str().unwrap()) && !this.is_named(""));
        assert_eq!(this.other_root(), None);
        assert!(Process::all().any(|process| process.pid() == this.pid()));
    }

    #[test]
    fn of_a_process_that_is_not_there_nothing_is_known() {
        let nobody = Process::new(u32::MAX);
        assert!(!nobody.is_alive());
        assert_eq!((nobody.uid(), nobody.executable(), nobody.name()), (None, None, None));
        assert!(nobody.arguments().is_none() && !nobody.is_named(""));
        assert!(nobody.open_executable().is_err() && nobody.other_root().is_none());
    }

    #[test]
    fn a_zombie_has_ended_and_a_stopped_process_has_not() {
        let mut child = Killed(Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap());
        let process = Process::new(child.0.id());
        let pid = Pid::from_raw(child.0.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
        // It may be in the disk's hands before that.
        while !process.stopped().is_some_and(|why| why.contains("kill -CONT")) {
            std::thread::yield_now();
        }
        assert!(process.is_alive());
        assert_eq!(process.halted(), process.stopped());
        child.0.kill().unwrap();
        while process.is_alive() {
            std::thread::yield_now();
        }
    }

    /// A process that does not outlive the test.
    struct Killed(std::process::Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
