//! An interpreter of machine code over copy-on-write memory.
//!
//! A [`Machine`] runs code of another process without that process: it reads the memory through [`Memory`](crate::target::Memory)
//! and keeps what it writes in an [`Overlay`]. Hostile memory cannot harm it. A run has a budget of instructions, the overlay has a
//! limit of pages, and an instruction that the interpreter does not know ends the run with its name.
//!
//! ```
//! use std::collections::HashSet;
//! use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
//! use bw_inspect::target::{Memory, Unreadable};
//!
//! /// `lea rax, [rdi + rsi*2]` and `ret`, at address 0x1000.
//! struct Code;
//!
//! impl Memory for Code {
//!     fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
//!         const CODE: [u8; 5] = [0x48, 0x8d, 0x04, 0x77, 0xc3];
//!         if address != 0x1000 || into.len() < CODE.len() {
//!             return Err(Unreadable { address });
//!         }
//!         into[..CODE.len()].copy_from_slice(&CODE);
//!         Ok(())
//!     }
//! }
//!
//! let mut memory = Overlay::new(&Code, 100);
//! memory.map(0x7000_0000, 0x1_0000);
//! let mut machine = Machine::new(memory);
//! machine.cpu.set_stack_pointer(0x7001_0000);
//! machine.call(0x1000, &[20, 11], 0xdead)?;
//!
//! let stop = machine.run(&mut CodeCache::new(), &HashSet::from([0xdead]), 1_000);
//! assert_eq!(stop, Stop::Trap(0xdead));
//! assert_eq!(machine.cpu.gpr[0], 42);
//! # Ok::<(), bw_inspect::emulate::Fault>(())
//! ```
//!
//! # What it covers
//!
//! x86-64: what rustc emits for the baseline, and what the C library's `memcpy` and its like use on processors with AVX2;
//! [`x86_64`] has the list. AArch64: what rustc emits, with and without the atomic instructions of LSE, and most vector instructions;
//! [`aarch64`] has the list. Another architecture is another [`Processor`] in a folder of its own.
//!
//! # What differs from a processor
//!
//! * Every readable page is also writable and executable.
//! * Accesses are never misaligned.
//! * Floating-point exceptions are not recorded, and rounding is to the nearest even value.
//! * Code that changes after it was decoded runs as it was.

pub mod aarch64;
mod any_cpu;
mod any_machine;
mod code_cache;
mod fault;
mod machine;
mod overlay;
mod page;
mod processor;
mod stop;
pub mod x86_64;

pub(crate) use any_cpu::{AnyCpu, REGISTERS};
pub(crate) use any_machine::{AnyCode, AnyMachine};
pub use code_cache::CodeCache;
pub use fault::Fault;
pub use machine::Machine;
pub use overlay::Overlay;
pub use processor::{Decoded, Processor};
pub use stop::Stop;
