//! Arithmetic on integers in vectors.

use iced_x86::Mnemonic;

use super::lane::{Half, Lane, half, halves, map, of_half, zip};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

/// Executes an operation on each pair of numbers.
#[inline]
fn each<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: impl Fn(T, T) -> T,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| zip(a, b, &operation))
}

/// Executes an operation that stays within halves.
#[inline]
fn by_half(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: impl Fn(&Half, &Half) -> Half,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| halves(a, b, &operation))
}

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    sums(mnemonic)
        .or_else(|| extremes(mnemonic))
        .or_else(|| products(mnemonic))
        .or_else(|| neighbours(mnemonic))
}

/// Sums, differences and averages.
fn sums(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Paddb | M::Vpaddb => |cpu, memory, form| each(cpu, memory, form, u8::wrapping_add),
        M::Paddw | M::Vpaddw => |cpu, memory, form| each(cpu, memory, form, u16::wrapping_add),
        M::Paddd | M::Vpaddd => |cpu, memory, form| each(cpu, memory, form, u32::wrapping_add),
        M::Paddq | M::Vpaddq => |cpu, memory, form| each(cpu, memory, form, u64::wrapping_add),
        M::Psubb | M::Vpsubb => |cpu, memory, form| each(cpu, memory, form, u8::wrapping_sub),
        M::Psubw | M::Vpsubw => |cpu, memory, form| each(cpu, memory, form, u16::wrapping_sub),
        M::Psubd | M::Vpsubd => |cpu, memory, form| each(cpu, memory, form, u32::wrapping_sub),
        M::Psubq | M::Vpsubq => |cpu, memory, form| each(cpu, memory, form, u64::wrapping_sub),
        M::Paddsb | M::Vpaddsb => |cpu, memory, form| each(cpu, memory, form, i8::saturating_add),
        M::Paddsw | M::Vpaddsw => |cpu, memory, form| each(cpu, memory, form, i16::saturating_add),
        M::Paddusb | M::Vpaddusb => |cpu, memory, form| each(cpu, memory, form, u8::saturating_add),
        M::Paddusw | M::Vpaddusw => |cpu, memory, form| each(cpu, memory, form, u16::saturating_add),
        M::Psubsb | M::Vpsubsb => |cpu, memory, form| each(cpu, memory, form, i8::saturating_sub),
        M::Psubsw | M::Vpsubsw => |cpu, memory, form| each(cpu, memory, form, i16::saturating_sub),
        M::Psubusb | M::Vpsubusb => |cpu, memory, form| each(cpu, memory, form, u8::saturating_sub),
        M::Psubusw | M::Vpsubusw => |cpu, memory, form| each(cpu, memory, form, u16::saturating_sub),
        M::Pavgb | M::Vpavgb => |cpu, memory, form| {
            each(cpu, memory, form, |a: u8, b: u8| (u16::from(a) + u16::from(b)).div_ceil(2) as u8)
        },
        M::Pavgw | M::Vpavgw => |cpu, memory, form| {
            each(cpu, memory, form, |a: u16, b: u16| (u32::from(a) + u32::from(b)).div_ceil(2) as u16)
        },
        M::Psadbw | M::Vpsadbw => |cpu, memory, form| {
            each(cpu, memory, form, |a: u64, b: u64| {
                a.to_le_bytes().iter().zip(b.to_le_bytes()).map(|(a, b)| u64::from(a.abs_diff(b))).sum()
            })
        },
        _ => return None,
    };
    Some(handler)
}

/// Minima, maxima, absolute values and signs.
fn extremes(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pminub | M::Vpminub => |cpu, memory, form| each(cpu, memory, form, |a: u8, b| a.min(b)),
        M::Pminuw | M::Vpminuw => |cpu, memory, form| each(cpu, memory, form, |a: u16, b| a.min(b)),
        M::Pminud | M::Vpminud => |cpu, memory, form| each(cpu, memory, form, |a: u32, b| a.min(b)),
        M::Pminsb | M::Vpminsb => |cpu, memory, form| each(cpu, memory, form, |a: i8, b| a.min(b)),
        M::Pminsw | M::Vpminsw => |cpu, memory, form| each(cpu, memory, form, |a: i16, b| a.min(b)),
        M::Pminsd | M::Vpminsd => |cpu, memory, form| each(cpu, memory, form, |a: i32, b| a.min(b)),
        M::Pmaxub | M::Vpmaxub => |cpu, memory, form| each(cpu, memory, form, |a: u8, b| a.max(b)),
        M::Pmaxuw | M::Vpmaxuw => |cpu, memory, form| each(cpu, memory, form, |a: u16, b| a.max(b)),
        M::Pmaxud | M::Vpmaxud => |cpu, memory, form| each(cpu, memory, form, |a: u32, b| a.max(b)),
        M::Pmaxsb | M::Vpmaxsb => |cpu, memory, form| each(cpu, memory, form, |a: i8, b| a.max(b)),
        M::Pmaxsw | M::Vpmaxsw => |cpu, memory, form| each(cpu, memory, form, |a: i16, b| a.max(b)),
        M::Pmaxsd | M::Vpmaxsd => |cpu, memory, form| each(cpu, memory, form, |a: i32, b| a.max(b)),
        M::Pabsb | M::Vpabsb => |cpu, memory, form| form.unary(cpu, memory, |a| map(a, i8::wrapping_abs)),
        M::Pabsw | M::Vpabsw => |cpu, memory, form| form.unary(cpu, memory, |a| map(a, i16::wrapping_abs)),
        M::Pabsd | M::Vpabsd => |cpu, memory, form| form.unary(cpu, memory, |a| map(a, i32::wrapping_abs)),
        M::Psignb | M::Vpsignb => {
            |cpu, memory, form| each(cpu, memory, form, |a: i8, b: i8| a.wrapping_mul(b.signum()))
        }
        M::Psignw | M::Vpsignw => {
            |cpu, memory, form| each(cpu, memory, form, |a: i16, b: i16| a.wrapping_mul(b.signum()))
        }
        M::Psignd | M::Vpsignd => {
            |cpu, memory, form| each(cpu, memory, form, |a: i32, b: i32| a.wrapping_mul(b.signum()))
        }
        _ => return None,
    };
    Some(handler)
}

