//! Moves and broadcasts with masks.

use iced_x86::Mnemonic;

use super::masked::Wide;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Operand, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Vmovdqu8 => transfer::<1>,
        M::Vmovdqu16 => transfer::<2>,
        M::Vmovdqu32 | M::Vmovdqa32 | M::Vmovups | M::Vmovaps => transfer::<4>,
        M::Vmovdqu64
        | M::Vmovdqa64
        | M::Vmovupd
        | M::Vmovapd
        | M::Vmovntdq
        | M::Vmovntdqa
        | M::Vmovntps
        | M::Vmovntpd => transfer::<8>,
        M::Vpbroadcastb => broadcast::<1>,
        M::Vpbroadcastw => broadcast::<2>,
        M::Vpbroadcastd | M::Vbroadcastss => broadcast::<4>,
        M::Vpbroadcastq | M::Vbroadcastsd => broadcast::<8>,
        M::Vmovd => |cpu, memory, form| move_low(cpu, memory, form, Width::Double),
        M::Vmovq => |cpu, memory, form| move_low(cpu, memory, form, Width::Quad),
        _ => return None,
    };
    Some(handler)
}

/// `vmovd` and `vmovq`: into a vector register, whose rest is cleared, or out of one. They have no mask.
fn move_low(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, width: Width) -> Result<(), Fault> {
    let value = match form.operands[1] {
        Operand::Vector(number) => cpu.ymm(number)[0] & width.mask(),
        _ => form.load(cpu, memory, 1)?,
    };
    match form.operands[0] {
        Operand::Vector(number) => {
            cpu.zmm[usize::from(number & 31)] = [value, 0, 0, 0, 0, 0, 0, 0];
            Ok(())
        }
        _ => form.store(cpu, memory, 0, value),
    }
}

fn transfer<const ELEMENT: usize>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let value = form.wide(cpu, memory, 1, ELEMENT)?;
    form.set_wide(cpu, memory, &value, ELEMENT)
}

fn broadcast<const ELEMENT: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
) -> Result<(), Fault> {
    let mut number = [0; 8];
    match form.operands[1] {
        Operand::Memory => memory.read(form.address.of(cpu), &mut number[..ELEMENT])?,
        Operand::Vector(source) => number = cpu.ymm(source)[0].to_le_bytes(),
        _ => number = form.load(cpu, memory, 1)?.to_le_bytes(),
    }
    let mut value: Wide = [0; 64];
    for part in value.chunks_exact_mut(ELEMENT) {
        part.copy_from_slice(&number[..ELEMENT]);
    }
    form.set_wide(cpu, memory, &value, ELEMENT)
}
