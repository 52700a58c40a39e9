//! Moves, conversions of width, exchanges, and what depends on a condition.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RDX};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Mov | M::Movzx | M::Movnti => |cpu, memory, form| {
            let value = form.load(cpu, memory, 1)?;
            form.store(cpu, memory, 0, value)
        },
        M::Movsx | M::Movsxd => |cpu, memory, form| {
            let value = form.load(cpu, memory, 1)?;
            form.store(cpu, memory, 0, form.width(1).sign_extend(value).cast_unsigned())
        },
        M::Movbe => |cpu, memory, form| {
            let value = form.load(cpu, memory, 1)?;
            form.store(cpu, memory, 0, swap_bytes(value, form.width(0)))
        },
        M::Bswap => |cpu, memory, form| {
            let value = form.load(cpu, memory, 0)?;
            form.store(cpu, memory, 0, swap_bytes(value, form.width(0)))
        },
        M::Lea => |cpu, memory, form| form.store(cpu, memory, 0, form.address.offset(cpu)),
        M::Xchg => exchange,
        M::Cbw => |cpu, _, _| widen(cpu, Width::Byte, Width::Word),
        M::Cwde => |cpu, _, _| widen(cpu, Width::Word, Width::Double),
        M::Cdqe => |cpu, _, _| widen(cpu, Width::Double, Width::Quad),
        M::Cwd => |cpu, _, _| spread_sign(cpu, Width::Word),
        M::Cdq => |cpu, _, _| spread_sign(cpu, Width::Double),
        M::Cqo => |cpu, _, _| spread_sign(cpu, Width::Quad),
        M::Lahf => |cpu, _, _| {
            // Bit 1 of the flags register is always one.
            let flags = cpu.flags.bits() & 0xff | 2;
            cpu.gpr[RAX] = cpu.gpr[RAX] & !0xff00 | flags << 8;
            Ok(())
        },
        M::Sahf => |cpu, _, _| {
            const LOW: u64 = Flags::ALL & 0xff;
            cpu.flags = Flags::from_bits(cpu.flags.bits() & !LOW | cpu.gpr[RAX] >> 8 & LOW);
            Ok(())
        },
        M::Seto
        | M::Setno
        | M::Setb
        | M::Setae
        | M::Sete
        | M::Setne
        | M::Setbe
        | M::Seta
        | M::Sets
        | M::Setns
        | M::Setp
        | M::Setnp
        | M::Setl
        | M::Setge
        | M::Setle
        | M::Setg => {
            |cpu, memory, form| form.store(cpu, memory, 0, u64::from(cpu.flags.holds(form.condition)))
        }
        M::Cmovo
        | M::Cmovno
        | M::Cmovb
        | M::Cmovae
        | M::Cmove
        | M::Cmovne
        | M::Cmovbe
        | M::Cmova
        | M::Cmovs
        | M::Cmovns
        | M::Cmovp
        | M::Cmovnp
        | M::Cmovl
        | M::Cmovge
        | M::Cmovle
        | M::Cmovg => conditional_move,
        _ => return None,
    };
    Some(handler)
}

fn swap_bytes(value: u64, width: Width) -> u64 {
    value.swap_bytes() >> (64 - width.bits())
}

fn exchange(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let a = form.load(cpu, memory, 0)?;
    let b = form.load(cpu, memory, 1)?;
    // The write to memory comes first: it may fail, and its address may use the register.
    let (first, value, second, other) = if form.is_memory(1) { (1, a, 0, b) } else { (0, b, 1, a) };
    form.store(cpu, memory, first, value)?;
    form.store(cpu, memory, second, other)
}

/// `cbw` and its like: the accumulator, as a signed number, in twice the width.
fn widen(cpu: &mut Cpu, from: Width, to: Width) -> Result<(), Fault> {
    let value = from.sign_extend(cpu.gpr[RAX]).cast_unsigned();
    cpu.set_low(RAX, to, value);
    Ok(())
}

/// `cwd` and its like: the sign of the accumulator in all bits of `rdx`.
fn spread_sign(cpu: &mut Cpu, width: Width) -> Result<(), Fault> {
    let sign = width.sign_extend(cpu.gpr[RAX]) >> 63;
    cpu.set_low(RDX, width, sign.cast_unsigned());
    Ok(())
}

/// `cmovcc`. It reads its source in any case, and with 32 bits clears the upper half in any case.
fn conditional_move(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let source = form.load(cpu, memory, 1)?;
    let value = if cpu.flags.holds(form.condition) { source } else { form.load(cpu, memory, 0)? };
    form.store(cpu, memory, 0, value)
}
