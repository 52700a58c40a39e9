//! Jumps.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RCX};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Jmp => |cpu, memory, form| {
            cpu.rip = form.load(cpu, memory, 0)?;
            Ok(())
        },
        M::Jo
        | M::Jno
        | M::Jb
        | M::Jae
        | M::Je
        | M::Jne
        | M::Jbe
        | M::Ja
        | M::Js
        | M::Jns
        | M::Jp
        | M::Jnp
        | M::Jl
        | M::Jge
        | M::Jle
        | M::Jg => |cpu, _, form| jump_if(cpu, form, cpu.flags.holds(form.condition)),
        M::Jrcxz => |cpu, _, form| jump_if(cpu, form, cpu.gpr[RCX] == 0),
        M::Jecxz => |cpu, _, form| jump_if(cpu, form, cpu.low(RCX, Width::Double) == 0),
        M::Loop => |cpu, memory, form| count_down(cpu, memory, form, true),
        M::Loope => |cpu, memory, form| count_down(cpu, memory, form, cpu.flags.has(Flags::ZERO)),
        M::Loopne => |cpu, memory, form| count_down(cpu, memory, form, !cpu.flags.has(Flags::ZERO)),
        // A transaction that ends before it begins, for no reason that a repetition would help against.
        M::Xbegin => |cpu, _, form| {
            cpu.set_low(RAX, Width::Double, 0);
            jump_if(cpu, form, true)
        },
        _ => return None,
    };
    Some(handler)
}

#[inline]
fn jump_if(cpu: &mut Cpu, form: &Form, condition: bool) -> Result<(), Fault> {
    if condition {
        cpu.rip = form.immediate;
    }
    Ok(())
}

fn count_down(cpu: &mut Cpu, _: &mut Overlay<'_>, form: &Form, condition: bool) -> Result<(), Fault> {
    cpu.gpr[RCX] = cpu.gpr[RCX].wrapping_sub(1);
    jump_if(cpu, form, cpu.gpr[RCX] != 0 && condition)
}
