//! What an emulated poll is answered when it asks the kernel.
//!
//! Every answer is one that a poll may get at any time: that nothing is there yet. So a leaf goes on to wait, as it does in the process.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use object::{Object as _, ObjectSymbol as _};

use super::address_space::{FreeSpace, HEAP_BYTES};
use super::system_call_numbers::as_on_x86_64;
use crate::emulate::{AnyMachine as Machine, Fault};
use crate::target::Clocks;
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;
use crate::target::words::bytes_at;

/// Bytes of the largest vDSO.
const MOST_VDSO_BYTES: u64 = 1 << 20;

/// What happened to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The poll goes on.
    Answered,
    /// It waits for a lock that another thread holds.
    Locked,
    /// It ends its thread or its process.
    Exits,
}

/// A function of the kernel's own module, which reads memory that cannot be read from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KernelFunction {
    ClockGetTime,
    GetTimeOfDay,
    Time,
    GetCpu,
}

/// Answers in place of the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    clocks: Clocks,
    functions: HashMap<u64, KernelFunction>,
    heap: u64,
    heap_end: u64,
    next: u64,
    /// The number of the process, and that of the thread that polls.
    process: u64,
    thread: u64,
    /// What the poll wrote to stderr: the message of a panic.
    said: Vec<u8>,
    woken: Woken,
}

/// What a poll did that may end the wait of a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Woken {
    futexes: Vec<u64>,
    /// Which of the descriptors that a thread waits for it was is not known.
    has_written_event: bool,
}

/// Numbers of system calls of x86-64.
mod call {
    pub(super) const WRITE: u64 = 1;
    pub(super) const WRITEV: u64 = 20;
    pub(super) const MMAP: u64 = 9;
    pub(super) const MPROTECT: u64 = 10;
    pub(super) const MUNMAP: u64 = 11;
    pub(super) const BRK: u64 = 12;
    pub(super) const RT_SIGPROCMASK: u64 = 14;
    pub(super) const SCHED_YIELD: u64 = 24;
    pub(super) const MADVISE: u64 = 28;
    pub(super) const GETPID: u64 = 39;
    pub(super) const EXIT: u64 = 60;
    pub(super) const GETTID: u64 = 186;
    pub(super) const CLOSE: u64 = 3;
    pub(super) const FUTEX: u64 = 202;
    pub(super) const RESTART_SYSCALL: u64 = 219;
    pub(super) const CLOCK_GETTIME: u64 = 228;
    pub(super) const EXIT_GROUP: u64 = 231;
    pub(super) const POLL: u64 = 7;
    pub(super) const EPOLL_WAIT: u64 = 232;
    pub(super) const PPOLL: u64 = 271;
    pub(super) const EPOLL_PWAIT: u64 = 281;
    pub(super) const TIMERFD_SETTIME: u64 = 286;
    pub(super) const EPOLL_PWAIT2: u64 = 441;
    pub(super) const EPOLL_CTL: u64 = 233;
    pub(super) const GETRANDOM: u64 = 318;
}

/// `-EAGAIN`: try again later.
const AGAIN: u64 = (-11_i64).cast_unsigned();
/// `-ENOMEM`.
const NO_MEMORY: u64 = (-12_i64).cast_unsigned();
/// The descriptor of stderr.
const STDERR: u64 = 2;
/// Bytes that are written to an event descriptor.
const EVENT_BYTES: u64 = 8;
/// Futexes that are kept of one poll.
const MOST_WOKEN: usize = 1024;
/// Bytes of what a poll writes to stderr that are kept.
const MOST_SAID: usize = 400;
/// Bytes that one request for randomness gets. Callers ask for the rest again.
const MOST_RANDOM: usize = 256;

impl Kernel {
    pub(crate) fn new(
        memory: &dyn Memory,
        modules: &LoadedModules,
        space: &FreeSpace,
        clocks: Clocks,
        process: u32,
    ) -> Self {
        let functions = kernel_functions(memory, modules).unwrap_or_default();
        Self {
            clocks,
            functions,
            heap: space.heap,
            heap_end: space.heap + HEAP_BYTES,
            next: space.heap,
            process: u64::from(process),
            thread: 0,
            said: Vec::new(),
            woken: Woken::default(),
        }
    }

    /// Says which thread asks from now on.
    pub(crate) fn on_thread(&mut self, thread: u64) {
        self.thread = thread;
    }

    /// Begins a poll: forgets what the poll before it asked for.
    pub(crate) fn restart(&mut self) {
        self.next = self.heap;
        self.said.clear();
        self.woken = Woken::default();
    }

