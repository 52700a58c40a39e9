//! Every form of every instruction on random operands, by the interpreter and by the processor.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use bw_inspect::emulate::x86_64::{Cpu, Flags};
use bw_inspect::emulate::{CodeCache, Machine, Overlay, Stop};
use bw_inspect::target::{Memory, Unreadable};
use iced_x86::{Mnemonic, OpKind, RflagsBits};

use super::forms::{self, Form, INDEX_VALUE, MEMORY_OFFSET};
use super::native::{Arena, DATA, Registers};
use super::operands::Random;

/// How many random operands each encoding gets at least. Unoptimized, the interpreter takes minutes for more.
const ROUNDS: usize = if cfg!(debug_assertions) { 60 } else { 400 };
/// Where the interpreter's code returns to.
const RETURN: u64 = 0x5e7;
const STACK: u64 = 0x1000_0000;
const STACK_LEN: u64 = 0x1_0000;
/// The number of the register that has the address of data.
const BASE: usize = 14;

/// The code and the data of an arena as the interpreter sees them: a copy of the data.
#[derive(Debug)]
pub(crate) struct Copied<'a> {
    pub(crate) code: (u64, &'a [u8]),
    pub(crate) data: (u64, &'a [u8]),
}

impl Memory for Copied<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        for (start, bytes) in [self.code, self.data] {
            let from = usize::try_from(address.wrapping_sub(start)).unwrap_or(usize::MAX);
            if let Some(found) = bytes.get(from..from.saturating_add(into.len())) {
                into.copy_from_slice(found);
                return Ok(());
            }
        }
        Err(Unreadable { address })
    }
}

/// Interprets code that ends with `ret`. Gives the registers and the data after it.
pub(crate) fn interpret(
    memory: &Copied<'_>,
    cache: &mut CodeCache,
    at: u64,
    before: &Registers,
) -> Result<(Registers, Vec<u8>), Stop> {
    let mut overlay = Overlay::new(memory, 16);
    overlay.map(STACK, STACK_LEN);
    let mut cpu = Cpu {
        gpr: before.gpr,
        zmm: std::array::from_fn(|n| match before.ymm.get(n) {
            Some([a, b, c, d]) => [*a, *b, *c, *d, 0, 0, 0, 0],
            None => [0; 8],
        }),
        flags: Flags::from_bits(before.flags),
        rip: at,
        ..Cpu::default()
    };
    cpu.set_stack_pointer(STACK + STACK_LEN / 2);
    overlay.write_u64(cpu.stack_pointer(), RETURN).expect("the stack is mapped");
    let mut machine = Machine::with_cpu(cpu, overlay);
    match machine.run(cache, &HashSet::from([RETURN]), 10_000) {
        Stop::Trap(RETURN) => {}
        stop => return Err(stop),
    }
    let mut gpr = machine.cpu.gpr;
    assert_eq!(gpr[4], STACK + STACK_LEN / 2 + 8, "the stack pointer after the return");
    gpr[4] = before.gpr[4];
    let mut data = vec![0; memory.data.1.len()];
    machine.memory.read(memory.data.0, &mut data).expect("the data is readable");
    let ymm = std::array::from_fn(|n| std::array::from_fn(|word| machine.cpu.zmm[n][word]));
    Ok((Registers { gpr, flags: machine.cpu.flags.bits(), ymm }, data))
}

/// What differs, for people. Empty if nothing does.
pub(crate) fn differences(
    native: &Registers,
    native_data: &[u8],
    emulated: &Registers,
    data: &[u8],
    flags: u64,
) -> String {
    let mut text = String::new();
    for (n, (native, emulated)) in
        native.gpr.iter().zip(&emulated.gpr).enumerate().filter(|(_, (a, b))| a != b)
    {
        let _ = writeln!(text, "  gpr {n}: processor {native:#x}, interpreter {emulated:#x}");
    }
    for (n, (native, emulated)) in
        native.ymm.iter().zip(&emulated.ymm).enumerate().filter(|(_, (a, b))| a != b)
    {
        let _ = writeln!(text, "  ymm{n}: processor {native:x?}, interpreter {emulated:x?}");
    }
    if native.flags & flags != emulated.flags & flags {
        let _ = writeln!(
            text,
            "  flags: processor {:#x}, interpreter {:#x}, defined {flags:#x}",
            native.flags & flags,
            emulated.flags & flags
        );
    }
    if let Some(at) = native_data.iter().zip(data).position(|(a, b)| a != b) {
        let end = (at + 16).min(data.len());
        let _ = writeln!(
            text,
            "  memory from {at}: processor {:x?}, interpreter {:x?}",
            &native_data[at..end],
            &data[at..end]
        );
    }
    text
}

