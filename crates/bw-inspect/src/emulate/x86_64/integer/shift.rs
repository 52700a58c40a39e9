//! Shifts and rotations.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let handler: Handler = match mnemonic {
        Mnemonic::Shl | Mnemonic::Sal => |cpu, memory, form| shift(cpu, memory, form, left),
        Mnemonic::Shr => |cpu, memory, form| shift(cpu, memory, form, right),
        Mnemonic::Sar => |cpu, memory, form| shift(cpu, memory, form, right_signed),
        Mnemonic::Rol => |cpu, memory, form| rotate(cpu, memory, form, rotate_left),
        Mnemonic::Ror => |cpu, memory, form| rotate(cpu, memory, form, rotate_right),
        Mnemonic::Rcl => |cpu, memory, form| rotate(cpu, memory, form, rotate_carry_left),
        Mnemonic::Rcr => |cpu, memory, form| rotate(cpu, memory, form, rotate_carry_right),
        Mnemonic::Shld => |cpu, memory, form| double_shift(cpu, memory, form, true),
        Mnemonic::Shrd => |cpu, memory, form| double_shift(cpu, memory, form, false),
        Mnemonic::Shlx => |cpu, memory, form| flagless(cpu, memory, form, |value, count, _| value << count),
        Mnemonic::Shrx => |cpu, memory, form| flagless(cpu, memory, form, |value, count, _| value >> count),
        Mnemonic::Sarx => |cpu, memory, form| flagless(cpu, memory, form, sar),
        Mnemonic::Rorx => |cpu, memory, form| flagless(cpu, memory, form, ror),
        _ => return None,
    };
    Some(handler)
}

/// A result, and the carry and overflow flags.
struct Shifted {
    result: u64,
    carry: bool,
    overflow: bool,
}

/// Shifts a value of a width by a count that is neither zero nor beyond 63. The flag is the carry from before.
type Shift = fn(u64, u32, Width, bool) -> Shifted;

/// The part of a count that matters.
fn count_of(form: &Form, cpu: &Cpu, memory: &mut Overlay<'_>, n: usize) -> Result<u32, Fault> {
    let count = match form.operands[n] {
        // The one-operand form of old encodings.
        Operand::None => 1,
        Operand::Immediate => form.immediate,
        _ => form.load(cpu, memory, n)?,
    };
    let mask = if form.width(0) == Width::Quad { 63 } else { 31 };
    Ok((count & mask) as u32)
}

#[inline]
fn shift(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, operation: Shift) -> Result<(), Fault> {
    let width = form.width(0);
    let count = count_of(form, cpu, memory, 1)?;
    let value = form.load(cpu, memory, 0)?;
    if count == 0 {
        // A write, which clears the upper half of a 64-bit register, but no flags.
        return form.store(cpu, memory, 0, value);
    }
    let Shifted { result, carry, overflow } = operation(value, count, width, false);
    form.store(cpu, memory, 0, result)?;
    cpu.flags.set(Flags::CARRY, carry);
    cpu.flags.set(Flags::OVERFLOW, overflow);
    cpu.flags.set_result(result, width);
    Ok(())
}

fn left(value: u64, count: u32, width: Width, _: bool) -> Shifted {
    let wide = u128::from(value) << count;
    let result = wide as u64 & width.mask();
    let carry = wide >> width.bits() & 1 == 1;
    Shifted { result, carry, overflow: (result & width.sign_bit() != 0) != carry }
}

fn right(value: u64, count: u32, width: Width, _: bool) -> Shifted {
    Shifted {
        result: value >> count,
        carry: value >> (count - 1) & 1 == 1,
        overflow: value & width.sign_bit() != 0,
    }
}

fn right_signed(value: u64, count: u32, width: Width, _: bool) -> Shifted {
    let signed = width.sign_extend(value);
    Shifted { result: sar(value, count, width), carry: signed >> (count - 1) & 1 == 1, overflow: false }
}

fn sar(value: u64, count: u32, width: Width) -> u64 {
    (width.sign_extend(value) >> count).cast_unsigned() & width.mask()
}