    /// Lets time pass: more than a second, so that seconds and their parts both change.
    pub(crate) fn pass_time(&mut self) {
        const STEP: Duration = Duration::new(1, 1);

        self.clocks.monotonic = self.clocks.monotonic.saturating_add(STEP);
        self.clocks.realtime = self.clocks.realtime.saturating_add(STEP);
    }

    /// Returns what the poll wrote to stderr, on one line. `None` if it wrote nothing.
    pub(crate) fn said(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.said);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    }

    /// Returns what was woken since the start.
    pub(crate) fn woken(&self) -> &Woken {
        &self.woken
    }

    /// Returns the addresses of functions that have to be answered.
    pub(crate) fn traps(&self) -> impl Iterator<Item = u64> {
        self.functions.keys().copied()
    }

    /// Answers a function at its first instruction. `None` if it is none of the kernel's.
    pub(crate) fn function(&self, machine: &mut Machine<'_>, at: u64) -> Option<Result<(), Fault>> {
        let function = *self.functions.get(&at)?;
        let (first, second) = (machine.cpu.argument(0).unwrap_or(0), machine.cpu.argument(1).unwrap_or(0));
        let seconds = self.clocks.realtime.as_secs();
        let written = match function {
            KernelFunction::ClockGetTime => self.clock(machine, first, second),
            KernelFunction::GetTimeOfDay if first != 0 => {
                let micros = u64::from(self.clocks.realtime.subsec_micros());
                two_words(machine, first, seconds, micros)
            }
            KernelFunction::Time if first != 0 => machine.memory.write_u64(first, seconds),
            KernelFunction::GetTimeOfDay | KernelFunction::Time | KernelFunction::GetCpu => Ok(()),
        };
        let value = if function == KernelFunction::Time { seconds } else { 0 };
        Some(written.and_then(|()| machine.return_at_once(value)))
    }

    /// Answers the system call that is the next instruction.
    pub(crate) fn system_call(&mut self, machine: &mut Machine<'_>) -> Result<Answer, Fault> {
        let [first, second, third] = [0, 1, 2].map(|number| machine.cpu.argument(number).unwrap_or(0));
        let value = match as_on_x86_64(machine.cpu.system_call()) {
            // Of a futex, waking is answered with how many were woken. Everything else waits.
            call::FUTEX if matches!(second & 0x7f, 1 | 3 | 4 | 5 | 7 | 10) => {
                if self.woken.futexes.len() < MOST_WOKEN {
                    self.woken.futexes.push(first);
                }
                0
            }
            call::FUTEX => return Ok(Answer::Locked),
            call::EXIT | call::EXIT_GROUP => return Ok(Answer::Exits),
            // Such as to an event descriptor, to unpark a driver, or a message to stderr.
            call::WRITE => {
                if first == STDERR {
                    self.listen(machine, second, third);
                }
                self.woken.has_written_event |= third == EVENT_BYTES;
                third
            }
            call::GETPID => self.process,
            call::GETTID => self.thread,
            call::GETRANDOM => {
                // The same each time, so that two looks at a task show the same.
                let length = usize::try_from(second).unwrap_or(usize::MAX).min(MOST_RANDOM);
                machine.memory.write(first, &[0x5a; MOST_RANDOM][..length])?;
                length as u64
            }
            call::WRITEV => self.listen_to_parts(machine, first, second, third),
            call::CLOCK_GETTIME => {
                self.clock(machine, first, second)?;
                0
            }
            call::MMAP => self.allocate(second),
            call::MPROTECT | call::MUNMAP | call::MADVISE | call::RT_SIGPROCMASK | call::SCHED_YIELD => 0,
            call::CLOSE | call::EPOLL_CTL | call::TIMERFD_SETTIME => 0,
            // Moving the end of the heap fails, and allocators map memory instead.
            call::BRK => 0,
            _ => AGAIN,
        };
        machine.answer_system_call(value);
        Ok(Answer::Answered)
    }

    fn listen(&mut self, machine: &mut Machine<'_>, from: u64, bytes: u64) {
        let length =
            usize::try_from(bytes).unwrap_or(usize::MAX).min(MOST_SAID.saturating_sub(self.said.len()));
        let mut text = vec![0; length];
        if machine.memory.read(from, &mut text).is_ok() {
            self.said.extend(text);
        }
    }

    /// Takes parts of a text, and returns how many bytes they have together.
    fn listen_to_parts(&mut self, machine: &mut Machine<'_>, file: u64, parts: u64, count: u64) -> u64 {
        let mut all = 0_u64;
        for place in (parts..).step_by(16).take(usize::try_from(count.min(1024)).unwrap_or(0)) {
            let part = machine
                .memory
                .read_u64(place)
                .and_then(|from| machine.memory.read_u64(place.wrapping_add(8)).map(|bytes| (from, bytes)));
            let Ok((from, bytes)) = part else { break };
            all = all.saturating_add(bytes);
            if file == STDERR {
                self.listen(machine, from, bytes);
            }
        }
        all
    }

    fn allocate(&mut self, bytes: u64) -> u64 {
        let start = self.next.checked_next_multiple_of(4096);
        let bytes = bytes.checked_next_multiple_of(4096).filter(|&bytes| bytes > 0);
        start.zip(bytes).and_then(|(start, bytes)| self.take(start, bytes)).unwrap_or(NO_MEMORY)
    }

    /// Returns a block of new memory, with 16 bytes in front of it that belong to it. `None` if there is no room.
    pub(crate) fn block(&mut self, bytes: u64, alignment: u64) -> Option<u64> {
        let alignment = Some(alignment).filter(|alignment| alignment.is_power_of_two())?;
        self.take(self.next.checked_add(16)?.checked_next_multiple_of(alignment)?, bytes)
    }

    fn take(&mut self, start: u64, bytes: u64) -> Option<u64> {
        let end = start.checked_add(bytes).filter(|&end| end <= self.heap_end)?;
        self.next = end;
        Some(start)
    }

    fn clock(&self, machine: &mut Machine<'_>, clock: u64, to: u64) -> Result<(), Fault> {
        /// `CLOCK_REALTIME`, and the same in coarse steps.
        const REALTIME: [u64; 2] = [0, 5];

        let time = if REALTIME.contains(&clock) { self.clocks.realtime } else { self.clocks.monotonic };
        two_words(machine, to, time.as_secs(), u64::from(time.subsec_nanos()))
    }
}

