//! Shuffles within halves: what a half of the result has comes from the same half of the sources.

use iced_x86::Mnemonic;

use super::lane::{Half, Lane, collect, half, halves, of_half};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Operand};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    interleavings(mnemonic).or_else(|| selections(mnemonic))
}

fn interleavings(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Punpcklbw | M::Vpunpcklbw => |cpu, memory, form| interleave::<u8>(cpu, memory, form, 0),
        M::Punpcklwd | M::Vpunpcklwd => |cpu, memory, form| interleave::<u16>(cpu, memory, form, 0),
        M::Punpckldq | M::Vpunpckldq | M::Unpcklps | M::Vunpcklps => {
            |cpu, memory, form| interleave::<u32>(cpu, memory, form, 0)
        }
        M::Punpcklqdq | M::Vpunpcklqdq | M::Unpcklpd | M::Vunpcklpd => {
            |cpu, memory, form| interleave::<u64>(cpu, memory, form, 0)
        }
        M::Punpckhbw | M::Vpunpckhbw => |cpu, memory, form| interleave::<u8>(cpu, memory, form, 8),
        M::Punpckhwd | M::Vpunpckhwd => |cpu, memory, form| interleave::<u16>(cpu, memory, form, 4),
        M::Punpckhdq | M::Vpunpckhdq | M::Unpckhps | M::Vunpckhps => {
            |cpu, memory, form| interleave::<u32>(cpu, memory, form, 2)
        }
        M::Punpckhqdq | M::Vpunpckhqdq | M::Unpckhpd | M::Vunpckhpd => {
            |cpu, memory, form| interleave::<u64>(cpu, memory, form, 1)
        }
        _ => return None,
    };
    Some(handler)
}

/// Takes numbers in turn from both sources, from number `first` of each half on.
fn interleave<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    first: usize,
) -> Result<(), Fault> {
    by_half(cpu, memory, form, |a, b| half::<T>(|n| of_half(if n % 2 == 0 { a } else { b }, first + n / 2)))
}

fn selections(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pshufd | M::Vpshufd => |cpu, memory, form| {
            one(cpu, memory, form, |a, control| half::<u32>(|n| of_half(a, two_bits(control, n))))
        },
        M::Pshuflw | M::Vpshuflw => |cpu, memory, form| {
            one(cpu, memory, form, |a, control| {
                half::<u16>(|n| of_half(a, if n < 4 { two_bits(control, n) } else { n }))
            })
        },
        M::Pshufhw | M::Vpshufhw => |cpu, memory, form| {
            one(cpu, memory, form, |a, control| {
                half::<u16>(|n| of_half(a, if n < 4 { n } else { 4 + two_bits(control, n - 4) }))
            })
        },
        M::Shufps | M::Vshufps => |cpu, memory, form| {
            let control = form.immediate_byte();
            by_half(cpu, memory, form, |a, b| {
                half::<u32>(|n| of_half(if n < 2 { a } else { b }, two_bits(control, n)))
            })
        },
        // One bit of the control for each number of the result, also in the upper half.
        M::Shufpd | M::Vshufpd => |cpu, memory, form| {
            let bit = |n: u32| usize::from(form.immediate_byte() >> n & 1);
            form.binary(cpu, memory, |a, b| [a[bit(0)], b[bit(1)], a[2 + bit(2)], b[2 + bit(3)]])
        },
        M::Vpermilps => |cpu, memory, form| {
            let control = match form.operands[2] {
                Operand::Immediate => collect(|n| two_bits(form.immediate_byte(), n % 4) as u32),
                _ => form.vector(cpu, memory, 2)?,
            };
            let a = form.vector(cpu, memory, 1)?;
            form.set_vector(
                cpu,
                halves(a, control, |a, b| half::<u32>(|n| of_half(a, usize::from(b[4 * n] & 3)))),
            )
        },
        // With a vector as control, bit 1 of each number chooses.
        M::Vpermilpd => |cpu, memory, form| {
            let control = match form.operands[2] {
                Operand::Immediate => collect(|n| u64::from(form.immediate_byte() >> n & 1) << 1),
                _ => form.vector(cpu, memory, 2)?,
            };
            let a = form.vector(cpu, memory, 1)?;
            form.set_vector(
                cpu,
                halves(a, control, |a, b| half::<u64>(|n| of_half(a, usize::from(b[8 * n] >> 1 & 1)))),
            )
        },
        M::Pshufb | M::Vpshufb => |cpu, memory, form| {
            by_half(cpu, memory, form, |a, b| {
                half::<u8>(|n| if b[n] & 0x80 != 0 { 0 } else { a[usize::from(b[n] & 15)] })
            })
        },
        M::Palignr | M::Vpalignr => |cpu, memory, form| {
            let by = usize::from(form.immediate_byte());
            by_half(cpu, memory, form, |a, b| {
                half::<u8>(|n| match n + by {
                    at @ 0..16 => b[at],
                    at @ 16..32 => a[at - 16],
                    _ => 0,
                })
            })
        },
        M::Movddup | M::Vmovddup => |cpu, memory, form| {
            // With 16 bytes, only the lower word is read.
            let a = form.vector_of(cpu, memory, 1, if form.vector_len == 32 { 32 } else { 8 })?;
            form.set_vector(cpu, [a[0], a[0], a[2], a[2]])
        },
        M::Movsldup | M::Vmovsldup => {
            |cpu, memory, form| one(cpu, memory, form, |a, _| half::<u32>(|n| of_half(a, n & !1)))
        }
        M::Movshdup | M::Vmovshdup => {
            |cpu, memory, form| one(cpu, memory, form, |a, _| half::<u32>(|n| of_half(a, n | 1)))
        }
        _ => return None,
    };
    Some(handler)
}

/// Number `n` of the four that a control byte has.
fn two_bits(control: u8, n: usize) -> usize {
    usize::from(control >> (2 * n) & 3)
}

#[inline]
fn by_half(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: impl Fn(&Half, &Half) -> Half,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| halves(a, b, &operation))
}

/// A shuffle of one source, by the immediate.
#[inline]
fn one(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: impl Fn(&Half, u8) -> Half,
) -> Result<(), Fault> {
    let control = form.immediate_byte();
    form.unary(cpu, memory, |a| halves(a, a, |a, _| operation(a, control)))
}
