//! Single bits: tests, searches and counts.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let handler: Handler = match mnemonic {
        Mnemonic::Bt => |cpu, memory, form| bit(cpu, memory, form, None),
        Mnemonic::Bts => |cpu, memory, form| bit(cpu, memory, form, Some(|value, bit| value | bit)),
        Mnemonic::Btr => |cpu, memory, form| bit(cpu, memory, form, Some(|value, bit| value & !bit)),
        Mnemonic::Btc => |cpu, memory, form| bit(cpu, memory, form, Some(|value, bit| value ^ bit)),
        Mnemonic::Bsf => {
            |cpu, memory, form| scan(cpu, memory, form, |value| u64::from(value.trailing_zeros()))
        }
        Mnemonic::Bsr => {
            |cpu, memory, form| scan(cpu, memory, form, |value| 63 - u64::from(value.leading_zeros()))
        }
        Mnemonic::Tzcnt => |cpu, memory, form| {
            count_zeros(cpu, memory, form, |value, width| value.trailing_zeros().min(width.bits()))
        },
        Mnemonic::Lzcnt => |cpu, memory, form| {
            count_zeros(cpu, memory, form, |value, width| value.leading_zeros() + width.bits() - 64)
        },
        Mnemonic::Popcnt => count_ones,
        Mnemonic::Crc32 => checksum,
        Mnemonic::Blsr => |cpu, memory, form| {
            lowest(cpu, memory, form, |value| value & value.wrapping_sub(1), |value| value == 0)
        },
        Mnemonic::Blsi => |cpu, memory, form| {
            lowest(cpu, memory, form, |value| value & value.wrapping_neg(), |value| value != 0)
        },
        Mnemonic::Blsmsk => |cpu, memory, form| {
            lowest(cpu, memory, form, |value| value ^ value.wrapping_sub(1), |value| value == 0)
        },
        Mnemonic::Bextr => extract,
        Mnemonic::Bzhi => zero_high,
        Mnemonic::Pdep => |cpu, memory, form| permute(cpu, memory, form, deposit),
        Mnemonic::Pext => |cpu, memory, form| permute(cpu, memory, form, gather),
        _ => return None,
    };
    Some(handler)
}

/// `bt` and its like. Carry is the bit, zero is kept, the rest is undefined and kept.
fn bit(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    change: Option<fn(u64, u64) -> u64>,
) -> Result<(), Fault> {
    let width = form.width(0);
    let number = form.load(cpu, memory, 1)?;
    let bit = 1 << (number % u64::from(width.bits()));
    if form.is_memory(0) && !matches!(form.operands[1], Operand::Immediate) {
        // In memory, a number in a register is not bounded by the width: it selects a bit of an array, in both directions.
        let element = width.sign_extend(number) >> width.bits().trailing_zeros();
        let address = form.address.of(cpu).wrapping_add(element.cast_unsigned().wrapping_mul(width.bytes()));
        let value = memory.load(address, width)?;
        if let Some(change) = change {
            memory.store(address, width, change(value, bit))?;
        }
        cpu.flags.set(Flags::CARRY, value & bit != 0);
        return Ok(());
    }
    let value = form.load(cpu, memory, 0)?;
    if let Some(change) = change {
        form.store(cpu, memory, 0, change(value, bit))?;
    }
    cpu.flags.set(Flags::CARRY, value & bit != 0);
    Ok(())
}

/// `bsf` and `bsr`. Of zero, they keep the destination, as all processors do.
fn scan(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, find: fn(u64) -> u64) -> Result<(), Fault> {
    let value = form.load(cpu, memory, 1)?;
    if value != 0 {
        form.store(cpu, memory, 0, find(value))?;
    }
    cpu.flags.set(Flags::ZERO, value == 0);
    Ok(())
}

fn count_zeros(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    count: fn(u64, Width) -> u32,
) -> Result<(), Fault> {
    let value = form.load(cpu, memory, 1)?;
    let zeros = u64::from(count(value, form.width(0)));
    form.store(cpu, memory, 0, zeros)?;
    cpu.flags.set(Flags::CARRY, value == 0);
    cpu.flags.set(Flags::ZERO, zeros == 0);
    Ok(())
}

fn count_ones(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let value = form.load(cpu, memory, 1)?;
    form.store(cpu, memory, 0, u64::from(value.count_ones()))?;
    cpu.flags.set(Flags::ARITHMETIC, false);
    cpu.flags.set(Flags::ZERO, value == 0);
    Ok(())
}

/// `crc32`: the checksum of Castagnoli, bit by bit.
fn checksum(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    const POLYNOMIAL: u64 = 0x82f6_3b78;
    let data = form.load(cpu, memory, 1)?;
    let mut sum = form.load(cpu, memory, 0)? & 0xffff_ffff;
    for byte in &data.to_le_bytes()[..form.width(1) as usize] {
        sum ^= u64::from(*byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    form.store(cpu, memory, 0, sum)
}

/// Sets the flags of BMI1 and BMI2 operations. Parity and auxiliary carry are undefined.
fn set_flags(cpu: &mut Cpu, result: u64, width: Width, carry: bool) {
    cpu.flags.set_logic(result, width);
    cpu.flags.set(Flags::CARRY, carry);
}

/// `blsr` and its like: operations on the lowest set bit.
#[inline]
fn lowest(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: fn(u64) -> u64,
    carry: fn(u64) -> bool,
) -> Result<(), Fault> {
    let width = form.width(0);
    let value = form.load(cpu, memory, 1)?;
    let result = operation(value) & width.mask();
    form.store(cpu, memory, 0, result)?;
    set_flags(cpu, result, width, carry(value));
    Ok(())
}

fn extract(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let value = form.load(cpu, memory, 1)?;
    let control = form.load(cpu, memory, 2)?;
    let (start, len) = (control as u32 & 0xff, (control >> 8) as u32 & 0xff);
    let shifted = value.checked_shr(start).unwrap_or(0);
    let result = shifted & !u64::MAX.checked_shl(len).unwrap_or(0);
    form.store(cpu, memory, 0, result)?;
    set_flags(cpu, result, width, false);
    Ok(())
}

fn zero_high(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let value = form.load(cpu, memory, 1)?;
    let first = form.load(cpu, memory, 2)? as u32 & 0xff;
    let result = value & !u64::MAX.checked_shl(first).unwrap_or(0);
    form.store(cpu, memory, 0, result)?;
    set_flags(cpu, result, width, first >= width.bits());
    Ok(())
}

/// `pdep` and `pext`.
fn permute(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: fn(u64, u64) -> u64,
) -> Result<(), Fault> {
    let value = form.load(cpu, memory, 1)?;
    let mask = form.load(cpu, memory, 2)?;
    form.store(cpu, memory, 0, operation(value, mask))
}

/// Spreads the low bits of a value to where the mask has ones.
fn deposit(value: u64, mask: u64) -> u64 {
    ones(mask)
        .enumerate()
        .filter(|(n, _)| value >> n & 1 == 1)
        .fold(0, |result, (_, place)| result | 1 << place)
}

/// Collects the bits of a value from where the mask has ones.
fn gather(value: u64, mask: u64) -> u64 {
    ones(mask).enumerate().fold(0, |result, (n, place)| result | (value >> place & 1) << n)
}

/// The places of the ones of a mask.
fn ones(mask: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |place| mask >> place & 1 == 1)
}
