//! Stopping all threads of a process for a moment: `PTRACE_SEIZE` and `PTRACE_INTERRUPT`, see `ptrace(2)`.
//!
//! The threads go on whatever happens here. A thread of its own does all the tracing, and the kernel detaches what it traces when it ends:
//! at its end, in a panic, and when the whole command is killed. `PTRACE_O_EXITKILL`, which would kill the process then, is not used.
//!
//! No signal is lost. A signal may arrive while a thread is being stopped, and then the thread stops for the signal. Such a stop is looked
//! at, and not taken (`WNOWAIT`), so the kernel delivers the signal when the thread goes on. A process that was stopped before, by
//! `SIGSTOP`, stays stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, gettid};

use super::live_process::LiveProcess;
use super::open_error::OpenError;
use super::registers::Registers;
use super::threads::{Thread, WaitingAt};

/// How often the processor is offered to others before a wait for a thread to stop becomes a sleep.
const MOST_YIELDS: u32 = 64;
/// How often a thread that refuses to be traced is tried again.
const MOST_ATTEMPTS: u32 = 20;
/// What a wait sleeps at once then.
const NAP: Duration = Duration::from_micros(50);

/// What was done while the threads stood still.
#[derive(Debug)]
pub(crate) struct StopOutcome<R> {
    /// The result of the work. `None` if not all threads stopped in time.
    pub(crate) result: Option<R>,
    /// From the first interruption until all threads went on.
    pub(crate) pause: Duration,
}

/// Stops all threads of a process, also those that it starts meanwhile, and does some work while they stand still. The work gets the
/// threads, without names, and the moment at which they have to go on.
///
/// # Errors
///
/// When another process traces it, when this is not permitted, and when it ends.
pub(crate) fn while_stopped<R: Send>(
    process: &LiveProcess,
    most: Duration,
    work: impl FnOnce(Vec<Thread>, Instant) -> R + Send,
) -> Result<StopOutcome<R>, OpenError> {
    let tracer = || {
        let mut stop = ThreadStop::new(process, most);
        let result = match stop.all()? {
            true => Some(work(stop.registers(), stop.until())),
            false => None,
        };
        let left = stop.release();
        Ok((result, stop.began, left, gettid().as_raw().unsigned_abs()))
    };
    let ended = thread::scope(|scope| scope.spawn(tracer).join());
    let (result, began, left, tracer) = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    // The kernel detaches these once it has cleaned up behind the thread, and not before it is seen to end.
    let until = Instant::now() + most;
    while left.iter().any(|thread| tracer_of(process.folder(), *thread) == Some(tracer))
        && Instant::now() < until
    {
        thread::sleep(NAP);
    }
    Ok(StopOutcome { result, pause: began.map_or(Duration::ZERO, |began| began.elapsed()) })
}

struct ThreadStop<'p> {
    process: &'p LiveProcess,
    most: Duration,
    began: Option<Instant>,
    /// Threads that were told to stop.
    running: BTreeSet<i32>,
    /// Threads that stopped, with the signal that waits for them.
    stopped: BTreeMap<i32, Waiting>,
    /// Threads that have ended.
    ended: BTreeSet<i32>,
}

/// What a thread that stopped is to get when it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Signal(Signal),
    /// A real-time signal. Only the kernel can hand it on.
    Unnamed,
}

impl<'p> ThreadStop<'p> {
    fn new(process: &'p LiveProcess, most: Duration) -> Self {
        let (running, ended) = (BTreeSet::new(), BTreeSet::new());
        Self { process, most, began: None, running, stopped: BTreeMap::new(), ended }
    }

    /// When the threads have to go on.
    fn until(&self) -> Instant {
        self.began.unwrap_or_else(Instant::now) + self.most
    }

    /// Stops all threads. `false` if that takes too long.
    fn all(&mut self) -> Result<bool, OpenError> {
        loop {
            // Those that run start others. When none runs, the list is whole.
            let new = self.seize()?;
            if new.is_empty() {
                return Ok(true);
            }
            self.began.get_or_insert_with(Instant::now);
            for thread in new {
                match ptrace::interrupt(Pid::from_raw(thread)) {
                    Ok(()) => self.running.insert(thread),
                    Err(_) => self.ended.insert(thread),
                };
            }
            if !self.wait() {
                return Ok(false);
            }
        }
    }

    /// Begins to trace the threads that are not traced yet.
    fn seize(&self) -> Result<Vec<i32>, OpenError> {
        let pid = self.process.pid_number();
        let is_known = |thread: &i32| {
            self.running.contains(thread) || self.stopped.contains_key(thread) || self.ended.contains(thread)
        };
        let folder = self.process.folder();
        let entries = fs::read_dir(folder.join("task")).map_err(|_| OpenError::Ended { pid })?;
        let threads = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut new = Vec::new();
        for thread in threads.filter(|thread| !is_known(thread)) {
            let seize = || ptrace::seize(Pid::from_raw(thread), ptrace::Options::empty());
            // A thread that is about to run another program, or to end, may refuse for a moment.
            let is_for_a_moment = |_: &u32| {
                thread::sleep(NAP);
                tracer_of(folder, thread) == Some(0) && !has_ended(folder, thread)
            };
            let mut seized = seize();
            if seized == Err(Errno::EPERM) {
                let again = (0..MOST_ATTEMPTS).take_while(is_for_a_moment).map(|_| seize());
                seized = again.into_iter().find(|result| *result != Err(Errno::EPERM)).unwrap_or(seized);
            }
            match seized {
                Ok(()) => new.push(thread),
                Err(Errno::ESRCH) => {}
                // A first thread that ended before the others stays in the list.
                Err(_) if has_ended(folder, thread) => {}
                Err(error) => return Err(self.refused(thread, error)),
            }
        }
        if new.is_empty() && self.stopped.is_empty() && !self.process.is_alive() {
            return Err(OpenError::Ended { pid });
        }
        Ok(new)
    }

