//! Divisions, shifts by a register, checksums.

use super::second_operand::shifted;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};

pub(super) fn decode(word: Word) -> Option<Instruction> {
    /// The polynomials of `crc32` and `crc32c`, lowest bit first.
    const CRC32: u32 = 0xedb8_8320;
    const CRC32C: u32 = 0x82f6_3b78;

    macro_rules! shift {
        ($kind:literal) => {
            |cpu, _, form| {
                let by = cpu.get(form.m) as u32 & if form.wide { 63 } else { 31 };
                let value = shifted(cpu.get_as(form.n, form.wide), $kind, by, form.wide);
                cpu.set_as(form.d, value, form.wide);
                Ok(())
            }
        };
    }
    macro_rules! checksum {
        ($polynomial:ident) => {
            |cpu, _, form| {
                let (sum, data) = (cpu.get(form.n) as u32, cpu.get(form.m));
                cpu.set(form.d, u64::from(crc(sum, data, 8 << form.option, $polynomial)));
                Ok(())
            }
        };
    }
    let (name, handler): (_, Handler) = match word.bits(10, 6) {
        0b00_0010 => ("udiv", |cpu, _, form| {
            let (a, b) = (cpu.get_as(form.n, form.wide), cpu.get_as(form.m, form.wide));
            cpu.set(form.d, a.checked_div(b).unwrap_or(0));
            Ok(())
        }),
        0b00_0011 => ("sdiv", |cpu, _, form| {
            let signed = |value: u64| {
                if form.wide { value.cast_signed() } else { i64::from((value as u32).cast_signed()) }
            };
            let (a, b) = (signed(cpu.get(form.n)), signed(cpu.get(form.m)));
            let quotient = if b == 0 { 0 } else { a.wrapping_div(b) };
            cpu.set_as(form.d, quotient.cast_unsigned(), form.wide);
            Ok(())
        }),
        0b00_1000 => ("lslv", shift!(0)),
        0b00_1001 => ("lsrv", shift!(1)),
        0b00_1010 => ("asrv", shift!(2)),
        0b00_1011 => ("rorv", shift!(3)),
        0b01_0000..=0b01_0111 if (word.bits(10, 2) == 3) != word.bit(31) => return None,
        0b01_0000..=0b01_0011 => ("crc32", checksum!(CRC32)),
        0b01_0100..=0b01_0111 => ("crc32c", checksum!(CRC32C)),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler).with_option(word.bits(10, 2)))
}

/// Adds some bits of data to a checksum.
fn crc(sum: u32, data: u64, bits: u32, polynomial: u32) -> u32 {
    let mut left = u64::from(sum) ^ data & (u64::MAX >> (64 - bits));
    for _ in 0..bits {
        left = left >> 1 ^ if left & 1 == 1 { u64::from(polynomial) } else { 0 };
    }
    left as u32
}
