//! The registers and the stack of a thread that runs, as the kernel's profiler copies them: `perf_event_open(2)`.
//!
//! A timer interrupt copies both while the thread is in user space, so they belong together. The thread is not stopped, and no system call of
//! it ends early: that is what a stop by `ptrace(2)` would risk, as the thread may enter one at any moment.

use std::io;
use std::time::{Duration, Instant};

use perf_event::data::Record;
use perf_event::events::Software;
use perf_event::{Builder, SampleFlag, Sampler};

use super::registers::Registers;
use super::thread_sample::ThreadSample;

/// Bytes of a stack that are copied, at most. A record of the kernel has less than 64 KiB.
const STACK_BYTES: u32 = 48 * 1024;
/// Bytes of the buffer between the kernel and this process, for each thread: one record fits. The kernel limits the sum of all buffers of a
/// user, to 516 KiB unless told.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long a thread is waited for before all are asked whether they run.
const ROUND: Duration = Duration::from_millis(2);
/// Time on a processor after which a thread is interrupted, in nanoseconds.
const PERIOD: u64 = 500_000;

/// The registers that are copied, as bits of `perf_regs.h`: the general ones, the stack pointer and the instruction.
#[cfg(target_arch = "x86_64")]
const REGISTERS: u64 = 0xff_01ff;
#[cfg(target_arch = "aarch64")]
const REGISTERS: u64 = 0x1_ffff_ffff;

/// Copies the registers and the stacks of threads, of each the next time that it runs for half a millisecond. Blocks for `most` at most.
///
/// A thread is missing if it did not run for so long, if `runs` said that it does not run any more, and if the kernel does not allow this.
pub(crate) fn sample(
    threads: &[u64],
    runs: impl Fn(u64) -> bool,
    most: Duration,
) -> Vec<(u64, ThreadSample)> {
    let until = Instant::now() + most;
    let open = |&thread: &u64| Some((thread, sampler(thread).ok()?));
    let mut open: Vec<(u64, Sampler)> = threads.iter().filter_map(open).collect();
    let mut samples = Vec::new();
    while let Some((_, first)) = open.first_mut()
        && Instant::now() < until
    {
        // A record of another thread is taken in the same round.
        let mut record = first.next_blocking(Some(ROUND)).as_ref().and_then(copied);
        open.retain_mut(|(thread, sampler)| {
            let sample = record.take().or_else(|| sampler.next_record().as_ref().and_then(copied));
            let is_done = sample.is_some();
            samples.extend(sample.map(|sample| (*thread, sample)));
            !is_done && runs(*thread)
        });
    }
    samples
}

/// Has the kernel copy a thread each time that it has run for a while.
fn sampler(thread: u64) -> io::Result<Sampler> {
    let mut event = Builder::new(Software::CPU_CLOCK);
    event
        .observe_pid(i32::try_from(thread).map_err(io::Error::other)?)
        .any_cpu()
        .exclude_kernel(true)
        .exclude_hv(true)
        .sample_period(PERIOD)
        .wakeup_events(1)
        .sample(SampleFlag::REGS_USER | SampleFlag::STACK_USER)
        .sample_regs_user(REGISTERS)
        .sample_stack_user(STACK_BYTES)
        .enabled(true);
    event.build()?.sampled(BUFFER_BYTES)
}

/// Takes a sample from a record. `None` for a record that says that others were lost, or that the kernel slowed the timer down.
fn copied(record: &perf_event::Record<'_>) -> Option<ThreadSample> {
    let Record::Sample(sample) = record.parse_record().ok()? else { return None };
    Some(ThreadSample {
        registers: registers(&sample.regs_user()?.regs)?,
        stack: sample.stack_user()?.to_vec(),
    })
}

/// Takes registers in the order of their bits.
#[cfg(target_arch = "x86_64")]
fn registers(words: &[u64]) -> Option<Registers> {
    let &[rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, rip, r8, r9, r10, r11, r12, r13, r14, r15] = words else {
        return None;
    };
    let general = [rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15];
    Some(Registers {
        instruction: rip,
        stack_pointer: rsp,
        thread_pointer: 0,
        system_call: None,
        general: general.into(),
    })
}

#[cfg(target_arch = "aarch64")]
fn registers(words: &[u64]) -> Option<Registers> {
    let [general @ .., instruction] = words.first_chunk::<33>()?;
    Some(Registers {
        instruction: *instruction,
        stack_pointer: general[31],
        thread_pointer: 0,
        system_call: None,
        general: general.as_slice().into(),
    })
}
