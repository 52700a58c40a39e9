//! Bitwise operations.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let handler: Handler = match mnemonic {
        Mnemonic::And => |cpu, memory, form| combine(cpu, memory, form, |a, b| a & b),
        Mnemonic::Or => |cpu, memory, form| combine(cpu, memory, form, |a, b| a | b),
        Mnemonic::Xor => |cpu, memory, form| combine(cpu, memory, form, |a, b| a ^ b),
        Mnemonic::Test => test,
        Mnemonic::Not => complement,
        Mnemonic::Andn => and_not,
        _ => return None,
    };
    Some(handler)
}

#[inline]
fn combine(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: fn(u64, u64) -> u64,
) -> Result<(), Fault> {
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    let result = operation(a, b);
    form.store(cpu, memory, 0, result)?;
    cpu.flags.set_logic(result, form.width(0));
    Ok(())
}

fn test(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    cpu.flags.set_logic(a & b, form.width(0));
    Ok(())
}

/// `not`, which keeps all flags.
fn complement(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let a = form.load(cpu, memory, 0)?;
    form.store(cpu, memory, 0, !a)
}

fn and_not(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = form.width(0);
    let a = form.load(cpu, memory, 1)?;
    let b = form.load(cpu, memory, 2)?;
    let result = !a & b & width.mask();
    form.store(cpu, memory, 0, result)?;
    cpu.flags.set_logic(result, width);
    Ok(())
}
