//! A process that runs, read by `process_vm_readv(2)`. Nothing is stopped, nothing is written to it, and no thread of it is interrupted.

use std::fs::{self, File};
use std::io::{self, IoSliceMut, Read as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::time::ClockId;
use nix::unistd::Pid;

use super::architecture::Architecture;
use super::mappings::{self, Mapping};
use super::memory::{Memory, Unreadable};
use super::open_error::OpenError;
use super::threads::{self, Thread};
use super::{Clocks, PAGE, Target, standstill};

/// Threads that are looked at.
const MOST_THREADS: usize = 65_536;
/// Ranges that one system call reads: what the kernel takes at most.
const MOST_RANGES: usize = 1024;

/// A process of this machine that runs.
#[derive(Debug)]
pub struct LiveProcess {
    pid: u32,
    folder: PathBuf,
    access: Access,
    /// Which pages of it are in memory. `None` where the kernel does not say.
    page_map: Option<File>,
}

/// How its memory is read.
#[derive(Debug)]
enum Access {
    SystemCall(Pid),
    /// `/proc/PID/mem`, where the system call is forbidden.
    File(File),
}

impl LiveProcess {
    /// Opens a process for reading. Reads some small files of the kernel and a page of the process.
    ///
    /// # Errors
    ///
    /// When there is no such process, when its memory may not be read, and when its program is of another architecture.
    pub fn open(pid: u32) -> Result<Self, OpenError> {
        if Architecture::of_machine().is_none() {
            return Err(OpenError::Unsupported);
        }
        let folder = Path::new("/proc").join(pid.to_string());
        let raw = i32::try_from(pid).ok().filter(|&pid| pid > 0).ok_or(OpenError::NoProcess { pid })?;
        if !is_alive(&folder) {
            return Err(OpenError::NoProcess { pid });
        }
        let denied = |error: io::Error| explain(pid, &folder, error);
        let text = fs::read(folder.join("maps")).map_err(denied)?;
        let some = mappings::parse(&text).into_iter().find(|mapping| mapping.is_readable);
        let no_mappings = || match is_alive(&folder) {
            true => OpenError::KernelThread { pid },
            false => OpenError::Ended { pid },
        };
        let address = some.ok_or_else(no_mappings)?.range.start;
        check_architecture(pid, &folder)?;
        let call = Access::SystemCall(Pid::from_raw(raw));
        let mut byte = [0];
        let access = match call.read(address, &mut byte) {
            Ok(_) => call,
            Err(Errno::EPERM | Errno::ENOSYS) => {
                let file = File::open(folder.join("mem")).map_err(denied)?;
                file.read_at(&mut byte, address).map_err(denied)?;
                Access::File(file)
            }
            Err(Errno::ESRCH) => return Err(OpenError::Ended { pid }),
            Err(error) => return Err(OpenError::Io { pid, error: error.into() }),
        };
        let page_map = File::open(folder.join("pagemap")).ok();
        Ok(Self { pid, folder, access, page_map })
    }

    /// Whether it is there, and has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        is_alive(&self.folder)
    }

    /// Its number.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn pid_number(&self) -> u32 {
        self.pid
    }

    /// Its folder in `/proc`.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says why something of it cannot be done.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn explain(&self, error: io::Error) -> OpenError {
        explain(self.pid, &self.folder, error)
    }

    /// Returns the threads and where they wait. Reads three small files for each thread.
    #[must_use]
    fn read_threads(&self) -> Vec<Thread> {
        let entries = fs::read_dir(self.folder.join("task")).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.take(MOST_THREADS)
            .map(|id: u64| {
                let folder = self.folder.join("task").join(id.to_string());
                let name = fs::read(folder.join("comm")).ok();
                let name = name.map(|name| String::from_utf8_lossy(&name).trim_end_matches('\n').into());
                let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
                let call = fs::read_to_string(folder.join("syscall")).unwrap_or_default();
                let waits_at = threads::parse_system_call(&call, threads::context_switches(&status));
                let inner_id = threads::inner_number(&status).unwrap_or(id);
                Thread { id, inner_id, name, waits_at, registers: None }
            })
            .collect()
    }

    /// The pages of a range that are in memory or on a swap device, as runs. Pages that were never written are not, and reading
    /// them would make the kernel map a page of zeros.
    fn present(&self, range: &Range<u64>) -> Option<Vec<Range<u64>>> {
        /// Pages whose state is read at once.
        const STEP: usize = 8192;
        /// The bits of `proc_pid_pagemap(5)` for a page that is swapped out, and for one that is in memory.
        const PRESENT: u64 = 3 << 62;

        /// Bytes of a larger range than any heap: sanitizers reserve such for themselves, and the state of its pages alone takes minutes.
        const MOST_BYTES: u64 = 1 << 40;

        let file = self.page_map.as_ref()?;
        if range.end - range.start > MOST_BYTES {
            return Some(Vec::new());
        }
        let mut runs: Vec<Range<u64>> = Vec::new();
        let mut bytes = vec![0; STEP * 8];
        let mut at = range.start;
        while at < range.end {
            let pages =
                usize::try_from((range.end - at).div_ceil(PAGE)).map_or(STEP, |pages| pages.min(STEP));
            file.read_exact_at(bytes.get_mut(..pages * 8)?, at / PAGE * 8).ok()?;
            for word in super::words::words_of(bytes.get(..pages * 8)?) {
                if word & PRESENT != 0 {
                    match runs.last_mut() {
                        Some(last) if last.end == at => last.end += PAGE,
                        _ => runs.push(at..at + PAGE),
                    }
                }
                at += PAGE;
            }
        }
        Some(runs)
    }
}

