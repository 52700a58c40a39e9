//! What a random word cannot show: the thread pointer, system calls, cleared blocks, calls.

use std::collections::HashSet;

use bw_inspect::emulate::aarch64::Cpu;
use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};

const CODE: u64 = 0x1000;
const RETURN: u64 = 0x5e70;

/// Some words at an address, and breaks behind them.
struct Words(Vec<u32>);

impl Memory for Words {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let from = usize::try_from(address.wrapping_sub(CODE)).unwrap_or(usize::MAX);
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(4096, 0);
        let found = bytes.get(from..from.saturating_add(into.len())).ok_or(Unreadable { address })?;
        into.copy_from_slice(found);
        Ok(())
    }
}

/// Calls the words with two arguments. Gives where that ends, and the machine to `look`.
fn call<T>(words: &[u32], arguments: &[u64], look: impl FnOnce(&mut Machine<'_, Cpu>, Stop) -> T) -> T {
    let memory = Words(words.to_vec());
    let mut overlay = Overlay::new(&memory, 16);
    overlay.map(0x10_0000, 0x1_0000);
    let mut machine = Machine::with_cpu(Cpu::default(), overlay);
    machine.cpu.set_stack_pointer(0x10_8000);
    machine.call(CODE, arguments, RETURN).unwrap();
    let stop = machine.run(&mut CodeCache::new(), &HashSet::from([RETURN]), 1_000);
    look(&mut machine, stop)
}

#[test]
fn a_call_loses_its_arguments_or_its_result() {
    // add x0, x0, x1, lsl #1; ret
    call(&[0x8b01_0400, 0xd65f_03c0], &[20, 11], |machine, stop| {
        assert_eq!((stop, machine.cpu.x(0)), (Stop::Trap(RETURN), 42));
        assert_eq!(machine.cpu.argument(1), Some(11));
        assert_eq!(machine.cpu.argument(8), None);
    });
}

#[test]
fn a_loop_ends_elsewhere() {
    // mov x2, #0; add x2, x2, x0; subs x0, x0, #1; b.ne -8; mov x0, x2; ret
    let words = [0xd280_0002, 0x8b00_0042, 0xf100_0400, 0x54ff_ffc1, 0xaa02_03e0, 0xd65f_03c0];
    call(&words, &[10], |machine, stop| {
        assert_eq!((stop, machine.cpu.x(0)), (Stop::Trap(RETURN), 55));
        assert_eq!(machine.executed(), 33);
    });
}

#[test]
fn a_system_call_is_executed_or_not_answered() {
    // mov x8, #178; svc #0; ret
    call(&[0xd280_1648, 0xd400_0001, 0xd65f_03c0], &[], |machine, stop| {
        assert_eq!((stop, machine.cpu.x(8)), (Stop::SystemCall { at: CODE + 4 }, 178));
        machine.answer_system_call(4711);
        let stop = machine.run(&mut CodeCache::new(), &HashSet::from([RETURN]), 10);
        assert_eq!((stop, machine.cpu.x(0)), (Stop::Trap(RETURN), 4711));
    });
}

#[test]
fn the_thread_pointer_or_a_signature_is_lost() {
    // msr tpidr_el0, x0; mrs x1, tpidr_el0; mov x30, x2; autiasp; mov x0, x30; brk #1
    let words = [0xd51b_d040, 0xd53b_d041, 0xaa02_03fe, 0xd503_23bf, 0xaa1e_03e0, 0xd420_0020];
    call(&words, &[7, 0, 0x00ab_7fff_1234_5678], |machine, stop| {
        assert_eq!(stop, Stop::Halted { at: CODE + 20 });
        assert_eq!((machine.cpu.tpidr_el0, machine.cpu.x(1)), (7, 7));
        assert_eq!(machine.cpu.x(0), 0x7fff_1234_5678);
    });
}

#[test]
fn a_block_is_cleared_in_part() {
    // str x0, [x1]; str x0, [x1, #56]; str x0, [x1, #64]; mrs x2, dczid_el0; dc zva, x1; ret
    let words = [0xf900_0020, 0xf900_1c20, 0xf900_2020, 0xd53b_00e2, 0xd50b_7421, 0xd65f_03c0];
    call(&words, &[u64::MAX, 0x10_0040], |machine, stop| {
        assert_eq!((stop, machine.cpu.x(2)), (Stop::Trap(RETURN), 4));
        let mut words = || [0x10_0040, 0x10_0078, 0x10_0080].map(|at| machine.memory.read_u64(at).unwrap());
        assert_eq!(words(), [0, 0, u64::MAX]);
    });
}

#[test]
fn a_vector_of_unknown_length_is_copied_beyond_its_end() {
    // cntb x3; whilelo p0.b, xzr, x2; whilelo p1.b, x3, x2; ld1b {z0.b}, p0/z, [x1]; ld1b {z1.b}, p1/z, [x1, #1, mul vl];
    // st1b {z0.b}, p0, [x0]; st1b {z1.b}, p1, [x0, #1, mul vl]; ptrue p2.b; mov z2.b, w3; st1b {z2.b}, p2, [x0, #-1, mul vl]; ret
    let words = [
        0x0420_e3e3,
        0x2522_1fe0,
        0x2522_1c61,
        0xa400_a020,
        0xa401_a421,
        0xe400_e000,
        0xe401_e401,
        0x2518_e3e2,
        0x0520_3862,
        0xe40f_e802,
        0xd65f_03c0,
    ];
    let memory = Words(words.to_vec());
    for count in [0, 1, 15, 16, 17, 31, 32] {
        let mut overlay = Overlay::new(&memory, 16);
        overlay.map(0x10_0000, 0x1_0000);
        let source: [u8; 32] = std::array::from_fn(|at| at as u8 + 1);
        overlay.write(0x10_1000, &source).unwrap();
        let mut machine = Machine::with_cpu(Cpu::default(), overlay);
        machine.call(CODE, &[0x10_2000, 0x10_1000, u64::from(count)], RETURN).unwrap();
        let stop = machine.run(&mut CodeCache::new(), &HashSet::from([RETURN]), 1_000);
        assert_eq!(stop, Stop::Trap(RETURN));
        let mut copy = [0; 48];
        machine.memory.read(0x10_1ff0, &mut copy).unwrap();
        let expected: Vec<u8> =
            [16; 16].into_iter().chain((1..=32).map(|byte| if byte <= count { byte } else { 0 })).collect();
        assert_eq!(copy[..], expected, "{count}");
    }
}

#[test]
fn an_instruction_that_is_not_known_has_no_name() {
    // sqdmlal v0.4s, v0.4h, v0.4h
    call(&[0x0e60_9000], &[], |_, stop| {
        assert_eq!(stop, Stop::Unknown { at: CODE, mnemonic: "0x0e609000".into() });
    });
    call(&[0], &[], |_, stop| assert_eq!(stop, Stop::Halted { at: CODE }));
}
