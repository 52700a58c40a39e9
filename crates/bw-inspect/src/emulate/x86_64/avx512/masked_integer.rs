//! Operations on integers with masks.

use iced_x86::Mnemonic;

use super::masked::{Wide, number};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Vpandd => |cpu, memory, form| combine::<4>(cpu, memory, form, |a, b| a & b),
        M::Vpandq => |cpu, memory, form| combine::<8>(cpu, memory, form, |a, b| a & b),
        M::Vpandnd => |cpu, memory, form| combine::<4>(cpu, memory, form, |a, b| !a & b),
        M::Vpandnq => |cpu, memory, form| combine::<8>(cpu, memory, form, |a, b| !a & b),
        M::Vpord => |cpu, memory, form| combine::<4>(cpu, memory, form, |a, b| a | b),
        M::Vporq => |cpu, memory, form| combine::<8>(cpu, memory, form, |a, b| a | b),
        M::Vpxord => |cpu, memory, form| combine::<4>(cpu, memory, form, |a, b| a ^ b),
        M::Vpxorq => |cpu, memory, form| combine::<8>(cpu, memory, form, |a, b| a ^ b),
        M::Vpaddb => |cpu, memory, form| combine::<1>(cpu, memory, form, u64::wrapping_add),
        M::Vpaddw => |cpu, memory, form| combine::<2>(cpu, memory, form, u64::wrapping_add),
        M::Vpaddd => |cpu, memory, form| combine::<4>(cpu, memory, form, u64::wrapping_add),
        M::Vpaddq => |cpu, memory, form| combine::<8>(cpu, memory, form, u64::wrapping_add),
        M::Vpsubb => |cpu, memory, form| combine::<1>(cpu, memory, form, u64::wrapping_sub),
        M::Vpsubw => |cpu, memory, form| combine::<2>(cpu, memory, form, u64::wrapping_sub),
        M::Vpsubd => |cpu, memory, form| combine::<4>(cpu, memory, form, u64::wrapping_sub),
        M::Vpsubq => |cpu, memory, form| combine::<8>(cpu, memory, form, u64::wrapping_sub),
        M::Vpminub => |cpu, memory, form| combine::<1>(cpu, memory, form, Ord::min),
        M::Vpminuw => |cpu, memory, form| combine::<2>(cpu, memory, form, Ord::min),
        M::Vpminud => |cpu, memory, form| combine::<4>(cpu, memory, form, Ord::min),
        M::Vpminuq => |cpu, memory, form| combine::<8>(cpu, memory, form, Ord::min),
        M::Vpmaxub => |cpu, memory, form| combine::<1>(cpu, memory, form, Ord::max),
        M::Vpmaxuw => |cpu, memory, form| combine::<2>(cpu, memory, form, Ord::max),
        M::Vpmaxud => |cpu, memory, form| combine::<4>(cpu, memory, form, Ord::max),
        M::Vpmaxuq => |cpu, memory, form| combine::<8>(cpu, memory, form, Ord::max),
        M::Vpternlogd => ternary_logic::<4>,
        M::Vpternlogq => ternary_logic::<8>,
        _ => return None,
    };
    Some(handler)
}

/// Executes an operation on each pair of numbers, of whose result the low bytes count.
#[inline]
fn combine<const ELEMENT: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    operation: fn(u64, u64) -> u64,
) -> Result<(), Fault> {
    let mut result: Wide = form.wide(cpu, memory, 1, ELEMENT)?;
    let b = form.wide(cpu, memory, 2, ELEMENT)?;
    for (a, b) in result.chunks_exact_mut(ELEMENT).zip(b.chunks_exact(ELEMENT)) {
        a.copy_from_slice(&operation(number(a), number(b)).to_le_bytes()[..ELEMENT]);
    }
    form.set_wide(cpu, memory, &result, ELEMENT)
}

/// Any function of three bits: the immediate is its table.
fn ternary_logic<const ELEMENT: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
) -> Result<(), Fault> {
    let table = form.immediate as u8;
    let a = form.wide(cpu, memory, 0, ELEMENT)?;
    let b = form.wide(cpu, memory, 1, ELEMENT)?;
    let c = form.wide(cpu, memory, 2, ELEMENT)?;
    let mut result: Wide = [0; 64];
    for (n, byte) in result.iter_mut().enumerate() {
        // Each row of the table that is set gives ones where the three bits are its number.
        *byte = (0..8).filter(|row| table >> row & 1 == 1).fold(0, |byte, row| {
            let same = |bits: u8, place: u8| if row >> place & 1 == 1 { bits } else { !bits };
            byte | same(a[n], 2) & same(b[n], 1) & same(c[n], 0)
        });
    }
    form.set_wide(cpu, memory, &result, ELEMENT)
}