impl Memory for LiveProcess {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let read = self.access.read(address, into).unwrap_or(0);
        if read == into.len() { Ok(()) } else { Err(Unreadable { address }) }
    }
}

impl Target for LiveProcess {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn mappings(&self) -> Result<Vec<Mapping>, OpenError> {
        let text = fs::read(self.folder.join("maps"));
        let text = text.map_err(|error| explain(self.pid, &self.folder, error))?;
        let mappings = mappings::parse(&text);
        if mappings.is_empty() { Err(OpenError::Ended { pid: self.pid }) } else { Ok(mappings) }
    }

    fn threads(&self) -> Vec<Thread> {
        self.read_threads()
    }

    fn thread_now(&self, id: u64) -> Option<Thread> {
        let folder = self.folder.join("task").join(id.to_string());
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let call = fs::read_to_string(folder.join("syscall")).ok()?;
        let waits_at = threads::parse_system_call(&call, threads::context_switches(&status));
        let inner_id = threads::inner_number(&status).unwrap_or(id);
        Some(Thread { id, inner_id, name: None, waits_at, registers: None })
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn sample_threads(&self, ids: &[u64], most: Duration) -> Vec<(u64, super::ThreadSample)> {
        let runs = |id| self.thread_now(id).is_some_and(|thread| thread.waits_at.is_none());
        super::profiler::sample(ids, runs, most)
    }

    fn filled(&self, mapping: &Mapping) -> Vec<Range<u64>> {
        self.present(&mapping.range).unwrap_or_else(|| vec![mapping.range.clone()])
    }

    fn read_pages(&self, pages: &[u64], into: &mut [u8]) -> bool {
        let Access::SystemCall(pid) = self.access else {
            return into
                .chunks_mut(super::PAGE_BYTES)
                .zip(pages)
                .all(|(into, &page)| self.read(page, into).is_ok());
        };
        let all = pages.chunks(MOST_RANGES).zip(into.chunks_mut(MOST_RANGES * super::PAGE_BYTES));
        let mut is_whole = true;
        for (pages, into) in all {
            let remote: Vec<RemoteIoVec> = pages
                .iter()
                .filter_map(|&page| {
                    Some(RemoteIoVec { base: usize::try_from(page).ok()?, len: super::PAGE_BYTES })
                })
                .collect();
            let length = into.len();
            let read = process_vm_readv(pid, &mut [IoSliceMut::new(into)], &remote);
            is_whole &= read == Ok(length);
        }
        is_whole
    }

    fn clocks(&self) -> Clocks {
        let now = |clock: ClockId| clock.now().map(Duration::from).unwrap_or_default();
        Clocks { monotonic: now(ClockId::CLOCK_MONOTONIC), realtime: now(ClockId::CLOCK_REALTIME) }
    }

    fn is_over(&self) -> bool {
        !self.is_alive()
    }

    fn standstill(&self) -> Option<String> {
        standstill::of(self.pid, &self.folder)
    }
}

impl Access {
    /// Reads as many bytes as are there in one piece.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let length = into.len();
        match self {
            Self::SystemCall(pid) => {
                let base = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
                process_vm_readv(*pid, &mut [IoSliceMut::new(into)], &[RemoteIoVec { base, len: length }])
            }
            Self::File(file) => {
                // Offsets of files are signed.
                i64::try_from(address).map_err(|_| Errno::EFAULT)?;
                file.read_at(into, address)
                    .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
            }
        }
    }
}

/// Whether a process is there, and no zombie.
fn is_alive(folder: &Path) -> bool {
    let status = fs::read_to_string(folder.join("stat")).unwrap_or_default();
    // The state follows the name, which is in parentheses and may hold any of these characters.
    let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    // A system may hide the processes of other users, and then nothing can be said.
    state.is_some_and(|state| !matches!(state, 'Z' | 'X')) || (status.is_empty() && folder.exists())
}

/// Refuses programs that this crate cannot emulate.
fn check_architecture(pid: u32, folder: &Path) -> Result<(), OpenError> {
    let mut header = [0; 20];
    let read = File::open(folder.join("exe")).and_then(|mut file| file.read_exact(&mut header));
    // The executable may be out of reach where the memory is not.
    if read.is_err() || !header.starts_with(b"\x7fELF") {
        return Ok(());
    }
    let is_32_bit = header[4] == 1;
    let architecture = Architecture::of_elf(u16::from_le_bytes([header[18], header[19]]));
    if is_32_bit || architecture.is_none() || architecture != Architecture::of_machine() {
        return Err(OpenError::OtherArchitecture { pid, is_32_bit });
    }
    Ok(())
}

/// Says why a file of a process cannot be read.
fn explain(pid: u32, folder: &Path, error: io::Error) -> OpenError {
    if !is_alive(folder) {
        return OpenError::Ended { pid };
    }
    if error.kind() != io::ErrorKind::PermissionDenied {
        return OpenError::Io { pid, error };
    }
    // The kernel gives the files of a protected process to root, so its real user is read from its status.
    let uid = status_number(folder, "Uid:").or_else(|| fs::metadata(folder).ok().map(|it| it.uid()));
    let own = nix::unistd::geteuid().as_raw();
    if let Some(uid) = uid.filter(|&uid| uid != own) {
        return OpenError::OtherUser { pid, uid };
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    match scope.and_then(|scope| scope.trim().parse().ok()) {
        Some(scope @ 1..) => OpenError::Yama { pid, scope },
        _ => OpenError::Protected { pid, from_root: own == 0 },
    }
}

/// The first number of a line of a process's status.
fn status_number(folder: &Path, name: &str) -> Option<u32> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
