//! Additions, subtractions and bitwise operations, whatever their last operand is.

use super::second_operand::SecondOperand;
use crate::emulate::aarch64::instruction::{Handler, Instruction};
use crate::emulate::aarch64::nzcv::{Nzcv, add_with_carry};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// Additions and subtractions, by two bits: whether they subtract, and whether they set the flags.
pub(super) fn sum<O: SecondOperand>(operation: u32) -> (&'static str, Handler) {
    match operation & 3 {
        0 => ("add", plain::<O, false>),
        1 => ("adds", flagged::<O, false>),
        2 => ("sub", plain::<O, true>),
        _ => ("subs", flagged::<O, true>),
    }
}

fn plain<O: SecondOperand, const SUBTRACT: bool>(
    cpu: &mut Cpu,
    _: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let (a, b) = (cpu.get(form.n), O::of(cpu, form));
    cpu.set_as(form.d, if SUBTRACT { a.wrapping_sub(b) } else { a.wrapping_add(b) }, form.wide);
    Ok(())
}

fn flagged<O: SecondOperand, const SUBTRACT: bool>(
    cpu: &mut Cpu,
    _: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let (a, b) = (cpu.get(form.n), O::of(cpu, form));
    let (result, flags) = add_with_carry(a, if SUBTRACT { !b } else { b }, SUBTRACT, form.wide);
    cpu.flags = flags;
    cpu.set(form.d, result);
    Ok(())
}

/// Bitwise operations: and, or, exclusive or, and with flags.
pub(super) fn bitwise<O: SecondOperand>(operation: u32) -> Handler {
    match operation & 3 {
        0 => |cpu, _, form| {
            cpu.set_as(form.d, cpu.get(form.n) & O::of(cpu, form), form.wide);
            Ok(())
        },
        1 => |cpu, _, form| {
            cpu.set_as(form.d, cpu.get(form.n) | O::of(cpu, form), form.wide);
            Ok(())
        },
        2 => |cpu, _, form| {
            cpu.set_as(form.d, cpu.get(form.n) ^ O::of(cpu, form), form.wide);
            Ok(())
        },
        _ => |cpu, _, form| {
            let result = cpu.get(form.n) & O::of(cpu, form);
            let result = if form.wide { result } else { result & 0xffff_ffff };
            cpu.flags = Nzcv::of_logic(result, form.wide);
            cpu.set(form.d, result);
            Ok(())
        },
    }
}
