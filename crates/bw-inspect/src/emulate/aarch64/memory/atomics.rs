//! The atomic instructions of LSE that read, compute and write.

use super::addressing::{read_sized, write_sized};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    macro_rules! fetch {
        ($compute:expr) => {
            |cpu, memory, form| fetch(cpu, memory, form, $compute)
        };
    }
    let (name, handler): (_, Handler) = match (word.bit(15), word.bits(12, 3)) {
        (false, 0) => ("ldadd", fetch!(|old, value, _| old.wrapping_add(value))),
        (false, 1) => ("ldclr", fetch!(|old, value, _| old & !value)),
        (false, 2) => ("ldeor", fetch!(|old, value, _| old ^ value)),
        (false, 3) => ("ldset", fetch!(|old, value, _| old | value)),
        (false, 4) => (
            "ldsmax",
            fetch!(|old, value, bits| if signed(old, bits) > signed(value, bits) { old } else { value }),
        ),
        (false, 5) => (
            "ldsmin",
            fetch!(|old, value, bits| if signed(old, bits) < signed(value, bits) { old } else { value }),
        ),
        (false, 6) => ("ldumax", fetch!(|old, value, _| old.max(value))),
        (false, 7) => ("ldumin", fetch!(|old, value, _| old.min(value))),
        (true, 0) => ("swp", fetch!(|_, value, _| value)),
        (true, 4) if word.bits(22, 2) == 2 && word.m() == 31 => ("ldapr", |cpu, memory, form| {
            let bytes = 1 << form.word.bits(30, 2);
            let value = read_sized(memory, cpu.get(form.n), bytes)?;
            cpu.set(form.d, value as u64);
            Ok(())
        }),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler).with_stack_n())
}

/// Replaces a number in memory, and gives the old one to register `d`.
fn fetch(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Instruction,
    compute: impl Fn(u64, u64, u32) -> u64,
) -> Result<(), Fault> {
    let bytes = 1 << form.word.bits(30, 2);
    let bits = 8 * bytes as u32;
    let address = cpu.get(form.n);
    let old = read_sized(memory, address, bytes)? as u64;
    let value = cpu.get(form.m) & (u64::MAX >> (64 - bits));
    write_sized(memory, address, bytes, u128::from(compute(old, value, bits)))?;
    cpu.set(form.d, old);
    Ok(())
}

const fn signed(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused).cast_signed() >> unused
}
