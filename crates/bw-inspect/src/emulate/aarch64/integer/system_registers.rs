//! Hints, barriers, and registers of the system.

use super::control::authenticate;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::nzcv::Nzcv;
use crate::emulate::aarch64::register_file::LINK;

const NOTHING: Handler = |_, _, _| Ok(());

/// What the register `dczid_el0` shows: `dc zva` clears 64 bytes.
const ZEROED: u64 = 64;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    // Bits 22 to 24 are zero in what is known.
    if word.bits(22, 2) != 0 {
        return None;
    }
    match (word.bit(21), word.bits(19, 2)) {
        (false, 0b00) => without_register(word),
        (false, 0b01) => cache(word),
        (_, 0b10 | 0b11) => moves(word),
        _ => None,
    }
}

/// Hints and barriers.
fn without_register(word: Word) -> Option<Instruction> {
    let (name, handler): (_, Handler) = match (word.bits(12, 7), word.bits(5, 7)) {
        _ if word.bits(0, 5) != 31 => return None,
        // Those of pointer authentication: addresses are not signed, and signatures are removed.
        (0x32, 0b000_0111 | 0b001_1100..=0b001_1111) => {
            let handler: Handler = |cpu, _, _| {
                authenticate(cpu, LINK);
                Ok(())
            };
            (if word.bits(5, 7) == 7 { "xpaclri" } else { "autiasp" }, handler)
        }
        (0x32, 0b000_1100 | 0b000_1110) => ("autia1716", |cpu, _, _| {
            authenticate(cpu, 17);
            Ok(())
        }),
        (0x32, 0b001_1000..=0b001_1011) => ("paciasp", NOTHING),
        (0x32, 0b000_0001) => ("yield", NOTHING),
        (0x32, 0b010_0000 | 0b010_0010 | 0b010_0100 | 0b010_0110) => ("bti", NOTHING),
        (0x32, _) => ("nop", NOTHING),
        (0x33, operation) => match operation & 7 {
            2 => ("clrex", |cpu, _, _| {
                cpu.exclusive = None;
                Ok(())
            }),
            4 => ("dsb", NOTHING),
            5 => ("dmb", NOTHING),
            6 => ("isb", NOTHING),
            7 if operation == 7 => ("sb", NOTHING),
            _ => return None,
        },
        _ => return None,
    };
    Some(Instruction::new(word, name, handler))
}

/// Instructions on caches: of them only `dc zva` does something that code can see.
fn cache(word: Word) -> Option<Instruction> {
    let (name, handler): (_, Handler) = match (word.bits(16, 3), word.bits(8, 8), word.bits(5, 3)) {
        (3, 0x74, 1) => ("dc zva", |cpu, memory, form| {
            memory.write(cpu.get(form.d) & !(ZEROED - 1), &[0; ZEROED as usize])
        }),
        (3, 0x7a..=0x7e, 1) => ("dc", NOTHING),
        (3, 0x75, 1) => ("ic", NOTHING),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler).reading_d())
}

/// `mrs` and `msr`: reads or writes a register.
fn moves(word: Word) -> Option<Instruction> {
    macro_rules! read {
        ($value:expr) => {{
            let handler: Handler = |cpu, _, form| {
                let value: fn(&crate::emulate::aarch64::register_file::Cpu) -> u64 = $value;
                cpu.set(form.d, value(cpu));
                Ok(())
            };
            Some(Instruction::new(word, "mrs", handler))
        }};
    }
    macro_rules! write {
        ($to:expr) => {{
            let handler: Handler = |cpu, _, form| {
                let to: fn(&mut crate::emulate::aarch64::register_file::Cpu, u64) = $to;
                to(cpu, cpu.get(form.d));
                Ok(())
            };
            Some(Instruction::new(word, "msr", handler).reading_d())
        }};
    }
    /// The registers, by the bits that name them.
    const TPIDR_EL0: u32 = 0xde82;
    const TPIDRRO_EL0: u32 = 0xde83;
    const NZCV: u32 = 0xda10;
    const FPCR: u32 = 0xda20;
    const FPSR: u32 = 0xda21;
    const DCZID_EL0: u32 = 0xd807;
    const CTR_EL0: u32 = 0xd801;
    const CNTFRQ_EL0: u32 = 0xdf00;
    const CNTVCT_EL0: u32 = 0xdf02;
    /// Those that say what the processor can, of which Linux lets programs read a part.
    const IDENTIFICATION: std::ops::RangeInclusive<u32> = 0xc000..=0xc03f;

    match (word.bit(21), word.bits(5, 16)) {
        (true, TPIDR_EL0) => read!(|cpu| cpu.tpidr_el0),
        (false, TPIDR_EL0) => write!(|cpu, to| cpu.tpidr_el0 = to),
        (true, TPIDRRO_EL0) => read!(|_| 0),
        (true, NZCV) => read!(|cpu| u64::from(cpu.flags.bits()) << 28),
        (false, NZCV) => write!(|cpu, to| cpu.flags = Nzcv::from_bits((to >> 28) as u8)),
        (true, FPCR) => read!(|cpu| cpu.fpcr),
        (false, FPCR) => write!(|cpu, to| cpu.fpcr = to),
        (true, FPSR) => read!(|cpu| cpu.fpsr),
        (false, FPSR) => write!(|cpu, to| cpu.fpsr = to),
        (true, DCZID_EL0) => read!(|_| (ZEROED / 4).trailing_zeros().into()),
        // Lines of 64 bytes, and caches that need no care.
        (true, CTR_EL0) => read!(|_| 0xb444_c004),
        (true, CNTFRQ_EL0) => read!(|_| 1_000_000_000),
        (true, CNTVCT_EL0) => read!(|cpu| cpu.counter),
        (true, register) if IDENTIFICATION.contains(&register) => read!(|_| 0),
        _ => None,
    }
}
