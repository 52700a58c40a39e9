//! Comparisons: of integers, and of floating-point numbers.

use core::cmp::Ordering;

use iced_x86::Mnemonic;

use super::lane::{Lane, lane, zip};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pcmpeqb | M::Vpcmpeqb => {
            |cpu, memory, form| each(cpu, memory, form, |a: u8, b| if a == b { u8::MAX } else { 0 })
        }
        M::Pcmpeqw | M::Vpcmpeqw => {
            |cpu, memory, form| each(cpu, memory, form, |a: u16, b| if a == b { u16::MAX } else { 0 })
        }
        M::Pcmpeqd | M::Vpcmpeqd => {
            |cpu, memory, form| each(cpu, memory, form, |a: u32, b| if a == b { u32::MAX } else { 0 })
        }
        M::Pcmpeqq | M::Vpcmpeqq => {
            |cpu, memory, form| each(cpu, memory, form, |a: u64, b| if a == b { u64::MAX } else { 0 })
        }
        M::Pcmpgtb | M::Vpcmpgtb => {
            |cpu, memory, form| each(cpu, memory, form, |a: i8, b| if a > b { -1 } else { 0 })
        }
        M::Pcmpgtw | M::Vpcmpgtw => {
            |cpu, memory, form| each(cpu, memory, form, |a: i16, b| if a > b { -1 } else { 0 })
        }
        M::Pcmpgtd | M::Vpcmpgtd => {
            |cpu, memory, form| each(cpu, memory, form, |a: i32, b| if a > b { -1 } else { 0 })
        }
        M::Pcmpgtq | M::Vpcmpgtq => {
            |cpu, memory, form| each(cpu, memory, form, |a: i64, b| if a > b { -1 } else { 0 })
        }
        M::Cmpps | M::Vcmpps => |cpu, memory, form| each(cpu, memory, form, |a, b| single(form, a, b)),
        M::Cmppd | M::Vcmppd => |cpu, memory, form| each(cpu, memory, form, |a, b| double(form, a, b)),
        M::Cmpss | M::Vcmpss => |cpu, memory, form| form.scalar(cpu, memory, |a, b| single(form, a, b)),
        M::Cmpsd | M::Vcmpsd => |cpu, memory, form| form.scalar(cpu, memory, |a, b| double(form, a, b)),
        M::Comiss | M::Ucomiss | M::Vcomiss | M::Vucomiss => compare::<f32>,
        M::Comisd | M::Ucomisd | M::Vcomisd | M::Vucomisd => compare::<f64>,
        _ => return None,
    };
    Some(handler)
}

#[inline]
fn each<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: impl Fn(T, T) -> T,
) -> Result<(), Fault> {
    form.binary(cpu, memory, |a, b| zip(a, b, &operation))
}

fn single(form: &Form, a: f32, b: f32) -> f32 {
    f32::from_bits(if satisfies(form, a.partial_cmp(&b)) { u32::MAX } else { 0 })
}

fn double(form: &Form, a: f64, b: f64) -> f64 {
    f64::from_bits(if satisfies(form, a.partial_cmp(&b)) { u64::MAX } else { 0 })
}

/// Whether an order is what the predicate of `cmpps` and its like asks for. Without VEX the
/// predicate has three bits. The fifth only says which operands raise an exception.
fn satisfies(form: &Form, order: Option<Ordering>) -> bool {
    let less = order == Some(Ordering::Less);
    let equal = order == Some(Ordering::Equal);
    let unordered = order.is_none();
    match form.immediate_byte() & if form.vex { 0xf } else { 7 } {
        0 => equal,
        1 => less,
        2 => less || equal,
        3 => unordered,
        4 => !equal,
        5 => !less,
        6 => !(less || equal),
        7 => !unordered,
        8 => equal || unordered,
        9 => less || unordered,
        10 => less || equal || unordered,
        11 => false,
        12 => !equal && !unordered,
        13 => !less && !unordered,
        14 => !(less || equal || unordered),
        _ => true,
    }
}

/// `ucomiss` and its like: the order into the flags.
fn compare<T: Lane + PartialOrd>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let a = form.vector(cpu, memory, 0)?;
    let b = form.vector_of(cpu, memory, 1, T::BYTES as u8)?;
    let order = lane::<T>(a, 0).partial_cmp(&lane(b, 0));
    cpu.flags.set(Flags::ARITHMETIC, false);
    match order {
        None => cpu.flags.set(Flags::ZERO | Flags::PARITY | Flags::CARRY, true),
        Some(Ordering::Less) => cpu.flags.set(Flags::CARRY, true),
        Some(Ordering::Equal) => cpu.flags.set(Flags::ZERO, true),
        Some(Ordering::Greater) => {}
    }
    Ok(())
}