impl Woken {
    /// Adds what another poll woke.
    pub(crate) fn add(&mut self, other: &Self) {
        self.futexes.extend(&other.futexes);
        self.has_written_event |= other.has_written_event;
    }

    /// Whether nothing was woken.
    pub(crate) fn is_empty(&self) -> bool {
        self.futexes.is_empty() && !self.has_written_event
    }

    /// Whether it ends a wait: a system call as the kernel writes it, with its number and its arguments.
    pub(crate) fn ends(&self, call: &str) -> bool {
        let mut words = call.split_ascii_whitespace();
        let number = words.next().and_then(|word| word.parse().ok());
        let first = words.next().and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
        match number {
            Some(call::FUTEX) => first.is_some_and(|first| self.futexes.contains(&first)),
            Some(call::POLL | call::PPOLL | call::EPOLL_WAIT | call::EPOLL_PWAIT | call::EPOLL_PWAIT2) => {
                self.has_written_event
            }
            // A wait that goes on after the thread was stopped; its arguments stay in their registers.
            Some(call::RESTART_SYSCALL) => {
                self.has_written_event || first.is_some_and(|first| self.futexes.contains(&first))
            }
            _ => false,
        }
    }
}

fn two_words(machine: &mut Machine<'_>, to: u64, first: u64, second: u64) -> Result<(), Fault> {
    machine.memory.write_u64(to, first)?;
    machine.memory.write_u64(to.wrapping_add(8), second)
}

/// Finds the functions of the vDSO by their names.
fn kernel_functions(memory: &dyn Memory, modules: &LoadedModules) -> Option<HashMap<u64, KernelFunction>> {
    let vdso = modules.all().iter().find(|it| it.module().path() == Path::new("linux-vdso.so.1"))?;
    let range = vdso.module().range();
    let length = (range.end - range.start).checked_next_multiple_of(4096)?.min(MOST_VDSO_BYTES);
    let bytes = bytes_at(memory, range.start, usize::try_from(length).ok()?).ok()?;
    let file = object::File::parse(&*bytes).ok()?;
    let functions = file.dynamic_symbols().filter_map(|symbol| {
        let name = symbol.name().ok()?;
        let function = match name.strip_prefix("__vdso_").or_else(|| name.strip_prefix("__kernel_"))? {
            "clock_gettime" => KernelFunction::ClockGetTime,
            "gettimeofday" => KernelFunction::GetTimeOfDay,
            "time" => KernelFunction::Time,
            "getcpu" => KernelFunction::GetCpu,
            _ => return None,
        };
        Some((symbol.address().wrapping_add(vdso.module().bias()), function))
    });
    Some(functions.collect())
}
