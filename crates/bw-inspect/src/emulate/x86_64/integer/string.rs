//! String instructions, with and without repetition.

use iced_x86::Mnemonic;

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RCX, RDI, RSI};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Repeat, Width};

/// How many repetitions one execution does. The instruction is then executed again, so that a budget of instructions bounds it.
const AT_ONCE: u64 = 64;

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Movsb => |cpu, memory, form| repeat(cpu, memory, form, Width::Byte, copy),
        M::Movsw => |cpu, memory, form| repeat(cpu, memory, form, Width::Word, copy),
        M::Movsd => |cpu, memory, form| repeat(cpu, memory, form, Width::Double, copy),
        M::Movsq => |cpu, memory, form| repeat(cpu, memory, form, Width::Quad, copy),
        M::Stosb => |cpu, memory, form| repeat(cpu, memory, form, Width::Byte, fill),
        M::Stosw => |cpu, memory, form| repeat(cpu, memory, form, Width::Word, fill),
        M::Stosd => |cpu, memory, form| repeat(cpu, memory, form, Width::Double, fill),
        M::Stosq => |cpu, memory, form| repeat(cpu, memory, form, Width::Quad, fill),
        M::Lodsb => |cpu, memory, form| repeat(cpu, memory, form, Width::Byte, load),
        M::Lodsw => |cpu, memory, form| repeat(cpu, memory, form, Width::Word, load),
        M::Lodsd => |cpu, memory, form| repeat(cpu, memory, form, Width::Double, load),
        M::Lodsq => |cpu, memory, form| repeat(cpu, memory, form, Width::Quad, load),
        M::Scasb => |cpu, memory, form| repeat(cpu, memory, form, Width::Byte, search),
        M::Scasw => |cpu, memory, form| repeat(cpu, memory, form, Width::Word, search),
        M::Scasd => |cpu, memory, form| repeat(cpu, memory, form, Width::Double, search),
        M::Scasq => |cpu, memory, form| repeat(cpu, memory, form, Width::Quad, search),
        M::Cmpsb => |cpu, memory, form| repeat(cpu, memory, form, Width::Byte, compare),
        M::Cmpsw => |cpu, memory, form| repeat(cpu, memory, form, Width::Word, compare),
        M::Cmpsd => |cpu, memory, form| repeat(cpu, memory, form, Width::Double, compare),
        M::Cmpsq => |cpu, memory, form| repeat(cpu, memory, form, Width::Quad, compare),
        _ => return None,
    };
    Some(handler)
}

/// One repetition. On an error it has changed nothing.
type Element = fn(&mut Cpu, &mut Overlay<'_>, Width) -> Result<Compared, Fault>;

/// Whether an element was compared: the repetition ends by it.
enum Compared {
    No,
    Yes,
}

fn repeat(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    width: Width,
    element: Element,
) -> Result<(), Fault> {
    if form.repeat == Repeat::Once {
        return element(cpu, memory, width).map(drop);
    }
    for done in 0..AT_ONCE {
        if cpu.gpr[RCX] == 0 {
            return Ok(());
        }
        match element(cpu, memory, width) {
            Ok(compared) => {
                cpu.gpr[RCX] = cpu.gpr[RCX].wrapping_sub(1);
                let goes_on = cpu.flags.has(Flags::ZERO) == (form.repeat == Repeat::Equal);
                if matches!(compared, Compared::Yes) && !goes_on {
                    return Ok(());
                }
            }
            // What was repeated is done, and the fault comes again when the rest is executed.
            Err(_) if done > 0 => break,
            Err(fault) => return Err(fault),
        }
    }
    if cpu.gpr[RCX] != 0 {
        cpu.rip = form.at;
    }
    Ok(())
}

/// Moves a pointer by one element, in the direction of the flag.
fn advance(cpu: &mut Cpu, register: usize, width: Width) {
    let by = if cpu.flags.has(Flags::DIRECTION) { width.bytes().wrapping_neg() } else { width.bytes() };
    cpu.gpr[register] = cpu.gpr[register].wrapping_add(by);
}

fn copy(cpu: &mut Cpu, memory: &mut Overlay<'_>, width: Width) -> Result<Compared, Fault> {
    let value = memory.load(cpu.gpr[RSI], width)?;
    memory.store(cpu.gpr[RDI], width, value)?;
    advance(cpu, RSI, width);
    advance(cpu, RDI, width);
    Ok(Compared::No)
}

fn fill(cpu: &mut Cpu, memory: &mut Overlay<'_>, width: Width) -> Result<Compared, Fault> {
    memory.store(cpu.gpr[RDI], width, cpu.gpr[RAX])?;
    advance(cpu, RDI, width);
    Ok(Compared::No)
}

fn load(cpu: &mut Cpu, memory: &mut Overlay<'_>, width: Width) -> Result<Compared, Fault> {
    let value = memory.load(cpu.gpr[RSI], width)?;
    cpu.set_low(RAX, width, value);
    advance(cpu, RSI, width);
    Ok(Compared::No)
}

fn search(cpu: &mut Cpu, memory: &mut Overlay<'_>, width: Width) -> Result<Compared, Fault> {
    let b = memory.load(cpu.gpr[RDI], width)?;
    let a = cpu.low(RAX, width);
    cpu.flags.set_sub(a, b, a.wrapping_sub(b) & width.mask(), width);
    advance(cpu, RDI, width);
    Ok(Compared::Yes)
}

fn compare(cpu: &mut Cpu, memory: &mut Overlay<'_>, width: Width) -> Result<Compared, Fault> {
    let a = memory.load(cpu.gpr[RSI], width)?;
    let b = memory.load(cpu.gpr[RDI], width)?;
    cpu.flags.set_sub(a, b, a.wrapping_sub(b) & width.mask(), width);
    advance(cpu, RSI, width);
    advance(cpu, RDI, width);
    Ok(Compared::Yes)
}
