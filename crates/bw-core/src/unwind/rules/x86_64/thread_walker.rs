//! The stack of another thread of this process that waits in the kernel: where a poll blocks that does not return.
//!
//! Nobody interrupts that thread. No signal is sent, for system calls of the program would fail with `EINTR`; no debugger is
//! attached. The kernel tells where a waiting thread's stack is (`/proc/self/task/TID/syscall`), its stack is copied
//! (`/proc/self/mem`, where reading what is not there is an error and no fault), and the copy is walked. A thread that ran
//! meanwhile, if only for an instant, has another number of context switches, and then there is no trace.
//!
//! What is not known are the registers. A function that keeps its frame pointer is to have saved its caller's; where that
//! is still in the register, because nobody further down needed it, it is computed from the stack pointer and the function's own
//! first instructions (`prologue`). A walk that does not reach the place where the thread began is thrown away: a wrong guess goes astray
//! long before. So there is a right trace or, for all that could be found, none.
//!
//! x86-64 only. A thread that computes, and waits for nobody, cannot be seen so.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::super::super::Frames;
use super::super::cfi;
use super::super::module::{self, Module};
use super::super::rule::Rule;
use super::prologue;

/// Bytes of the stack that are copied, from the leaf: first so many, and if its beginning is not among them, so many. A walk
/// that needs more has no end.
const STACK_BYTES: [usize; 2] = [32 * 1024, 512 * 1024];
/// Bytes of one module other than home that are read at most, from its unwind information on: of glibc that are 500 KiB. Stacks
/// through modules that have more are not seen, for the process may be short of memory.
const UNWIND_BYTES: usize = 4 * 1024 * 1024;
/// Modules other than home that are kept at once.
const MODULES: usize = 4;

/// Looks at threads of this process, one after the other. To be dropped soon: it keeps what it has read of modules, which may be
/// unloaded.
pub(crate) struct ThreadWalker {
    memory: Memory,
    /// Modules that were met, other than home, and their unwind information from `.eh_frame_hdr` on.
    modules: Vec<(Module, Vec<u8>)>,
}

impl ThreadWalker {
    pub(crate) fn new() -> Option<Self> {
        module::prepare();
        Some(Self { memory: Memory(File::open("/proc/self/mem").ok()?), modules: Vec::new() })
    }

    /// The return addresses of that thread's stack, leaf first and up to where the thread began; the first stands one byte after
    /// the instruction that the thread is at. `None` if it does not wait, or its stack cannot be walked as a whole.
    ///
    /// Reads four small files of the kernel and copies some memory, more the first time, and evaluates every rule anew: takes 100 to
    /// 500 µs, and allocates.
    pub(crate) fn walk(&mut self, thread: u64) -> Option<Vec<usize>> {
        STACK_BYTES.into_iter().find_map(|bytes| {
            let before = Moment::of(thread)?;
            let copy =
                Copy { base: before.stack_pointer, bytes: self.memory.read(before.stack_pointer, bytes)? };
            if Moment::of(thread)? != before {
                return None;
            }
            self.follow(&copy, &before)
        })
    }
}

/// What a waiting thread is doing.
#[derive(PartialEq, Eq)]
struct Moment {
    /// Number and arguments of its system call, and its registers.
    call: String,
    /// How often it has stopped running.
    switches: Vec<String>,
    stack_pointer: usize,
    instruction_pointer: usize,
}

impl Moment {
    /// `None` if it runs.
    fn of(thread: u64) -> Option<Self> {
        // proc_pid_syscall(5): "running", or a number, perhaps arguments, the stack pointer and the program counter.
        let call = fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
        let mut words = call.split_ascii_whitespace().rev();
        let mut register = || usize::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
        let (instruction_pointer, stack_pointer) = (register()?, register()?);
        let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
        let switches =
            status.lines().filter(|line| line.contains("ctxt_switches:")).map(str::to_owned).collect();
        (stack_pointer % 8 == 0).then_some(Self { call, switches, stack_pointer, instruction_pointer })
    }
}

/// All memory of this process. What is not mapped cannot be read, and that is all.
struct Memory(File);

