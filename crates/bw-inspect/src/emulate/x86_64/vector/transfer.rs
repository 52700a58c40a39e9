//! Moves between vector registers, memory and general-purpose registers.

use iced_x86::Mnemonic;

use super::lane::Vector;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Movaps
        | M::Movapd
        | M::Movups
        | M::Movupd
        | M::Movdqa
        | M::Movdqu
        | M::Lddqu
        | M::Movntdq
        | M::Movntdqa
        | M::Movntps
        | M::Movntpd
        | M::Vmovaps
        | M::Vmovapd
        | M::Vmovups
        | M::Vmovupd
        | M::Vmovdqa
        | M::Vmovdqu
        | M::Vlddqu
        | M::Vmovntdq
        | M::Vmovntdqa
        | M::Vmovntps
        | M::Vmovntpd => |cpu, memory, form| {
            let value = form.vector(cpu, memory, 1)?;
            form.store_vector(cpu, memory, value)
        },
        M::Movd | M::Vmovd => |cpu, memory, form| move_low(cpu, memory, form, Width::Double),
        M::Movq | M::Vmovq => |cpu, memory, form| move_low(cpu, memory, form, Width::Quad),
        M::Movss | M::Vmovss => |cpu, memory, form| move_scalar(cpu, memory, form, Width::Double),
        M::Movsd | M::Vmovsd => |cpu, memory, form| move_scalar(cpu, memory, form, Width::Quad),
        M::Movlps | M::Movlpd | M::Vmovlps | M::Vmovlpd => {
            |cpu, memory, form| move_word(cpu, memory, form, 0)
        }
        M::Movhps | M::Movhpd | M::Vmovhps | M::Vmovhpd => {
            |cpu, memory, form| move_word(cpu, memory, form, 1)
        }
        M::Movlhps | M::Vmovlhps => |cpu, memory, form| form.binary(cpu, memory, |a, b| [a[0], b[0], 0, 0]),
        M::Movhlps | M::Vmovhlps => |cpu, memory, form| form.binary(cpu, memory, |a, b| [b[1], a[1], 0, 0]),
        M::Vzeroupper => |cpu, _, _| {
            for register in &mut cpu.zmm[..16] {
                register[2..].fill(0);
            }
            Ok(())
        },
        M::Vzeroall => |cpu, _, _| {
            cpu.zmm[..16].fill([0; 8]);
            Ok(())
        },
        M::Ldmxcsr | M::Vldmxcsr => |cpu, memory, form| {
            cpu.mxcsr = form.load(cpu, memory, 0)? as u32;
            Ok(())
        },
        M::Stmxcsr | M::Vstmxcsr => |cpu, memory, form| form.store(cpu, memory, 0, u64::from(cpu.mxcsr)),
        _ => return None,
    };
    Some(handler)
}

/// `movd` and `movq`: into a vector register, whose rest is cleared, or out of one.
fn move_low(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, width: Width) -> Result<(), Fault> {
    let value = match form.operands[1] {
        Operand::Vector(number) => cpu.ymm(number)[0] & width.mask(),
        _ => form.load(cpu, memory, 1)?,
    };
    match form.operands[0] {
        Operand::Vector(_) => form.set_vector(cpu, [value, 0, 0, 0]),
        _ => form.store(cpu, memory, 0, value),
    }
}

/// `movss` and `movsd`: between registers only the lowest number moves, a load clears the rest.
fn move_scalar(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, width: Width) -> Result<(), Fault> {
    if form.is_memory(0) {
        let value = form.vector(cpu, memory, 1)?;
        return memory.store(form.address.of(cpu), width, value[0]);
    }
    if form.is_memory(1) {
        let value = memory.load(form.address.of(cpu), width)?;
        return form.set_vector(cpu, [value, 0, 0, 0]);
    }
    form.binary(cpu, memory, |a, b| [a[0] & !width.mask() | b[0] & width.mask(), a[1], 0, 0])
}

/// `movlps`, `movhps` and their like: one of the two words, from or to memory.
fn move_word(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, word: usize) -> Result<(), Fault> {
    if form.is_memory(0) {
        let value = form.vector(cpu, memory, 1)?;
        return memory.write_u64(form.address.of(cpu), value[word]);
    }
    let (first, second) = form.sources();
    let mut value: Vector = form.vector(cpu, memory, first)?;
    value[word] = form.vector_of(cpu, memory, second, 8)?[0];
    form.set_vector(cpu, value)
}
