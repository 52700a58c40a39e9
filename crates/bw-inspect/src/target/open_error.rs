//! Why the memory of a process cannot be read, and what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the memory of a process cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// No process has this number, or it is one that has ended.
    NoProcess {
        /// The number.
        pid: u32,
    },
    /// The process ended while it was looked at.
    Ended {
        /// Its number.
        pid: u32,
    },
    /// The process runs as another user.
    OtherUser {
        /// Its number.
        pid: u32,
        /// The number of the user.
        uid: u32,
    },
    /// The kernel's module yama lets only parents, or only root, read the memory of a process.
    Yama {
        /// The process.
        pid: u32,
        /// The value of `/proc/sys/kernel/yama/ptrace_scope`.
        scope: u32,
    },
    /// The kernel protects the process, also from its own user.
    Protected {
        /// Its number.
        pid: u32,
        /// Whether not even root may read it, as in some containers.
        from_root: bool,
    },
    /// It is no program, but a thread of the kernel.
    KernelThread {
        /// Its number.
        pid: u32,
    },
    /// The program is one of 32 bits, or of another architecture.
    OtherArchitecture {
        /// The process.
        pid: u32,
        /// Whether it is one of 32 bits.
        is_32_bit: bool,
    },
    /// Another process traces it, so its threads cannot be stopped.
    Traced {
        /// Its number.
        pid: u32,
        /// The number of the process that traces it.
        tracer: u32,
        /// The name of that process.
        name: String,
    },
    /// A core file cannot be used.
    CoreFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An executable does not belong to a core file, or cannot be read.
    Executable {
        /// The executable.
        path: PathBuf,
        /// The core file.
        core: PathBuf,
        /// Why.
        reason: String,
    },
    /// This system has no way to read the memory of another process that this crate knows.
    Unsupported,
    /// Reading failed for another reason.
    Io {
        /// The process.
        pid: u32,
        /// The reason.
        error: io::Error,
    },
}

impl OpenError {
    /// Whether the process is there no more.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::NoProcess { .. } | Self::Ended { .. })
    }

    /// Returns what to do about it, as a sentence without a period. `None` where nothing helps.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoProcess { .. } => "`backtrace-waker ps` lists processes that can be read".to_owned(),
            Self::OtherUser { pid, .. } | Self::Protected { pid, from_root: false } => {
                format!("run the command as root: sudo backtrace-waker … {pid}")
            }
            Self::Protected { from_root: true, .. } => {
                "run the command outside of the container, or give it the capability CAP_SYS_PTRACE"
                    .to_owned()
            }
            Self::Yama { pid, scope: 3.. } => {
                format!("no process may read process {pid} until the next boot; start an agent in it instead")
            }
            Self::Yama { pid, .. } => format!(
                "run the command as root (sudo backtrace-waker … {pid}), or allow it for this boot: \
                 sudo sysctl kernel.yama.ptrace_scope=0"
            ),
            Self::OtherArchitecture { is_32_bit: true, .. } => {
                "build the program for 64 bits, or start an agent in it".to_owned()
            }
            Self::OtherArchitecture { .. } | Self::Unsupported => {
                "start an agent in the program: `bw_agent::start()?;` in its main".to_owned()
            }
            Self::Traced { .. } => {
                "leave out --stop: memory can be read without it; or end that process".to_owned()
            }
            Self::CoreFile { .. } => {
                "name a core file of a 64-bit program, as the kernel or `gcore PID` writes it".to_owned()
            }
            Self::Executable { .. } => "name the program that ran when the core file was written".to_owned(),
            Self::Ended { .. } | Self::KernelThread { .. } | Self::Io { .. } => return None,
        })
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess { pid } => write!(f, "no process has the number {pid}"),
            Self::Ended { pid } => write!(f, "process {pid} ended while its memory was read"),
            Self::OtherUser { pid, uid } => {
                write!(f, "cannot read the memory of process {pid}: it runs as another user (uid {uid})")
            }
            Self::Yama { pid, scope } => write!(
                f,
                "cannot read the memory of process {pid}: the kernel forbids it (kernel.yama.ptrace_scope is {scope})"
            ),
            Self::Protected { pid, from_root: true } => {
                write!(f, "cannot read the memory of process {pid}: the kernel forbids it, also to root")
            }
            Self::KernelThread { pid } => {
                write!(f, "process {pid} is a thread of the kernel, which has no tasks")
            }
            Self::Protected { pid, from_root: false } => write!(
                f,
                "cannot read the memory of process {pid}: the process is protected, because it changed its user, holds \
                 capabilities or asked for it (PR_SET_DUMPABLE)"
            ),
            Self::OtherArchitecture { pid, is_32_bit: true } => {
                write!(f, "cannot read tasks of process {pid}: it is a program of 32 bits")
            }
            Self::OtherArchitecture { pid, .. } => write!(
                f,
                "cannot read tasks of process {pid}: its program is not for {}",
                std::env::consts::ARCH
            ),
            Self::Traced { pid, tracer, name } => {
                write!(f, "cannot stop process {pid}: process {tracer} ({name}) traces it")
            }
            Self::CoreFile { path, reason } => {
                write!(f, "cannot read core file {}: {reason}", path.display())
            }
            Self::Executable { path, core, reason } => write!(
                f,
                "cannot use executable {} for core file {}: {reason}",
                path.display(),
                core.display()
            ),
            Self::Unsupported => write!(
                f,
                "cannot read the memory of other processes on {} {}: only Linux on x86-64 and AArch64 is supported",
                std::env::consts::OS,
                std::env::consts::ARCH
            ),
            Self::Io { pid, error } => write!(f, "cannot read the memory of process {pid}: {error}"),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_does_not_say_what_to_do() {
        let pid = 4711;
        let reason = || "it is cut".to_owned();
        for (error, said, help) in [
            (
                OpenError::Yama { pid, scope: 1 },
                "process 4711: the kernel forbids it (kernel.yama.ptrace_scope is 1)",
                "sudo sysctl kernel.yama.ptrace_scope=0",
            ),
            (OpenError::Yama { pid, scope: 2 }, "ptrace_scope is 2", "sudo backtrace-waker … 4711"),
            (OpenError::Yama { pid, scope: 3 }, "ptrace_scope is 3", "until the next boot"),
            (OpenError::OtherUser { pid, uid: 7 }, "another user (uid 7)", "sudo backtrace-waker … 4711"),
            (
                OpenError::Protected { pid, from_root: false },
                "holds capabilities or asked for it (PR_SET_DUMPABLE)",
                "sudo",
            ),
            (OpenError::Protected { pid, from_root: true }, "also to root", "CAP_SYS_PTRACE"),
            (OpenError::OtherArchitecture { pid, is_32_bit: true }, "of 32 bits", "for 64 bits"),
            (OpenError::NoProcess { pid }, "no process has the number 4711", "`backtrace-waker ps`"),
            (
                OpenError::Traced { pid, tracer: 7, name: "gdb".to_owned() },
                "cannot stop process 4711: process 7 (gdb) traces it",
                "leave out --stop",
            ),
            (
                OpenError::CoreFile { path: "core".into(), reason: reason() },
                "cannot read core file core: it is cut",
                "gcore PID",
            ),
            (
                OpenError::Executable { path: "shop".into(), core: "core".into(), reason: reason() },
                "cannot use executable shop for core file core: it is cut",
                "the program that ran",
            ),
        ] {
            assert!(error.to_string().contains(said), "{error}");
            assert!(error.help().is_some_and(|it| it.contains(help)), "{error}: {:?}", error.help());
        }
    }
}
