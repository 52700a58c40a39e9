//! Conversions between integers and floating-point numbers, and between their widths.

use iced_x86::Mnemonic;

use super::float::Float;
use super::lane::{Lane, collect, lane, with_lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Cvtsi2ss | M::Vcvtsi2ss => {
            |cpu, memory, form| from_integer(cpu, memory, form, |value| value as f32)
        }
        M::Cvtsi2sd | M::Vcvtsi2sd => {
            |cpu, memory, form| from_integer(cpu, memory, form, |value| value as f64)
        }
        M::Cvtss2si | M::Vcvtss2si => |cpu, memory, form| {
            to_integer(cpu, memory, form, 4, |a| f64::from(lane::<f32>(a, 0)).round_ties_even())
        },
        M::Cvttss2si | M::Vcvttss2si => {
            |cpu, memory, form| to_integer(cpu, memory, form, 4, |a| f64::from(lane::<f32>(a, 0)).trunc())
        }
        M::Cvtsd2si | M::Vcvtsd2si => {
            |cpu, memory, form| to_integer(cpu, memory, form, 8, |a| lane::<f64>(a, 0).round_ties_even())
        }
        M::Cvttsd2si | M::Vcvttsd2si => {
            |cpu, memory, form| to_integer(cpu, memory, form, 8, |a| lane::<f64>(a, 0).trunc())
        }
        M::Cvtss2sd | M::Vcvtss2sd => |cpu, memory, form| between(cpu, memory, form, longer),
        M::Cvtsd2ss | M::Vcvtsd2ss => |cpu, memory, form| between(cpu, memory, form, shorter),
        M::Cvtps2pd | M::Vcvtps2pd => |cpu, memory, form| widen(cpu, memory, form, longer),
        M::Cvtdq2pd | M::Vcvtdq2pd => |cpu, memory, form| widen(cpu, memory, form, |a: i32| f64::from(a)),
        M::Cvtpd2ps | M::Vcvtpd2ps => |cpu, memory, form| narrow(cpu, memory, form, shorter),
        M::Cvtpd2dq | M::Vcvtpd2dq => {
            |cpu, memory, form| narrow(cpu, memory, form, |a: f64| truncate(a.round_ties_even()))
        }
        M::Cvttpd2dq | M::Vcvttpd2dq => {
            |cpu, memory, form| narrow(cpu, memory, form, |a: f64| truncate(a.trunc()))
        }
        M::Cvtdq2ps | M::Vcvtdq2ps => |cpu, memory, form| same(cpu, memory, form, |a: i32| a as f32),
        M::Cvtps2dq | M::Vcvtps2dq => {
            |cpu, memory, form| same(cpu, memory, form, |a: f32| truncate(f64::from(a).round_ties_even()))
        }
        M::Cvttps2dq | M::Vcvttps2dq => {
            |cpu, memory, form| same(cpu, memory, form, |a: f32| truncate(f64::from(a).trunc()))
        }
        _ => return None,
    };
    Some(handler)
}

/// A number that is an integer in 32 bits, or what stands for all that do not fit.
fn truncate(a: f64) -> i32 {
    if (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&a) { a as i32 } else { i32::MIN }
}

/// A `f32` as `f64`. A NaN keeps its sign and its payload, and becomes quiet.
fn longer(a: f32) -> f64 {
    if a.is_nan() {
        let bits = u64::from(a.to_bits());
        return f64::from_bits((bits >> 31) << 63 | 0x7ff0_0000_0000_0000 | (bits & 0x007f_ffff) << 29)
            .quiet();
    }
    f64::from(a)
}

/// A `f64` as `f32`, rounded to nearest. A NaN keeps its sign and the upper part of its payload, and becomes quiet.
fn shorter(a: f64) -> f32 {
    if a.is_nan() {
        let bits = a.to_bits();
        return f32::from_bits(((bits >> 63) << 31) as u32 | 0x7f80_0000 | (bits >> 29) as u32 & 0x007f_ffff)
            .quiet();
    }
    a as f32
}

fn from_integer<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    convert: impl Fn(i64) -> T,
) -> Result<(), Fault> {
    let (first, second) = form.sources();
    let a = form.vector(cpu, memory, first)?;
    let integer = form.width(second).sign_extend(form.load(cpu, memory, second)?);
    form.set_vector(cpu, with_lane(a, 0, convert(integer)))
}

/// Into a general-purpose register. `rounded` gives the number, already an integer.
fn to_integer(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    len: u8,
    rounded: impl Fn([u64; 4]) -> f64,
) -> Result<(), Fault> {
    let number = rounded(form.vector_of(cpu, memory, 1, len)?);
    let value = match form.width(0) {
        Width::Quad if (-TWO_TO_63..TWO_TO_63).contains(&number) => (number as i64).cast_unsigned(),
        // What stands for all numbers that do not fit.
        Width::Quad => 1 << 63,
        _ => u64::from(truncate(number).cast_unsigned()),
    };
    form.store(cpu, memory, 0, value)
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The lowest number of the second source in another width, beside the rest of the first.
fn between<T: Lane, U: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    convert: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let (first, second) = form.sources();
    let a = form.vector(cpu, memory, first)?;
    let b = form.vector_of(cpu, memory, second, T::BYTES as u8)?;
    form.set_vector(cpu, with_lane(a, 0, convert(lane(b, 0))))
}

/// The lower half of the source, in twice the width.
fn widen<T: Lane, U: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    convert: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let a = form.vector_of(cpu, memory, 1, form.vector_len / 2)?;
    form.set_vector(cpu, collect(|n| convert(lane(a, n))))
}

/// The source in half the width, and zeros.
fn narrow<T: Lane, U: Lane + Default>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    convert: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let a = form.vector(cpu, memory, 1)?;
    let count = usize::from(form.vector_len) / T::BYTES;
    form.set_vector(cpu, collect(|n| if n < count { convert(lane(a, n)) } else { U::default() }))
}

/// Each number in the same width.
fn same<T: Lane, U: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    convert: impl Fn(T) -> U,
) -> Result<(), Fault> {
    let a = form.vector(cpu, memory, 1)?;
    form.set_vector(cpu, collect(|n| convert(lane(a, n))))
}
