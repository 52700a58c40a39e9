//! What a run may and may not do, whatever the code is: limits, traps, memory that is missing.

use std::cell::Cell;
use std::collections::HashSet;

use bw_inspect::emulate::{CodeCache, Fault, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};

const CODE: u64 = 0x40_0000;

/// Some bytes at an address, and a count of reads.
struct Region {
    start: u64,
    bytes: Vec<u8>,
    reads: Cell<usize>,
}

impl Region {
    fn new(start: u64, bytes: impl Into<Vec<u8>>) -> Self {
        Self { start, bytes: bytes.into(), reads: Cell::new(0) }
    }

    /// Code, and zeros to the end of its page.
    fn code(code: &[u8]) -> Self {
        let mut page = code.to_vec();
        page.resize(4096, 0);
        Self::new(CODE, page)
    }
}

impl Memory for Region {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.reads.set(self.reads.get() + 1);
        let from = usize::try_from(address.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        let found = self.bytes.get(from..from.saturating_add(into.len())).ok_or(Unreadable { address })?;
        into.copy_from_slice(found);
        Ok(())
    }
}

fn machine(memory: &Region) -> Machine<'_> {
    let mut machine = Machine::new(Overlay::new(memory, 16));
    machine.cpu.rip = CODE;
    machine
}

fn run(machine: &mut Machine<'_>, traps: &[u64], budget: u64) -> Stop {
    machine.run(&mut CodeCache::new(), &traps.iter().copied().collect(), budget)
}

