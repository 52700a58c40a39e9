//! Narrowing with saturation, widening, and blends by an immediate.

use iced_x86::Mnemonic;

use super::lane::{Half, Lane, collect, half, halves, lane, of_half, with_lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Packsswb | M::Vpacksswb => |cpu, memory, form| {
            narrow(cpu, memory, form, |a: i16| a.clamp(i8::MIN.into(), i8::MAX.into()) as i8)
        },
        M::Packuswb | M::Vpackuswb => {
            |cpu, memory, form| narrow(cpu, memory, form, |a: i16| a.clamp(0, u8::MAX.into()) as u8)
        }
        M::Packssdw | M::Vpackssdw => |cpu, memory, form| {
            narrow(cpu, memory, form, |a: i32| a.clamp(i16::MIN.into(), i16::MAX.into()) as i16)
        },
        M::Packusdw | M::Vpackusdw => {
            |cpu, memory, form| narrow(cpu, memory, form, |a: i32| a.clamp(0, u16::MAX.into()) as u16)
        }
        M::Pmovzxbw | M::Vpmovzxbw => |cpu, memory, form| widen(cpu, memory, form, |a: u8| u16::from(a)),
        M::Pmovzxbd | M::Vpmovzxbd => |cpu, memory, form| widen(cpu, memory, form, |a: u8| u32::from(a)),
        M::Pmovzxbq | M::Vpmovzxbq => |cpu, memory, form| widen(cpu, memory, form, |a: u8| u64::from(a)),
        M::Pmovzxwd | M::Vpmovzxwd => |cpu, memory, form| widen(cpu, memory, form, |a: u16| u32::from(a)),
        M::Pmovzxwq | M::Vpmovzxwq => |cpu, memory, form| widen(cpu, memory, form, |a: u16| u64::from(a)),
        M::Pmovzxdq | M::Vpmovzxdq => |cpu, memory, form| widen(cpu, memory, form, |a: u32| u64::from(a)),
        M::Pmovsxbw | M::Vpmovsxbw => |cpu, memory, form| widen(cpu, memory, form, |a: i8| i16::from(a)),
        M::Pmovsxbd | M::Vpmovsxbd => |cpu, memory, form| widen(cpu, memory, form, |a: i8| i32::from(a)),
        M::Pmovsxbq | M::Vpmovsxbq => |cpu, memory, form| widen(cpu, memory, form, |a: i8| i64::from(a)),
        M::Pmovsxwd | M::Vpmovsxwd => |cpu, memory, form| widen(cpu, memory, form, |a: i16| i32::from(a)),
        M::Pmovsxwq | M::Vpmovsxwq => |cpu, memory, form| widen(cpu, memory, form, |a: i16| i64::from(a)),
        M::Pmovsxdq | M::Vpmovsxdq => |cpu, memory, form| widen(cpu, memory, form, |a: i32| i64::from(a)),
        // The eight bits choose for both halves.
        M::Pblendw | M::Vpblendw => |cpu, memory, form| blend::<u16>(cpu, memory, form, |n| n % 8),
        M::Blendps | M::Vblendps | M::Vpblendd => |cpu, memory, form| blend::<u32>(cpu, memory, form, |n| n),
        M::Blendpd | M::Vblendpd => |cpu, memory, form| blend::<u64>(cpu, memory, form, |n| n),
        _ => return None,
    };
    Some(handler)
}

/// Each half of the result has the numbers of the first source, then those of the second, half as wide.
#[inline]
fn narrow<T: Lane, U: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    saturate: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let count = 16 / T::BYTES;
    let pack = |a: &Half, b: &Half| {
        half(|n| saturate(if n < count { of_half(a, n) } else { of_half(b, n - count) }))
    };
    form.binary(cpu, memory, |a, b| halves(a, b, pack))
}

/// Widens the lowest numbers of the source, as many as fit.
#[inline]
fn widen<T: Lane, U: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    extend: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let len = usize::from(form.vector_len) * T::BYTES / U::BYTES;
    let a = form.vector_of(cpu, memory, 1, len as u8)?;
    form.set_vector(cpu, collect(|n| extend(lane(a, n))))
}

/// Takes a number from the second source where the bit of the immediate is set that `bit` gives for it.
#[inline]
fn blend<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    bit: impl Fn(usize) -> usize,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| {
        (0..32 / T::BYTES)
            .filter(|n| form.immediate_byte() >> bit(*n) & 1 == 1)
            .fold(a, |a, n| with_lane(a, n, lane::<T>(b, n)))
    })
}