/// The flags that a form leaves defined.
fn defined_flags(form: &Form, before: &Registers) -> u64 {
    let undefined = form.instruction.rflags_undefined();
    let names = [
        (RflagsBits::OF, Flags::OVERFLOW),
        (RflagsBits::SF, Flags::SIGN),
        (RflagsBits::ZF, Flags::ZERO),
        (RflagsBits::AF, Flags::AUXILIARY),
        (RflagsBits::CF, Flags::CARRY),
        (RflagsBits::PF, Flags::PARITY),
    ];
    let mut defined = names
        .iter()
        .filter(|(bit, _)| undefined & bit == 0)
        .fold(Flags::DIRECTION, |defined, (_, flag)| defined | flag);
    // iced does not know the count in a register: overflow is defined for a shift by one alone, and carry for a shift within the width.
    if is_shift(form.instruction.mnemonic()) && form.instruction.op_count() == 2 {
        let width =
            form.instruction.op0_register().size().max(form.instruction.memory_size().size()) as u64 * 8;
        let count = match form.instruction.op1_kind() {
            OpKind::Register => before.gpr[1],
            _ => form.instruction.immediate(1),
        } & if width == 64 { 63 } else { 31 };
        if count != 0 && count != 1 {
            defined &= !Flags::OVERFLOW;
        }
        if count > width {
            defined &= !Flags::CARRY;
        }
    }
    defined
}

fn is_shift(mnemonic: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(mnemonic, M::Shl | M::Sal | M::Shr | M::Sar | M::Rol | M::Ror | M::Rcl | M::Rcr)
}

/// Changes random registers so that the form is defined, and traps on no processor.
fn tame(form: &Form, random: &mut Random, registers: &mut Registers, data: &[u8]) {
    use Mnemonic as M;
    let instruction = &form.instruction;
    match instruction.mnemonic() {
        // A bit number in a register reaches any memory.
        M::Bt | M::Bts | M::Btr | M::Btc
            if instruction.op0_kind() == OpKind::Memory && instruction.op1_kind() == OpKind::Register =>
        {
            let register = instruction.op1_register();
            let number = (random.word() % 1024) as i64 - 512;
            registers.gpr[register.number()] = number as u64;
        }
        // With 16 bits the result of a greater count is undefined.
        M::Shld | M::Shrd if instruction.op1_register().size() == 2 => registers.gpr[1] &= !0x1f | 0xf,
        // Random numbers are seldom equal.
        M::Cmpxchg | M::Cmpxchg8b | M::Cmpxchg16b if random.word().is_multiple_of(2) => {
            let at = DATA / 2 + MEMORY_OFFSET;
            let word = |at: usize| {
                data[at..at + 8].iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
            };
            match instruction.mnemonic() {
                M::Cmpxchg if instruction.op0_kind() == OpKind::Register => {
                    registers.gpr[0] = registers.gpr[instruction.op0_register().full_register().number()];
                }
                M::Cmpxchg16b => (registers.gpr[0], registers.gpr[2]) = (word(at), word(at + 8)),
                _ => (registers.gpr[0], registers.gpr[2]) = (word(at), word(at + 4)),
            }
        }
        // Quotients of random numbers seldom fit.
        M::Div | M::Idiv if !random.word().is_multiple_of(4) => {
            let negative = instruction.mnemonic() == M::Idiv && random.word().is_multiple_of(2);
            registers.gpr[2] = if negative { u64::MAX } else { random.word() % 3 };
            if instruction.code().op_code().operand_size() == 0
                && instruction.op0_register().size().max(instruction.memory_size().size()) == 1
            {
                registers.gpr[0] =
                    if negative { u64::MAX - random.word() % 0x7f } else { random.word() % 0xff };
            }
        }
        _ => {}
    }
}