#[test]
fn a_write_reaches_the_original() {
    let memory = Region::new(0x1000, vec![7; 8192]);
    let mut overlay = Overlay::new(&memory, 16);
    // Across two pages.
    overlay.write(0x1ffd, &[1, 2, 3, 4, 5, 6]).unwrap();
    let mut read = [0; 8];
    overlay.read(0x1ffc, &mut read).unwrap();
    assert_eq!(read, [7, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(memory.bytes, vec![7; 8192]);
    assert_eq!(overlay.page_count(), 2);
    overlay.reset();
    assert_eq!(overlay.page_count(), 0);
    overlay.read(0x1ffc, &mut read).unwrap();
    assert_eq!(read, [7; 8], "a write is there after a reset");
}

#[test]
fn more_pages_are_copied_than_allowed() {
    let memory = Region::new(0, vec![0; 4096 * 10]);
    let mut overlay = Overlay::new(&memory, 3);
    for page in 0..3 {
        overlay.write_u64(page * 4096, 1).unwrap();
    }
    assert_eq!(overlay.write_u64(3 * 4096, 1), Err(Fault::PageLimit));
    assert_eq!(overlay.read_u64(4 * 4096), Err(Fault::PageLimit));
    assert_eq!(overlay.read_u64(4096), Ok(1), "a page that is there");
    // New memory counts, too.
    overlay.map(0x10_0000, 0x1000);
    assert_eq!(overlay.read_u64(0x10_0000), Err(Fault::PageLimit));
}

#[test]
fn memory_that_is_missing_is_made_up() {
    // Readable from within a page to within the next.
    let memory = Region::new(0x1008, vec![9; 4096]);
    let mut overlay = Overlay::new(&memory, 16);
    assert_eq!(overlay.read_u64(0x1008), Ok(0x0909_0909_0909_0909));
    assert_eq!(overlay.read_u64(0x1000), Err(Fault::Unreadable(0x1000)));
    assert_eq!(overlay.read_u64(0x1004), Err(Fault::Unreadable(0x1004)));
    assert_eq!(overlay.read_u64(0x2000), Ok(0x0909_0909_0909_0909));
    assert_eq!(overlay.read_u64(0x2004), Err(Fault::Unreadable(0x2008)));
    assert_eq!(overlay.write_u64(0x2008, 1), Err(Fault::Unreadable(0x2008)));
    assert_eq!(overlay.read_u64(0x9000), Err(Fault::Unreadable(0x9000)));
    // All of a write or nothing.
    assert_eq!(overlay.write(0x2fff, &[1, 2]), Err(Fault::Unreadable(0x2fff)));
    overlay.write(0x2004, &[1; 4]).unwrap();
    assert_eq!(overlay.write(0x1ffc, &[5; 24]), Err(Fault::Unreadable(0x2008)));
    assert_eq!(overlay.read_u64(0x1ff8), Ok(0x0909_0909_0909_0909), "a part of a write that failed");
}

#[test]
fn an_address_at_the_end_of_the_address_space_panics() {
    let memory = Region::new(u64::MAX - 4095, vec![3; 4096]);
    let mut overlay = Overlay::new(&memory, 16);
    assert_eq!(overlay.read_u64(u64::MAX - 7), Ok(0x0303_0303_0303_0303));
    assert_eq!(overlay.read_u64(u64::MAX - 3), Err(Fault::Unreadable(0)));
    overlay.map(u64::MAX - 10, 100);
    overlay.map(0, u64::MAX);
    assert_eq!(overlay.read_u64(0x5000), Ok(0));
    assert!(!overlay.used().is_empty());
}

#[test]
fn what_was_used_is_wrong() {
    let memory = Region::new(0x1000, vec![7; 8192]);
    let mut overlay = Overlay::new(&memory, 16);
    overlay.map(0x8000, 0x1000);
    overlay.read_u64(0x1010).unwrap();
    overlay.read_array::<3>(0x1017).unwrap();
    overlay.write_u64(0x1100, 1).unwrap();
    overlay.read_u64(0x1100).unwrap();
    // A word of which a part is written still depends on the original.
    overlay.write(0x1204, &[1, 2]).unwrap();
    overlay.read_u64(0x1200).unwrap();
    // From one page into the next.
    overlay.read_u64(0x1ffc).unwrap();
    overlay.read_u64(0x8000).unwrap();
    assert_eq!(overlay.used(), [(0x1010, 16), (0x1200, 8), (0x1ff8, 16)]);
}

#[test]
fn a_trap_is_passed() {
    // nop; nop; nop; ud2
    let memory = Region::code(&[0x90, 0x90, 0x90, 0x0f, 0x0b]);
    let mut cache = CodeCache::new();
    let mut machine = machine(&memory);
    assert_eq!(machine.run(&mut cache, &HashSet::from([CODE + 2, CODE + 3]), 100), Stop::Trap(CODE + 2));
    assert_eq!(machine.cpu.rip, CODE + 2);
    // At once, and also where nothing is left of the budget.
    assert_eq!(machine.run(&mut cache, &HashSet::from([CODE + 2]), 0), Stop::Trap(CODE + 2));
    assert_eq!(machine.executed(), 2);
    assert_eq!(machine.run(&mut cache, &HashSet::from([CODE]), 100), Stop::Halted { at: CODE + 3 });
    assert_eq!(machine.executed(), 3);
    // Where there is no memory.
    machine.cpu.rip = 0xdead_0000;
    assert_eq!(machine.run(&mut cache, &HashSet::from([0xdead_0000]), 100), Stop::Trap(0xdead_0000));
    let stop = machine.run(&mut cache, &HashSet::new(), 100);
    assert_eq!(stop, Stop::Unreadable { at: 0xdead_0000, address: 0xdead_0000 });
}

#[test]
fn a_budget_is_exceeded() {
    // inc eax; inc ecx; jmp back
    let memory = Region::code(&[0xff, 0xc0, 0xff, 0xc1, 0xeb, 0xfa]);
    for budget in 0..20 {
        let mut machine = machine(&memory);
        assert_eq!(run(&mut machine, &[], budget), Stop::OutOfBudget);
        assert_eq!(machine.executed(), budget);
        assert_eq!(machine.cpu.gpr[0], budget.div_ceil(3));
    }
    // rep stosb of more than there is memory: bounded, and as many repetitions as the budget has.
    let memory = Region::code(&[0xf3, 0xaa]);
    let mut machine = machine(&memory);
    machine.memory.map(0x1000_0000, 0x1000_0000);
    machine.cpu.gpr[1] = u64::MAX;
    machine.cpu.gpr[7] = 0x1000_0000;
    assert_eq!(run(&mut machine, &[], 10), Stop::OutOfBudget);
    assert_eq!(machine.cpu.gpr[7], 0x1000_0000 + 10 * 64);
    assert_eq!(machine.cpu.rip, CODE);
    assert_eq!(run(&mut machine, &[], 1_000_000), Stop::PageLimit { at: CODE });
    assert_eq!(machine.cpu.gpr[7], 0x1000_0000 + 15 * 4096, "15 pages of data and one of code");
}

#[test]
fn code_at_the_end_of_memory_cannot_be_executed() {
    // The last instruction ends with the memory: mov eax, 7 (5 bytes); jmp rax
    let mut page = vec![0x90; 4096];
    page[4089..].copy_from_slice(&[0xb8, 7, 0, 0, 0, 0xff, 0xe0]);
    let memory = Region::new(CODE, page);
    let mut machine = machine(&memory);
    machine.cpu.rip = CODE + 4089;
    assert_eq!(run(&mut machine, &[7], 100), Stop::Trap(7));
    // Cut off within an instruction.
    machine.cpu.rip = CODE + 4095;
    assert_eq!(run(&mut machine, &[], 100), Stop::Unreadable { at: CODE + 4095, address: CODE + 4096 });
}

#[test]
fn code_is_decoded_for_each_run() {
    // inc eax; jmp +0; ud2
    let memory = Region::code(&[0xff, 0xc0, 0xeb, 0x00, 0x0f, 0x0b]);
    let mut cache = CodeCache::new();
    for _ in 0..3 {
        let mut machine = machine(&memory);
        assert_eq!(machine.run(&mut cache, &HashSet::new(), 100), Stop::Halted { at: CODE + 4 });
        assert_eq!(cache.instruction_count(), 3);
    }
    assert_eq!(memory.reads.get(), 1, "the code is read once");
    let frequencies = cache.frequencies();
    assert_eq!((frequencies["inc"], frequencies["jmp"], frequencies["ud2"]), (3, 3, 3));
}

#[test]
fn a_cache_grows_without_end() {
    // Blocks of two instructions: inc eax; jmp +0.
    let memory = Region::code(&[0xff, 0xc0, 0xeb, 0x00].repeat(1000));
    let mut cache = CodeCache::with_limit(100);
    let mut machine = machine(&memory);
    let stop = machine.run(&mut cache, &HashSet::from([CODE + 4000]), 10_000);
    assert_eq!(stop, Stop::Trap(CODE + 4000));
    assert_eq!(machine.cpu.gpr[0], 1000);
    assert!(cache.instruction_count() <= 100 + 64, "{} instructions", cache.instruction_count());
}

#[test]
fn a_call_answered_by_hand_goes_astray() {
    // call +1; ud2 is at CODE + 5 after the return; the function is at CODE + 6.
    let memory = Region::code(&[0xe8, 2, 0, 0, 0, 0x0f, 0x0b, 0x90]);
    let mut machine = machine(&memory);
    machine.memory.map(0x7000, 0x1000);
    machine.cpu.set_stack_pointer(0x7800);
    machine.cpu.gpr[7] = 11;
    assert_eq!(run(&mut machine, &[CODE + 7], 100), Stop::Trap(CODE + 7));
    assert_eq!(machine.cpu.argument(0), Some(11));
    assert_eq!(machine.cpu.argument(6), None);
    machine.return_at_once(42).unwrap();
    assert_eq!((machine.cpu.rip, machine.cpu.gpr[0], machine.cpu.stack_pointer()), (CODE + 5, 42, 0x7800));
    assert_eq!(run(&mut machine, &[], 100), Stop::Halted { at: CODE + 5 });
}

#[test]
fn a_stop_is_not_explained() {
    let explained = [
        (Stop::Trap(0x10), "reached the trap at 0x10"),
        (
            Stop::Unreadable { at: 0x10, address: 0x20 },
            "the instruction at 0x10 uses memory at 0x20, which cannot be read",
        ),
        (Stop::Unknown { at: 0x10, mnemonic: "fld1".into() }, "unknown instruction `fld1` at 0x10"),
        (Stop::OutOfBudget, "the budget of instructions is used up"),
        (Stop::SystemCall { at: 0x10 }, "system call at 0x10"),
        (Stop::Halted { at: 0x10 }, "the instruction at 0x10 halts the program"),
        (Stop::PageLimit { at: 0x10 }, "the instruction at 0x10 touches more pages than allowed"),
        (Stop::DivideError { at: 0x10 }, "division by zero or overflow of a division at 0x10"),
    ];
    for (stop, text) in explained {
        assert_eq!(stop.to_string(), text);
    }
}

/// Numbers that look random.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn random_code_panics_or_runs_without_end() {
    let mut state = 0x1234_5678_9abc_def1;
    let mut executed = 0;
    for _ in 0..3000 {
        let mut page = vec![0; 4096];
        for chunk in page.chunks_exact_mut(8) {
            chunk.copy_from_slice(&random(&mut state).to_le_bytes());
        }
        let memory = Region::new(CODE, page);
        let mut machine = machine(&memory);
        machine.memory.map(0x10_0000, 0x10_0000);
        for register in &mut machine.cpu.gpr {
            *register = 0x10_0000 + random(&mut state) % 0x8_0000;
        }
        for start in 0..8 {
            machine.cpu.rip = CODE + start * 500;
            run(&mut machine, &[], 2000);
        }
        executed += machine.executed();
    }
    assert!(executed > 50_000, "only {executed} instructions were executed");
}
