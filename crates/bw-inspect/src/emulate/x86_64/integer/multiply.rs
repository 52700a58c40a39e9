//! Multiplication and division.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RDX};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let handler: Handler = match mnemonic {
        Mnemonic::Mul => multiply,
        Mnemonic::Imul => multiply_signed,
        Mnemonic::Mulx => multiply_flagless,
        Mnemonic::Div => divide,
        Mnemonic::Idiv => divide_signed,
        _ => return None,
    };
    Some(handler)
}

/// Sets what the one-operand forms multiply and divide into: twice the width, in `rdx:rax` or in `ax`.
fn set_pair(cpu: &mut Cpu, width: Width, low: u64, high: u64) {
    if width == Width::Byte {
        cpu.set_low(RAX, Width::Word, high << 8 | low & 0xff);
    } else {
        cpu.set_low(RAX, width, low);
        cpu.set_low(RDX, width, high);
    }
}

/// The dividend: `rdx:rax` or `ax`, without bits beyond its width.
fn pair(cpu: &Cpu, width: Width) -> u128 {
    if width == Width::Byte {
        u128::from(cpu.low(RAX, Width::Word))
    } else {
        u128::from(cpu.low(RDX, width)) << width.bits() | u128::from(cpu.low(RAX, width))
    }
}

/// Carry and overflow say that the upper half matters. The other flags are undefined, and kept.
fn set_overflow(cpu: &mut Cpu, overflows: bool) {
    cpu.flags.set(Flags::CARRY | Flags::OVERFLOW, overflows);
}

fn multiply(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let product = u128::from(cpu.low(RAX, width)) * u128::from(form.load(cpu, memory, 0)?);
    let high = (product >> width.bits()) as u64;
    set_pair(cpu, width, product as u64, high);
    set_overflow(cpu, high != 0);
    Ok(())
}

fn multiply_signed(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let signed = |value: u64| i128::from(width.sign_extend(value));
    let fits = |product: i128| signed(product as u64) == product;
    let first = form.load(cpu, memory, 0)?;
    if form.operands[1] == Operand::None {
        let product = signed(cpu.gpr[RAX]) * signed(first);
        set_pair(cpu, width, product as u64, (product >> width.bits()) as u64);
        set_overflow(cpu, !fits(product));
        return Ok(());
    }
    let second = form.load(cpu, memory, 1)?;
    let product = match form.operands[2] {
        Operand::None => signed(first) * signed(second),
        _ => signed(second) * signed(form.load(cpu, memory, 2)?),
    };
    form.store(cpu, memory, 0, product as u64)?;
    set_overflow(cpu, !fits(product));
    Ok(())
}

/// `mulx`: the upper half into the first operand, the lower into the second; no flags.
fn multiply_flagless(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let product = u128::from(cpu.low(RDX, width)) * u128::from(form.load(cpu, memory, 2)?);
    form.store(cpu, memory, 1, product as u64)?;
    // With one register twice, it has the upper half.
    form.store(cpu, memory, 0, (product >> width.bits()) as u64)
}

fn divide(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let divisor = u128::from(form.load(cpu, memory, 0)?);
    let dividend = pair(cpu, width);
    let quotient = dividend.checked_div(divisor).ok_or(Fault::DivideError)?;
    if quotient > u128::from(width.mask()) {
        return Err(Fault::DivideError);
    }
    set_pair(cpu, width, quotient as u64, (dividend % divisor) as u64);
    Ok(())
}

fn divide_signed(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let divisor = i128::from(width.sign_extend(form.load(cpu, memory, 0)?));
    let unused = 128 - 2 * width.bits();
    let dividend = (pair(cpu, width) << unused).cast_signed() >> unused;
    let quotient = dividend.checked_div(divisor).ok_or(Fault::DivideError)?;
    if i128::from(width.sign_extend(quotient as u64)) != quotient {
        return Err(Fault::DivideError);
    }
    set_pair(cpu, width, quotient as u64, (dividend % divisor) as u64);
    Ok(())
}