fn products(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pmullw | M::Vpmullw => |cpu, memory, form| each(cpu, memory, form, u16::wrapping_mul),
        M::Pmulld | M::Vpmulld => |cpu, memory, form| each(cpu, memory, form, u32::wrapping_mul),
        M::Pmulhw | M::Vpmulhw => |cpu, memory, form| {
            each(cpu, memory, form, |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16)
        },
        M::Pmulhuw | M::Vpmulhuw => |cpu, memory, form| {
            each(cpu, memory, form, |a: u16, b: u16| ((u32::from(a) * u32::from(b)) >> 16) as u16)
        },
        M::Pmulhrsw | M::Vpmulhrsw => |cpu, memory, form| {
            each(cpu, memory, form, |a: i16, b: i16| {
                ((((i32::from(a) * i32::from(b)) >> 14) + 1) >> 1) as i16
            })
        },
        M::Pmuludq | M::Vpmuludq => |cpu, memory, form| {
            each(cpu, memory, form, |a: u64, b: u64| (a & 0xffff_ffff).wrapping_mul(b & 0xffff_ffff))
        },
        M::Pmuldq | M::Vpmuldq => |cpu, memory, form| {
            each(cpu, memory, form, |a: i64, b: i64| i64::from(a as i32).wrapping_mul(i64::from(b as i32)))
        },
        M::Pmaddwd | M::Vpmaddwd => |cpu, memory, form| {
            each(cpu, memory, form, |a: u32, b: u32| {
                let product =
                    |shift: u32| i32::from((a >> shift) as i16).wrapping_mul(i32::from((b >> shift) as i16));
                product(0).wrapping_add(product(16)).cast_unsigned()
            })
        },
        // Unsigned bytes of the first, signed ones of the second.
        M::Pmaddubsw | M::Vpmaddubsw => |cpu, memory, form| {
            each(cpu, memory, form, |a: u16, b: u16| {
                let product =
                    |shift: u32| i16::from((a >> shift) as u8).wrapping_mul(i16::from((b >> shift) as i8));
                product(0).saturating_add(product(8)).cast_unsigned()
            })
        },
        _ => return None,
    };
    Some(handler)
}

/// Operations on neighbours within one source.
fn neighbours(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Phaddw | M::Vphaddw => {
            |cpu, memory, form| by_half(cpu, memory, form, |a, b| pairs(a, b, i16::wrapping_add))
        }
        M::Phaddd | M::Vphaddd => {
            |cpu, memory, form| by_half(cpu, memory, form, |a, b| pairs(a, b, i32::wrapping_add))
        }
        M::Phaddsw | M::Vphaddsw => {
            |cpu, memory, form| by_half(cpu, memory, form, |a, b| pairs(a, b, i16::saturating_add))
        }
        M::Phsubw | M::Vphsubw => {
            |cpu, memory, form| by_half(cpu, memory, form, |a, b| pairs(a, b, i16::wrapping_sub))
        }
        M::Phsubd | M::Vphsubd => {
            |cpu, memory, form| by_half(cpu, memory, form, |a, b| pairs(a, b, i32::wrapping_sub))
        }
        M::Phsubsw | M::Vphsubsw => {
            |cpu, memory, form| by_half(cpu, memory, form, |a, b| pairs(a, b, i16::saturating_sub))
        }
        _ => return None,
    };
    Some(handler)
}

/// Combines each pair of neighbours: those of the first source, then those of the second.
pub(super) fn pairs<T: Lane>(a: &Half, b: &Half, operation: impl Fn(T, T) -> T) -> Half {
    let count = 8 / T::BYTES;
    half(|n| {
        let (source, pair) = if n < count { (a, n) } else { (b, n - count) };
        operation(of_half(source, 2 * pair), of_half(source, 2 * pair + 1))
    })
}