fn ror(value: u64, count: u32, width: Width) -> u64 {
    let bits = width.bits();
    let count = count % bits;
    if count == 0 { value } else { (value >> count | value << (bits - count)) & width.mask() }
}

/// Rotations change carry and overflow alone.
#[inline]
fn rotate(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, operation: Shift) -> Result<(), Fault> {
    let width = form.width(0);
    let count = count_of(form, cpu, memory, 1)?;
    let value = form.load(cpu, memory, 0)?;
    if count == 0 {
        return form.store(cpu, memory, 0, value);
    }
    let Shifted { result, carry, overflow } = operation(value, count, width, cpu.flags.has(Flags::CARRY));
    form.store(cpu, memory, 0, result)?;
    cpu.flags.set(Flags::CARRY, carry);
    cpu.flags.set(Flags::OVERFLOW, overflow);
    Ok(())
}

fn rotate_left(value: u64, count: u32, width: Width, _: bool) -> Shifted {
    let bits = width.bits();
    let result = ror(value, bits - count % bits, width);
    let carry = result & 1 == 1;
    Shifted { result, carry, overflow: (result & width.sign_bit() != 0) != carry }
}

fn rotate_right(value: u64, count: u32, width: Width, _: bool) -> Shifted {
    let result = ror(value, count, width);
    Shifted { result, carry: result & width.sign_bit() != 0, overflow: top_bits_differ(result, width) }
}

fn top_bits_differ(value: u64, width: Width) -> bool {
    (value ^ value << 1) & width.sign_bit() != 0
}

/// Rotates the value and the carry as one number, a bit wider than the value, to the right.
fn rotate_with_carry(value: u64, count: u32, width: Width, carry: bool) -> (u64, bool) {
    let bits = width.bits() + 1;
    let count = count % bits;
    let wide = u128::from(carry) << width.bits() | u128::from(value);
    let rotated = (wide >> count | wide << (bits - count)) & (u128::MAX >> (128 - bits));
    (rotated as u64 & width.mask(), rotated >> width.bits() & 1 == 1)
}

fn rotate_carry_left(value: u64, count: u32, width: Width, carry: bool) -> Shifted {
    let bits = width.bits() + 1;
    let (result, carry) = rotate_with_carry(value, bits - count % bits, width, carry);
    Shifted { result, carry, overflow: (result & width.sign_bit() != 0) != carry }
}

fn rotate_carry_right(value: u64, count: u32, width: Width, carry: bool) -> Shifted {
    let (result, carry) = rotate_with_carry(value, count, width, carry);
    Shifted { result, carry, overflow: top_bits_differ(result, width) }
}

/// `shld` and `shrd`: what is shifted in comes from the second operand.
fn double_shift(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, to_left: bool) -> Result<(), Fault> {
    let width = form.width(0);
    let bits = width.bits();
    let count = count_of(form, cpu, memory, 2)?;
    let value = form.load(cpu, memory, 0)?;
    let other = form.load(cpu, memory, 1)?;
    if count == 0 {
        return form.store(cpu, memory, 0, value);
    }
    let (wide, carry) = if to_left {
        let wide = u128::from(value) << bits | u128::from(other);
        // With 16 bits a count may be beyond the width. The result is undefined then.
        (wide << count >> bits, wide >> (2 * bits).saturating_sub(count) & 1 == 1)
    } else {
        let wide = u128::from(other) << bits | u128::from(value);
        (wide >> count, wide >> (count - 1) & 1 == 1)
    };
    let result = wide as u64 & width.mask();
    form.store(cpu, memory, 0, result)?;
    cpu.flags.set(Flags::CARRY, carry);
    cpu.flags.set(Flags::OVERFLOW, (value ^ result) & width.sign_bit() != 0);
    cpu.flags.set_result(result, width);
    Ok(())
}

/// The shifts of BMI2: a third operand has the count, and no flags change.
#[inline]
fn flagless(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: fn(u64, u32, Width) -> u64,
) -> Result<(), Fault> {
    let count = count_of(form, cpu, memory, 2)?;
    let value = form.load(cpu, memory, 1)?;
    form.store(cpu, memory, 0, operation(value, count, form.width(0)))
}
