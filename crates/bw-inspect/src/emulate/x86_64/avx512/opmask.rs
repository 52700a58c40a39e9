//! Instructions on mask registers.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Kmovb => |cpu, memory, form| transfer(cpu, memory, form, Width::Byte),
        M::Kmovw => |cpu, memory, form| transfer(cpu, memory, form, Width::Word),
        M::Kmovd => |cpu, memory, form| transfer(cpu, memory, form, Width::Double),
        M::Kmovq => |cpu, memory, form| transfer(cpu, memory, form, Width::Quad),
        M::Kortestb => |cpu, _, form| or_test(cpu, form, Width::Byte),
        M::Kortestw => |cpu, _, form| or_test(cpu, form, Width::Word),
        M::Kortestd => |cpu, _, form| or_test(cpu, form, Width::Double),
        M::Kortestq => |cpu, _, form| or_test(cpu, form, Width::Quad),
        M::Ktestb => |cpu, _, form| and_test(cpu, form, Width::Byte),
        M::Ktestw => |cpu, _, form| and_test(cpu, form, Width::Word),
        M::Ktestd => |cpu, _, form| and_test(cpu, form, Width::Double),
        M::Ktestq => |cpu, _, form| and_test(cpu, form, Width::Quad),
        M::Kandd => |cpu, _, form| combine(cpu, form, Width::Double, |a, b| a & b),
        M::Kandq => |cpu, _, form| combine(cpu, form, Width::Quad, |a, b| a & b),
        M::Kandnd => |cpu, _, form| combine(cpu, form, Width::Double, |a, b| !a & b),
        M::Kandnq => |cpu, _, form| combine(cpu, form, Width::Quad, |a, b| !a & b),
        M::Kord => |cpu, _, form| combine(cpu, form, Width::Double, |a, b| a | b),
        M::Korq => |cpu, _, form| combine(cpu, form, Width::Quad, |a, b| a | b),
        M::Kxord => |cpu, _, form| combine(cpu, form, Width::Double, |a, b| a ^ b),
        M::Kxorq => |cpu, _, form| combine(cpu, form, Width::Quad, |a, b| a ^ b),
        M::Kxnord => |cpu, _, form| combine(cpu, form, Width::Double, |a, b| !(a ^ b)),
        M::Kxnorq => |cpu, _, form| combine(cpu, form, Width::Quad, |a, b| !(a ^ b)),
        M::Kunpckbw => |cpu, _, form| combine(cpu, form, Width::Word, |a, b| a << 8 & 0xff00 | b & 0xff),
        M::Kunpckwd => {
            |cpu, _, form| combine(cpu, form, Width::Double, |a, b| a << 16 & 0xffff_0000 | b & 0xffff)
        }
        M::Kunpckdq => |cpu, _, form| combine(cpu, form, Width::Quad, |a, b| a << 32 | b & 0xffff_ffff),
        M::Knotd => |cpu, _, form| set(cpu, form, !mask(cpu, form, 1)? & Width::Double.mask()),
        M::Knotq => |cpu, _, form| set(cpu, form, !mask(cpu, form, 1)?),
        M::Kshiftrd => |cpu, _, form| shift_right(cpu, form, Width::Double),
        M::Kshiftrq => |cpu, _, form| shift_right(cpu, form, Width::Quad),
        _ => return None,
    };
    Some(handler)
}

fn mask(cpu: &Cpu, form: &Form, n: usize) -> Result<u64, Fault> {
    match form.operands[n] {
        Operand::Mask(number) => Ok(cpu.k[usize::from(number & 7)]),
        _ => Err(Fault::Unknown),
    }
}

fn set(cpu: &mut Cpu, form: &Form, value: u64) -> Result<(), Fault> {
    match form.operands[0] {
        Operand::Mask(number) => {
            cpu.k[usize::from(number & 7)] = value;
            Ok(())
        }
        _ => Err(Fault::Unknown),
    }
}

/// `kmov`, which clears the rest of what it sets.
fn transfer(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, width: Width) -> Result<(), Fault> {
    let value = match form.operands[1] {
        Operand::Mask(_) => mask(cpu, form, 1)?,
        _ => form.load(cpu, memory, 1)?,
    } & width.mask();
    match form.operands[0] {
        Operand::Mask(_) => set(cpu, form, value),
        Operand::Memory => memory.store(form.address.of(cpu), width, value),
        _ => form.store(cpu, memory, 0, value),
    }
}

fn or_test(cpu: &mut Cpu, form: &Form, width: Width) -> Result<(), Fault> {
    let either = (mask(cpu, form, 0)? | mask(cpu, form, 1)?) & width.mask();
    set_flags(cpu, either == 0, either == width.mask());
    Ok(())
}

fn and_test(cpu: &mut Cpu, form: &Form, width: Width) -> Result<(), Fault> {
    let (a, b) = (mask(cpu, form, 0)?, mask(cpu, form, 1)?);
    set_flags(cpu, a & b & width.mask() == 0, !a & b & width.mask() == 0);
    Ok(())
}

fn set_flags(cpu: &mut Cpu, zero: bool, carry: bool) {
    cpu.flags.set(Flags::ARITHMETIC, false);
    cpu.flags.set(Flags::ZERO, zero);
    cpu.flags.set(Flags::CARRY, carry);
}

fn combine(cpu: &mut Cpu, form: &Form, width: Width, operation: fn(u64, u64) -> u64) -> Result<(), Fault> {
    let result = operation(mask(cpu, form, 1)?, mask(cpu, form, 2)?);
    set(cpu, form, result & width.mask())
}

fn shift_right(cpu: &mut Cpu, form: &Form, width: Width) -> Result<(), Fault> {
    let value = mask(cpu, form, 1)? & width.mask();
    // The immediate has eight bits, and a greater count shifts everything out.
    set(
        cpu,
        form,
        u32::try_from(form.immediate & 0xff).ok().and_then(|count| value.checked_shr(count)).unwrap_or(0),
    )
}
