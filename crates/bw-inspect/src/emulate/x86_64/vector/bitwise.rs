//! Bitwise operations on whole vectors.

use iced_x86::Mnemonic;

use super::lane::{Vector, zip};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pand | M::Andps | M::Andpd | M::Vpand | M::Vandps | M::Vandpd => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| zip(a, b, |a: u64, b| a & b))
        }
        M::Pandn | M::Andnps | M::Andnpd | M::Vpandn | M::Vandnps | M::Vandnpd => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| zip(a, b, |a: u64, b| !a & b))
        }
        M::Por | M::Orps | M::Orpd | M::Vpor | M::Vorps | M::Vorpd => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| zip(a, b, |a: u64, b| a | b))
        }
        M::Pxor | M::Xorps | M::Xorpd | M::Vpxor | M::Vxorps | M::Vxorpd => {
            |cpu, memory, form| form.binary(cpu, memory, |a, b| zip(a, b, |a: u64, b| a ^ b))
        }
        M::Ptest | M::Vptest => |cpu, memory, form| test(cpu, memory, form, u64::MAX),
        // The signs alone.
        M::Vtestps => |cpu, memory, form| test(cpu, memory, form, 0x8000_0000_8000_0000),
        M::Vtestpd => |cpu, memory, form| test(cpu, memory, form, 1 << 63),
        _ => return None,
    };
    Some(handler)
}

/// Whether two vectors have no bit in common, and the first has all bits of the second, among some bits of each word.
fn test(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, bits: u64) -> Result<(), Fault> {
    let a = form.vector(cpu, memory, 0)?;
    let b = form.vector(cpu, memory, 1)?;
    let words = usize::from(form.vector_len / 8);
    let is_zero = |vector: Vector| vector[..words].iter().all(|word| word & bits == 0);
    cpu.flags.set(Flags::ARITHMETIC, false);
    cpu.flags.set(Flags::ZERO, is_zero(zip(a, b, |a: u64, b| a & b)));
    cpu.flags.set(Flags::CARRY, is_zero(zip(a, b, |a: u64, b| !a & b)));
    Ok(())
}
