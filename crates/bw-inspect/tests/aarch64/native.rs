//! Words that this processor executes with given registers.
//!
//! A trap enters: the handler of its signal replaces all registers by those of the test. The code ends with a trap, or fails, and the
//! handler puts the registers back. So the code may change every register, also the stack pointer.
//!
//! # Safety
//!
//! The code that runs comes from the tests alone: single instructions and short sequences of them. They write nothing but registers
//! and the data, since every address is relative to it.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::interpreted::{CODE, CODE_BYTES, DATA, DATA_BYTES, State, code};

/// The vector registers in the record of a signal.
const VECTORS: u32 = 0x4650_8001;
/// Bytes of all records.
const RECORD_BYTES: usize = 4096;
/// Where in a record the registers are.
const VECTORS_AT: usize = 16;

struct Exchange {
    saved: UnsafeCell<Option<libc::mcontext_t>>,
    state: UnsafeCell<Option<State>>,
    signal: UnsafeCell<i32>,
}

// SAFETY: one thread uses it, which `Processor::new` asserts; its signal handler runs on the same thread.
unsafe impl Sync for Exchange {}

static EXCHANGE: Exchange =
    Exchange { saved: UnsafeCell::new(None), state: UnsafeCell::new(None), signal: UnsafeCell::new(0) };

/// This processor, with memory for code and data.
#[derive(Debug)]
pub(crate) struct Processor(());

impl Processor {
    /// Maps code and data. Can be made once.
    pub(crate) fn new() -> Self {
        static IS_MADE: AtomicBool = AtomicBool::new(false);
        assert!(!IS_MADE.swap(true, Ordering::AcqRel), "there is one processor");
        map(CODE, CODE_BYTES, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
        map(DATA, DATA_BYTES, libc::PROT_READ | libc::PROT_WRITE);
        let stack = Box::leak(vec![0_u8; 256 * 1024].into_boxed_slice());
        let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
        // SAFETY: the memory is never freed.
        assert_eq!(unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) }, 0);
        for signal in [libc::SIGTRAP, libc::SIGILL, libc::SIGSEGV, libc::SIGBUS] {
            let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = on_signal;
            // SAFETY: all zeros are a valid value.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler only touches what the thread itself does not use at that moment.
            assert_eq!(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) }, 0);
        }
        Self(())
    }

    /// Executes words, until one fails or all are executed. Gives the signal that ended it: `SIGTRAP` at the end.
    pub(crate) fn run(&mut self, words: &[u32], before: &State) -> (i32, State) {
        let code = code(words);
        // SAFETY: the mapping is of this size, and nothing else refers to it.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), CODE as *mut u8, CODE_BYTES) };
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(before.data.as_ptr(), DATA as *mut u8, DATA_BYTES) };
        for at in (CODE..CODE + CODE_BYTES as u64).step_by(64) {
            // SAFETY: the address is mapped. Data caches and instruction caches agree about it then.
            unsafe { std::arch::asm!("dc cvau, {at}", "dsb ish", "ic ivau, {at}", at = in(reg) at) };
        }
        // SAFETY: no handler runs now.
        unsafe { *EXCHANGE.state.get() = Some(before.clone()) };
        // SAFETY: the handler leads into the code, and back behind this instruction with all registers as they are now.
        unsafe { std::arch::asm!("dsb ish", "isb", "brk #1") };
        // SAFETY: no handler runs any more.
        let state = unsafe { (*EXCHANGE.state.get()).take() };
        let mut after = state.expect("the handler leaves it");
        // SAFETY: the mapping is of this size.
        unsafe { ptr::copy_nonoverlapping(DATA as *const u8, after.data.as_mut_ptr(), DATA_BYTES) };
        // SAFETY: as above.
        (unsafe { *EXCHANGE.signal.get() }, after)
    }
}

fn map(address: u64, bytes: usize, protection: i32) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: a new mapping, which replaces none.
    let mapped = unsafe { libc::mmap(address as *mut _, bytes, protection, flags, -1, 0) };
    assert_eq!(mapped as u64, address, "cannot map memory: {}", std::io::Error::last_os_error());
}

/// The vector registers in what a handler gets.
fn vectors(context: &mut libc::mcontext_t) -> *mut u128 {
    // They are the last of the context, whose field has no public name.
    let mut at = (&raw mut *context).wrapping_add(1).cast::<u8>().wrapping_sub(RECORD_BYTES);
    loop {
        // SAFETY: records of a kind and a size follow each other, up to one of size zero.
        let [kind, bytes] = unsafe { at.cast::<[u32; 2]>().read() };
        assert!(bytes != 0, "no record of vector registers");
        if kind == VECTORS {
            // SAFETY: the record has them behind its head.
            return unsafe { at.add(VECTORS_AT) }.cast();
        }
        // SAFETY: the next record.
        at = unsafe { at.add(bytes as usize) };
    }
}

extern "C" fn on_signal(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes it, and nothing else refers to it.
    let context = unsafe { &mut (*context).uc_mcontext };
    // SAFETY: the thread waits for this handler.
    let (saved, state) = unsafe { (&mut *EXCHANGE.saved.get(), &mut *EXCHANGE.state.get()) };
    let Some(state) = state else { std::process::abort() };
    let registers = vectors(context);
    if let Some(before) = saved.take() {
        state.x = context.regs;
        (state.sp, state.pc, state.nzcv) = (context.sp, context.pc, (context.pstate >> 28) as u8 & 15);
        // SAFETY: there are 32 of them, aligned to 16 bytes.
        state.v = unsafe { registers.cast::<[u128; 32]>().read_unaligned() };
        // SAFETY: the thread waits for this handler.
        unsafe { *EXCHANGE.signal.get() = signal };
        *context = before;
        context.pc += 4;
    } else {
        *saved = Some(*context);
        context.regs = state.x;
        (context.sp, context.pc) = (state.sp, state.pc);
        context.pstate = context.pstate & !(15 << 28) | u64::from(state.nzcv) << 28;
        // SAFETY: as above.
        unsafe { registers.cast::<[u128; 32]>().write_unaligned(state.v) };
    }
}
