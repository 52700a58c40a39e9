//! Sign bits as masks: collected into a register, or choosing what moves.

use iced_x86::Mnemonic;

use super::lane::{Lane, Vector, from_bytes, to_bytes, zip};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Operand};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pmovmskb | M::Vpmovmskb => collect_signs::<1>,
        M::Movmskps | M::Vmovmskps => collect_signs::<4>,
        M::Movmskpd | M::Vmovmskpd => collect_signs::<8>,
        M::Pblendvb | M::Vpblendvb => |cpu, memory, form| blend(cpu, memory, form, 1),
        M::Blendvps | M::Vblendvps => |cpu, memory, form| blend(cpu, memory, form, 4),
        M::Blendvpd | M::Vblendvpd => |cpu, memory, form| blend(cpu, memory, form, 8),
        M::Vmaskmovps | M::Vpmaskmovd => masked_move::<4>,
        M::Vmaskmovpd | M::Vpmaskmovq => masked_move::<8>,
        _ => return None,
    };
    Some(handler)
}

/// The sign of each number of `BYTES` bytes as a bit.
fn collect_signs<const BYTES: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
) -> Result<(), Fault> {
    let vector = to_bytes(form.vector(cpu, memory, 1)?);
    let used = &vector[..usize::from(form.vector_len)];
    let signs = used.iter().skip(BYTES - 1).step_by(BYTES).map(|byte| u64::from(byte >> 7));
    let mask = signs.enumerate().fold(0, |mask, (n, sign)| mask | sign << n);
    form.store(cpu, memory, 0, mask)
}

/// The sign of each number of `bytes` bytes in all its bits.
fn spread_signs(vector: Vector, bytes: usize) -> Vector {
    let mut spread = to_bytes(vector);
    for part in spread.chunks_exact_mut(bytes) {
        let all = if part[bytes - 1] >> 7 == 1 { 0xff } else { 0 };
        part.fill(all);
    }
    from_bytes(spread)
}

/// `blendvps` and its like: from the second source where the sign of the mask is set.
fn blend(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, bytes: usize) -> Result<(), Fault> {
    // Without VEX, the mask is `xmm0`, which iced names as the last operand.
    let mask = match form.operands[if form.vex { 3 } else { 2 }] {
        Operand::Vector(number) => cpu.ymm(number),
        _ => cpu.ymm(0),
    };
    let mask = spread_signs(mask, bytes);
    form.binary(cpu, memory, |a, b| {
        let kept = zip(a, mask, |a: u64, mask| a & !mask);
        let taken = zip(b, mask, |b: u64, mask| b & mask);
        zip(kept, taken, |a: u64, b| a | b)
    })
}

/// `vmaskmovps` and its like. What the mask does not choose is not touched in memory, and zero in a register.
fn masked_move<const BYTES: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
) -> Result<(), Fault> {
    let address = form.address.of(cpu);
    let mask = to_bytes(form.vector(cpu, memory, 1)?);
    let chosen = |n: usize| i8::from_bytes(&mask[n + BYTES - 1..n + BYTES]) < 0;
    let places = (0..usize::from(form.vector_len)).step_by(BYTES).filter(|n| chosen(*n));
    if form.is_memory(0) {
        let value = to_bytes(form.vector(cpu, memory, 2)?);
        for n in places {
            memory.write(address.wrapping_add(n as u64), &value[n..n + BYTES])?;
        }
        return Ok(());
    }
    let mut value = [0; 32];
    for n in places {
        memory.read(address.wrapping_add(n as u64), &mut value[n..n + BYTES])?;
    }
    form.set_vector(cpu, from_bytes(value))
}
