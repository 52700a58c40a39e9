//! Instructions that move the stack pointer.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RBP, RSP};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    let handler: Handler = match mnemonic {
        Mnemonic::Push => push,
        Mnemonic::Pop => pop,
        Mnemonic::Pushfq => |cpu, memory, _| {
            // Bit 1 is always one; bit 9 says that interrupts are on.
            cpu.push(memory, cpu.flags.bits() | 0x202)
        },
        Mnemonic::Popfq => |cpu, memory, _| {
            let stack = cpu.gpr[RSP];
            cpu.flags = Flags::from_bits(memory.read_u64(stack)?);
            cpu.gpr[RSP] = stack.wrapping_add(8);
            Ok(())
        },
        Mnemonic::Call => |cpu, memory, form| {
            let target = form.load(cpu, memory, 0)?;
            cpu.push(memory, form.next)?;
            cpu.rip = target;
            Ok(())
        },
        Mnemonic::Ret => |cpu, memory, form| {
            let stack = cpu.gpr[RSP];
            cpu.rip = memory.read_u64(stack)?;
            // The immediate is zero if there is none.
            cpu.gpr[RSP] = stack.wrapping_add(8).wrapping_add(form.immediate);
            Ok(())
        },
        // Without nesting, which no compiler asks for.
        Mnemonic::Enter => |cpu, memory, form| {
            if form.second_immediate != 0 {
                return Err(Fault::Unknown);
            }
            let frame = cpu.gpr[RSP].wrapping_sub(8);
            cpu.push(memory, cpu.gpr[RBP])?;
            cpu.gpr[RBP] = frame;
            cpu.gpr[RSP] = frame.wrapping_sub(form.immediate);
            Ok(())
        },
        Mnemonic::Leave => |cpu, memory, _| {
            let frame = cpu.gpr[RBP];
            cpu.gpr[RBP] = memory.read_u64(frame)?;
            cpu.gpr[RSP] = frame.wrapping_add(8);
            Ok(())
        },
        _ => return None,
    };
    Some(handler)
}

/// The width of what is pushed: 64 bits, or 16 with a prefix.
fn width_of(form: &Form) -> Width {
    match form.operands[0] {
        Operand::Immediate => Width::Quad,
        _ => form.width(0),
    }
}

fn push(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = width_of(form);
    let value = form.load(cpu, memory, 0)?;
    let to = cpu.gpr[RSP].wrapping_sub(width.bytes());
    memory.store(to, width, value)?;
    cpu.gpr[RSP] = to;
    Ok(())
}

fn pop(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let width = width_of(form);
    let stack = cpu.gpr[RSP];
    let value = memory.load(stack, width)?;
    // An operand relative to the stack pointer, and the stack pointer as the operand, see the new value.
    cpu.gpr[RSP] = stack.wrapping_add(width.bytes());
    let stored = form.store(cpu, memory, 0, value);
    if stored.is_err() {
        cpu.gpr[RSP] = stack;
    }
    stored
}