    fn refused(&self, thread: i32, error: Errno) -> OpenError {
        let pid = self.process.pid_number();
        match tracer_of(self.process.folder(), thread) {
            Some(tracer @ 1..) => {
                // One of its threads does.
                let status = fs::read_to_string(format!("/proc/{tracer}/status")).unwrap_or_default();
                let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
                let tracer = process.unwrap_or(tracer);
                let name = fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
                OpenError::Traced { pid, tracer, name: name.trim_end().to_owned() }
            }
            _ => self.process.explain(error.into()),
        }
    }

    /// Waits until every thread that was told to stop has done so. `false` if that takes too long.
    fn wait(&mut self) -> bool {
        let until = self.until();
        let mut yields = 0;
        loop {
            let (stopped, ended) = (&mut self.stopped, &mut self.ended);
            self.running.retain(|&thread| match state(thread) {
                State::Running => true,
                State::Stopped(waiting) => {
                    stopped.insert(thread, waiting);
                    false
                }
                State::Ended => {
                    ended.insert(thread);
                    false
                }
            });
            if self.running.is_empty() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            if yields < MOST_YIELDS {
                yields += 1;
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
    }

    /// Reads the registers of the threads.
    fn registers(&self) -> Vec<Thread> {
        let threads = self.stopped.keys().map(|&thread| {
            let registers = registers_of(thread);
            let waits_at = registers.as_ref().and_then(WaitingAt::of_registers);
            let id = u64::from(thread.unsigned_abs());
            // Its thread pointer is known, so it is not looked for by this number.
            Thread { id, inner_id: id, name: None, waits_at, registers }
        });
        threads.collect()
    }

    /// Lets the threads go on. Returns those that only go on when this thread has ended: a real-time signal waits for them, or they
    /// have not stopped.
    fn release(&mut self) -> Vec<i32> {
        let mut left: Vec<i32> = self.running.iter().copied().collect();
        for (thread, waiting) in std::mem::take(&mut self.stopped) {
            let signal = match waiting {
                Waiting::Nothing => None,
                Waiting::Signal(signal) => Some(signal),
                Waiting::Unnamed => {
                    left.push(thread);
                    continue;
                }
            };
            // One that was killed is gone.
            let _ = ptrace::detach(Pid::from_raw(thread), signal);
        }
        left
    }
}

enum State {
    Running,
    Stopped(Waiting),
    Ended,
}

/// Looks at what a thread does that was told to stop, and takes nothing of it.
fn state(thread: i32) -> State {
    let flags = WaitPidFlag::WSTOPPED
        | WaitPidFlag::WEXITED
        | WaitPidFlag::WNOHANG
        | WaitPidFlag::WNOWAIT
        | WaitPidFlag::__WALL;
    match waitid(Id::Pid(Pid::from_raw(thread)), flags) {
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => State::Running,
        // The high byte tells a stop that was asked for, or that of a stopped process, from that for a signal.
        Ok(WaitStatus::PtraceEvent(_, signal, 0)) => State::Stopped(Waiting::Signal(signal)),
        Ok(WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_) | WaitStatus::Stopped(..)) => {
            State::Stopped(Waiting::Nothing)
        }
        Err(Errno::EINVAL) => State::Stopped(Waiting::Unnamed),
        Ok(_) | Err(_) => State::Ended,
    }
}

/// Reads the registers of a thread that stands still.
fn registers_of(thread: i32) -> Option<Registers> {
    let it = ptrace::getregs(Pid::from_raw(thread)).ok()?;
    Some(Registers::from_words(&[
        it.r15,
        it.r14,
        it.r13,
        it.r12,
        it.rbp,
        it.rbx,
        it.r11,
        it.r10,
        it.r9,
        it.r8,
        it.rax,
        it.rcx,
        it.rdx,
        it.rsi,
        it.rdi,
        it.orig_rax,
        it.rip,
        it.cs,
        it.eflags,
        it.rsp,
        it.ss,
        it.fs_base,
        it.gs_base,
        it.ds,
        it.es,
        it.fs,
        it.gs,
    ]))
}

fn status_of(folder: &Path, thread: i32, name: &str) -> Option<String> {
    let status = fs::read_to_string(folder.join("task").join(thread.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// The number of the thread that traces a thread; 0 if none does.
fn tracer_of(folder: &Path, thread: i32) -> Option<u32> {
    status_of(folder, thread, "TracerPid:")?.parse().ok()
}

fn has_ended(folder: &Path, thread: i32) -> bool {
    status_of(folder, thread, "State:").is_none_or(|state| state.starts_with(['Z', 'X']))
}
