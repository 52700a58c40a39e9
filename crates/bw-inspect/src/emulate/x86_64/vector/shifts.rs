//! Shifts of numbers in vectors, and of halves by whole bytes.

use iced_x86::Mnemonic;

use super::lane::{Lane, half, halves, map, zip};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Operand};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Psllw | M::Vpsllw => |cpu, memory, form| {
            by_one_count(cpu, memory, form, |a: u16, count| a.checked_shl(count).unwrap_or(0))
        },
        M::Pslld | M::Vpslld => |cpu, memory, form| {
            by_one_count(cpu, memory, form, |a: u32, count| a.checked_shl(count).unwrap_or(0))
        },
        M::Psllq | M::Vpsllq => |cpu, memory, form| {
            by_one_count(cpu, memory, form, |a: u64, count| a.checked_shl(count).unwrap_or(0))
        },
        M::Psrlw | M::Vpsrlw => |cpu, memory, form| {
            by_one_count(cpu, memory, form, |a: u16, count| a.checked_shr(count).unwrap_or(0))
        },
        M::Psrld | M::Vpsrld => |cpu, memory, form| {
            by_one_count(cpu, memory, form, |a: u32, count| a.checked_shr(count).unwrap_or(0))
        },
        M::Psrlq | M::Vpsrlq => |cpu, memory, form| {
            by_one_count(cpu, memory, form, |a: u64, count| a.checked_shr(count).unwrap_or(0))
        },
        M::Psraw | M::Vpsraw => {
            |cpu, memory, form| by_one_count(cpu, memory, form, |a: i16, count| a >> count.min(15))
        }
        M::Psrad | M::Vpsrad => {
            |cpu, memory, form| by_one_count(cpu, memory, form, |a: i32, count| a >> count.min(31))
        }
        M::Vpsllvd => |cpu, memory, form| {
            by_own_count(cpu, memory, form, |a: u32, count| a.checked_shl(count).unwrap_or(0))
        },
        M::Vpsrlvd => |cpu, memory, form| {
            by_own_count(cpu, memory, form, |a: u32, count| a.checked_shr(count).unwrap_or(0))
        },
        M::Vpsravd => |cpu, memory, form| {
            by_own_count(cpu, memory, form, |a: u32, count| {
                (a.cast_signed() >> count.min(31)).cast_unsigned()
            })
        },
        M::Vpsllvq => |cpu, memory, form| {
            by_own_count(cpu, memory, form, |a: u64, count| if count < 64 { a << count } else { 0 })
        },
        M::Vpsrlvq => |cpu, memory, form| {
            by_own_count(cpu, memory, form, |a: u64, count| if count < 64 { a >> count } else { 0 })
        },
        M::Pslldq | M::Vpslldq => |cpu, memory, form| by_bytes(cpu, memory, form, usize::checked_sub),
        M::Psrldq | M::Vpsrldq => {
            |cpu, memory, form| by_bytes(cpu, memory, form, |n, by| Some(n + by).filter(|from| *from < 16))
        }
        _ => return None,
    };
    Some(handler)
}

/// Shifts all numbers by one count: an immediate, or the lower 64 bits of a vector.
#[inline]
fn by_one_count<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    shift: impl Fn(T, u32) -> T,
) -> Result<(), Fault> {
    let (first, second) = form.sources();
    let count = match form.operands[second] {
        Operand::Immediate => u64::from(form.immediate_byte()),
        // In memory it has 16 bytes always.
        _ => form.vector_of(cpu, memory, second, 16)?[0],
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let a = form.vector(cpu, memory, first)?;
    form.set_vector(cpu, map(a, |a| shift(a, count)))
}

/// Shifts each number by the number at its place in the second source.
#[inline]
fn by_own_count<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    shift: impl Fn(T, T) -> T,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| zip(a, b, &shift))
}

/// Moves the bytes of each half. `from` says where byte `n` comes from.
#[inline]
fn by_bytes(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    from: impl Fn(usize, usize) -> Option<usize>,
) -> Result<(), Fault> {
    let by = usize::from(form.immediate_byte());
    let a = form.vector(cpu, memory, form.sources().0)?;
    form.set_vector(
        cpu,
        halves(a, a, |a, _| half::<u8>(|n| from(n, by).and_then(|from| a.get(from)).copied().unwrap_or(0))),
    )
}