/// Whether the form is defined for no operands: `shld` and `shrd` of 16 bits by a greater immediate.
fn is_undefined(form: &Form) -> bool {
    let instruction = &form.instruction;
    matches!(instruction.mnemonic(), Mnemonic::Shld | Mnemonic::Shrd)
        && instruction.op1_register().size() == 2
        && instruction.op2_kind() == OpKind::Immediate8
        && instruction.immediate8() & 0x1f > 16
}

#[test]
fn an_instruction_leaves_something_else_than_the_processor() {
    let forms = forms::all();
    let mut code = Vec::new();
    let mut offsets = Vec::new();
    for form in &forms {
        offsets.push(code.len());
        code.extend_from_slice(&form.bytes);
        code.push(0xc3);
    }
    let mut arena = Arena::new(&code);
    let mut cache = CodeCache::new();
    let mut covered: BTreeMap<String, usize> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    let mut failures = BTreeMap::new();
    let mut executed = 0_u64;
    for (form, offset) in forms.iter().zip(offsets).filter(|(form, _)| !is_undefined(form)) {
        let name = format!("{:?}", form.instruction.code());
        let mut random = Random::new(offset as u64 + 1);
        let at = arena.code_address() + offset as u64;
        let mut complete = 0;
        for _ in 0..ROUNDS.div_ceil(form.siblings).max(ROUNDS / 20) {
            let mut registers = Registers::random(&mut random);
            registers.gpr[BASE] = arena.data_address() + DATA as u64 / 2;
            registers.gpr[13] = INDEX_VALUE;
            for word in arena.data()[DATA / 2 - 256..DATA / 2 + 256].chunks_exact_mut(8) {
                word.copy_from_slice(&random.vector_word().to_le_bytes());
            }
            tame(form, &mut random, &mut registers, arena.data());
            let data = arena.data().to_vec();
            let memory =
                Copied { code: (arena.code_address(), arena.code()), data: (arena.data_address(), &data) };
            let emulated = match interpret(&memory, &mut cache, at, &registers) {
                Ok(emulated) => emulated,
                // The processor would trap, too: `snippets` asserts when.
                Err(Stop::DivideError { .. }) => continue,
                Err(Stop::Unknown { mnemonic, .. }) => {
                    missing.insert(mnemonic);
                    break;
                }
                Err(Stop::Halted { .. } | Stop::SystemCall { .. }) => break,
                Err(stop) => {
                    failures.entry(name.clone()).or_insert_with(|| format!("  {stop}\n"));
                    break;
                }
            };
            complete += 1;
            executed += 1;
            let mut native = registers;
            arena.run(offset, &mut native);
            let differences =
                differences(&native, arena.data(), &emulated.0, &emulated.1, defined_flags(form, &registers));
            if !differences.is_empty() && failures.len() < 40 {
                let bytes = &form.bytes;
                failures
                    .entry(name.clone())
                    .or_insert_with(|| format!("{bytes:x?} with {registers:x?}\n{differences}"));
            }
        }
        if complete > 0 {
            *covered.entry(name).or_default() += complete;
        }
    }
    println!("{} encodings in {} forms, {executed} executions", covered.len(), forms.len());
    println!("not covered: {missing:?}");
    let text: String = failures.iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
    assert!(failures.is_empty(), "{} encodings differ from the processor:\n{text}", failures.len());
    let seldom: Vec<_> = covered.iter().filter(|(_, rounds)| **rounds < ROUNDS / 2).collect();
    assert!(seldom.is_empty(), "encodings with few executions: {seldom:?}");
    assert!(covered.len() >= 1000, "only {} encodings are covered", covered.len());
}