impl Memory {
    /// Up to so many bytes from there on: as many as are mapped in one piece.
    fn read(&self, start: usize, most: usize) -> Option<Vec<u8>> {
        const STEP: usize = 64 * 1024;
        let mut bytes = Vec::new();
        while bytes.len() < most {
            let (known, step) = (bytes.len(), STEP.min(most - bytes.len()));
            bytes.resize(known + step, 0);
            let at = u64::try_from(start.checked_add(known)?).ok()?;
            let read = self.0.read_at(&mut bytes[known..], at).unwrap_or(0);
            bytes.truncate(known + read);
            if read < step {
                break;
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// A copy of a stack.
struct Copy {
    base: usize,
    bytes: Vec<u8>,
}

impl Copy {
    fn word(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at.checked_sub(self.base)?..)?;
        Some(usize::from_ne_bytes(*bytes.first_chunk()?))
    }
}

impl ThreadWalker {
    fn follow(&mut self, copy: &Copy, from: &Moment) -> Option<Vec<usize>> {
        let mut frames = Vec::new();
        let mut stack_pointer = from.stack_pointer;
        let mut frame_pointer = None;
        // As if something had just returned there.
        let mut address = from.instruction_pointer.checked_add(1)?;
        while frames.len() < Frames::CAPACITY {
            frames.push(address);
            let rule = match self.evaluate(address)? {
                Rule::Frame(rule) => rule,
                Rule::End => return Some(frames),
                Rule::Unknown => return None,
            };
            let base = match (rule.from_frame_pointer, frame_pointer) {
                (false, _) => stack_pointer,
                (true, Some(known)) => known,
                (true, None) => self.frame_pointer(address, stack_pointer)?,
            };
            let cfa = base.checked_add(usize::from(rule.cfa) * 8)?;
            if cfa <= stack_pointer || cfa % 8 != 0 {
                return None;
            }
            let word = |below: u8| {
                let at = cfa.checked_sub(usize::from(below) * 8).filter(|&at| at >= stack_pointer)?;
                copy.word(at)
            };
            let caller = (rule.return_address != 0).then(|| word(rule.return_address))??;
            if rule.frame_pointer != 0 {
                frame_pointer = Some(word(rule.frame_pointer)?);
            } else if rule.from_frame_pointer {
                // It is not the caller's any more, and nobody knows what that was.
                return None;
            }
            if caller == 0 {
                return Some(frames);
            }
            if !self.follows_a_call(caller) {
                return None;
            }
            (stack_pointer, address) = (cfa, caller);
        }
        None
    }

    /// The rule for an address, whatever it is. Another module may come and go meanwhile: of it, nothing is read but copies.
    fn evaluate(&mut self, address: usize) -> Option<Rule> {
        self.with_module(address, |module, segment| cfi::evaluate(module, segment, address))
    }

    /// What the function at this address has in its frame pointer, if its first instructions say.
    fn frame_pointer(&mut self, address: usize, stack_pointer: usize) -> Option<usize> {
        let start = self.with_module(address, |module, segment| {
            let (description, ..) = cfi::description(module, segment, address)?;
            usize::try_from(description.initial_address()).ok()
        })??;
        let code = self.memory.read(start, prologue::MOST_BYTES)?;
        // At a return address they are over; that is not so at the leaf.
        let done = prologue::frame_size(&code).filter(|size| address > start + size.bytes_of_code)?;
        stack_pointer.checked_add(done.below_frame_pointer)
    }

    /// Whether what stands before an address is a call, as before every return address.
    fn follows_a_call(&self, address: usize) -> bool {
        let code = address.checked_sub(7).and_then(|start| self.memory.read(start, 7));
        let Some(code) = code.filter(|code| code.len() == 7) else { return false };
        // `call rel32`; or `call *…`, of register or memory, whose second byte has 2 in its middle bits.
        let is_indirect =
            |length: usize| matches!(code[7 - length..], [0xff, what, ..] if what >> 3 & 7 == 2);
        code[2] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(is_indirect)
    }

    fn with_module<T>(&mut self, address: usize, then: impl FnOnce(&Module, &[u8]) -> T) -> Option<T> {
        let home = module::home()?;
        if home.contains(address) {
            return Some(then(home, module::home_segment()?));
        }
        let known = self.modules.iter().position(|(module, _)| module.contains(address));
        let at = match known {
            Some(at) => at,
            None => {
                let (start, end, header) = module::locate(address)?;
                let bytes = self.memory.read(header, UNWIND_BYTES.min(end.checked_sub(header)?))?;
                let module =
                    Module { start, end, header, segment_start: header, segment_end: header + bytes.len() };
                if !module.contains(address) {
                    return None;
                }
                // The oldest one may be wanted again; then it is read again.
                if self.modules.len() == MODULES {
                    self.modules.remove(0);
                }
                self.modules.push((module, bytes));
                self.modules.len() - 1
            }
        };
        let (module, segment) = self.modules.get(at)?;
        Some(then(module, segment))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// What a thread does, seen from outside, and the return addresses above it as it saw them itself.
    fn observe(block: impl FnOnce() + Send + 'static) -> (Vec<usize>, Vec<usize>) {
        let (tell, told) = mpsc::channel();
        let thread = thread::Builder::new();
        thread.spawn(move || outer(&tell, block)).unwrap();
        let (id, truth): (u64, Vec<usize>) = told.recv().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            // Until it has got to where it blocks.
            match ThreadWalker::new().and_then(|mut walker| walker.walk(id)) {
                Some(frames) if frames.ends_with(&truth) => return (frames, truth),
                other => assert!(Instant::now() < deadline, "{other:x?} does not end with {truth:x?}"),
            }
            thread::yield_now();
        }
    }

    #[inline(never)]
    fn outer(tell: &mpsc::Sender<(u64, Vec<usize>)>, block: impl FnOnce()) {
        let mut truth = Vec::new();
        backtrace::trace(|frame| {
            truth.push(frame.ip() as usize);
            truth.last() != Some(&0)
        });
        // Above this function's own frame: what is called from here is what blocks.
        truth.pop_if(|last| *last == 0);
        let here = outer_frame(&truth);
        tell.send((this_thread(), truth.split_off(here + 1))).unwrap();
        block();
        // Not a tail call, which would leave no frame.
        core::hint::black_box(());
    }

    /// The number of this thread, from a link to `PID/task/TID`.
    fn this_thread() -> u64 {
        let link = fs::read_link("/proc/thread-self").unwrap();
        link.file_name().unwrap().to_str().unwrap().parse().unwrap()
    }

    /// The index of the frame of [`outer`]: the last with its name, as those further down may have it among their generic
    /// arguments.
    fn outer_frame(truth: &[usize]) -> usize {
        let is_outer = |&&address: &&usize| {
            let mut is_it = false;
            backtrace::resolve(address as *mut _, |symbol| {
                is_it |= symbol
                    .name()
                    .is_some_and(|name| name.to_string().contains("thread_walker::tests::outer"));
            });
            is_it
        };
        truth.iter().enumerate().rev().find(|(_, address)| is_outer(address)).map_or(0, |(index, _)| index)
    }

    #[test]
    fn a_thread_that_sleeps_is_seen() {
        observe(|| thread::sleep(Duration::from_secs(3600)));
    }

    #[test]
    fn a_thread_that_waits_for_a_lock_is_seen() {
        static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _held = LOCK.lock().unwrap();
        observe(|| drop(LOCK.lock()));
    }

    #[test]
    fn a_thread_that_waits_for_a_lock_of_parking_lot_is_seen() {
        static LOCK: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
        let _held = LOCK.lock();
        observe(|| drop(LOCK.lock()));
    }

    #[test]
    fn a_thread_that_waits_for_a_channel_is_seen() {
        let (_keep, never) = mpsc::channel::<()>();
        observe(move || {
            let _ = never.recv();
        });
    }

    #[test]
    fn a_thread_that_is_parked_is_seen() {
        observe(|| {
            loop {
                thread::park();
            }
        });
    }

    #[test]
    fn a_thread_that_reads_from_a_socket_is_seen() {
        let (_other, mut end) = UnixStream::pair().unwrap();
        observe(move || drop(end.read(&mut [0])));
    }

    #[test]
    fn a_thread_that_runs_is_not_seen() {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let seen = std::sync::Arc::clone(&stop);
        let thread = thread::spawn(move || {
            tell.send(this_thread()).unwrap();
            while !seen.load(core::sync::atomic::Ordering::Relaxed) {}
        });
        let id = told.recv().unwrap();
        let mut walker = ThreadWalker::new().unwrap();
        let frames = walker.walk(id);
        stop.store(true, core::sync::atomic::Ordering::Relaxed);
        thread.join().unwrap();
        assert_eq!(frames, None);
        assert_eq!(walker.walk(id), None, "nor one that is over");
    }
}
