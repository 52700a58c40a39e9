//! The interpreter on code of this program: what rustc, the standard library and the C library make of ordinary functions.
//!
//! The memory is that of a child, which is forked and then waits: it does not change while it is read, as that of this process would.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_lossless,
    reason = "the functions are there for the instructions of all conversions"
)]

mod coverage;
mod frozen;
mod functions;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};

use frozen::Frozen;
use functions::{FUNCTIONS, Function};

const RETURN: u64 = 0x5e7;
const STACK: u64 = 0x1000_0000;
const STACK_LEN: u64 = 0x10_0000;

/// System calls of the allocator of the C library.
const HEAP_CALLS: [i64; 2] = [libc::SYS_mprotect, libc::SYS_madvise];

/// Interprets a function. Gives its result and how many instructions it took.
fn interpret(
    memory: &Frozen,
    cache: &mut CodeCache,
    function: Function,
    argument: u64,
) -> Result<(u64, u64), String> {
    let mut overlay = Overlay::new(memory, 4000);
    overlay.map(STACK, STACK_LEN);
    let mut machine = Machine::new(overlay);
    machine.cpu.fs_base = memory.thread_pointer();
    machine.cpu.set_stack_pointer(STACK + STACK_LEN - 4096);
    machine.call(function as usize as u64, &[argument], RETURN).expect("the stack is mapped");
    loop {
        match machine.run(cache, &HashSet::from([RETURN]), 200_000_000) {
            Stop::Trap(RETURN) => return Ok((machine.cpu.gpr[0], machine.executed())),
            // The allocator of the C library makes more of its heap accessible, which it is to the overlay.
            Stop::SystemCall { .. } if HEAP_CALLS.contains(&machine.cpu.gpr[0].cast_signed()) => {
                machine.answer_system_call(0);
            }
            stop => return Err(format!("{stop} with rax {:#x}", machine.cpu.gpr[0])),
        }
    }
}

#[test]
fn a_function_gives_something_else_than_natively() {
    // What a thread does once is done before the fork.
    for (_, function) in FUNCTIONS {
        function(3);
    }
    let memory = Frozen::fork();
    let mut cache = CodeCache::new();
    let mut failures = Vec::new();
    for (name, function) in FUNCTIONS {
        for argument in if cfg!(debug_assertions) { [1, 2, 3, 7] } else { [1, 2, 7, 40] } {
            match interpret(&memory, &mut cache, *function, argument) {
                Ok((result, count)) if result == function(argument) => {
                    println!("{name}({argument}): {count} instructions");
                }
                Ok((result, _)) => failures
                    .push(format!("{name}({argument}): {result:#x} instead of {:#x}", function(argument))),
                Err(stop) => failures.push(format!("{name}({argument}): {stop}")),
            }
        }
    }
    let mut frequencies: Vec<(u64, String)> =
        cache.frequencies().into_iter().map(|(mnemonic, count)| (count, mnemonic)).collect();
    frequencies.sort_unstable_by(|a, b| b.cmp(a));
    let total: u64 = frequencies.iter().map(|(count, _)| count).sum();
    println!("{} mnemonics, {total} instructions", frequencies.len());
    for (count, mnemonic) in &frequencies {
        println!("{:8.4} % {mnemonic}", *count as f64 * 100.0 / total as f64);
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(frequencies.len() > 100, "the functions use {} mnemonics only", frequencies.len());
}

#[test]
fn copies_of_any_size_and_place_differ_from_those_of_the_c_library() {
    let memory = Frozen::fork();
    let mut cache = CodeCache::new();
    // Unoptimized, the interpreter takes a minute for all sizes.
    for size in (0..300).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
        let (result, _) = interpret(&memory, &mut cache, functions::memory_functions, size)
            .unwrap_or_else(|stop| panic!("{size}: {stop}"));
        assert_eq!(result, functions::memory_functions(size), "copies of {size} bytes");
    }
}

#[test]
fn memory_that_a_result_depends_on_is_not_reported() {
    static WATCHED: [AtomicU64; 512] = [const { AtomicU64::new(7) }; 512];
    extern "C" fn read_two(_: u64) -> u64 {
        let first = WATCHED[100].load(Ordering::Relaxed);
        WATCHED[200].store(first, Ordering::Relaxed);
        first + WATCHED[200].load(Ordering::Relaxed)
    }
    let memory = Frozen::fork();
    let mut overlay = Overlay::new(&memory, 4000);
    overlay.map(STACK, STACK_LEN);
    let mut machine = Machine::new(overlay);
    machine.cpu.fs_base = memory.thread_pointer();
    machine.cpu.set_stack_pointer(STACK + STACK_LEN - 4096);
    machine.call(read_two as *const () as u64, &[0], RETURN).expect("the stack is mapped");
    assert_eq!(machine.run(&mut CodeCache::new(), &HashSet::from([RETURN]), 10_000), Stop::Trap(RETURN));
    assert_eq!(machine.cpu.gpr[0], 14);
    let used = machine.memory.used();
    let start = WATCHED.as_ptr() as u64;
    let is_used = |address: u64| used.iter().any(|(from, len)| (*from..from + len).contains(&address));
    assert!(is_used(start + 800), "the word that was read is not in {used:x?}");
    assert!(!is_used(start + 1600), "a word that was written before it was read is in {used:x?}");
    assert!(!is_used(start + 792) && !is_used(start + 808), "neighbours that were not read are in {used:x?}");
    assert!(!is_used(STACK + STACK_LEN - 4104), "new memory is in {used:x?}");
}

/// How fast the interpreter is. Run it alone, in an optimized build: `cargo test --release --test own_code -- --ignored --nocapture`.
#[test]
#[ignore = "measures time"]
fn twenty_million_instructions_take_more_than_a_second() {
    for (_, function) in FUNCTIONS {
        function(3);
    }
    let memory = Frozen::fork();
    let mut cache = CodeCache::new();
    let mut rates = BTreeMap::new();
    let (mut all, mut seconds) = (0, 0.0);
    for (name, function) in FUNCTIONS {
        let _ = interpret(&memory, &mut cache, *function, 40);
        let start = processor_time();
        let mut count = 0;
        while processor_time() - start < Duration::from_millis(300) {
            count += interpret(&memory, &mut cache, *function, 40)
                .unwrap_or_else(|stop| panic!("{name}: {stop}"))
                .1;
        }
        let taken = (processor_time() - start).as_secs_f64();
        rates.insert(*name, count as f64 / taken / 1e6);
        all += count;
        seconds += taken;
    }
    let rate = all as f64 / seconds / 1e6;
    println!("{rate:.1} million instructions a second; by function: {rates:.1?}");
    assert!(rate > 20.0, "{rate:.1} million instructions a second");
}

/// The time that this thread has been on a processor: other programs do not count.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is valid for the time that is written.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(answer, 0, "no processor time");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
