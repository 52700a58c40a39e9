//! Single numbers of a vector: inserted and extracted.

use iced_x86::Mnemonic;

use super::lane::{Lane, lane, with_lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler, Operand};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pinsrb | M::Vpinsrb => |cpu, memory, form| insert(cpu, memory, form, |value| value as u8),
        M::Pinsrw | M::Vpinsrw => |cpu, memory, form| insert(cpu, memory, form, |value| value as u16),
        M::Pinsrd | M::Vpinsrd => |cpu, memory, form| insert(cpu, memory, form, |value| value as u32),
        M::Pinsrq | M::Vpinsrq => |cpu, memory, form| insert(cpu, memory, form, |value| value),
        M::Pextrb | M::Vpextrb => extract::<u8>,
        M::Pextrw | M::Vpextrw => extract::<u16>,
        M::Pextrd | M::Vpextrd | M::Extractps | M::Vextractps => extract::<u32>,
        M::Pextrq | M::Vpextrq => extract::<u64>,
        M::Insertps | M::Vinsertps => insert_single,
        _ => return None,
    };
    Some(handler)
}

/// The number that the immediate selects, of as many as 16 bytes have.
fn selected<T: Lane>(form: &Form) -> usize {
    usize::from(form.immediate_byte()) % (16 / T::BYTES)
}

#[inline]
fn insert<T: Lane>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    truncate: impl Fn(u64) -> T,
) -> Result<(), Fault> {
    let (first, second) = form.sources();
    let vector = form.vector(cpu, memory, first)?;
    let value = truncate(form.load(cpu, memory, second)?);
    form.set_vector(cpu, with_lane(vector, selected::<T>(form), value))
}

fn extract<T: Lane + Into<u64>>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let vector = form.vector(cpu, memory, 1)?;
    form.store(cpu, memory, 0, lane::<T>(vector, selected::<T>(form)).into())
}

/// `insertps`: which number is taken, where it goes, and which numbers are cleared.
fn insert_single(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let control = form.immediate_byte();
    let (first, second) = form.sources();
    let vector = form.vector(cpu, memory, first)?;
    let source = form.vector_of(cpu, memory, second, 4)?;
    // In memory there is one.
    let from = if form.operands[second] == Operand::Memory { 0 } else { usize::from(control >> 6) };
    let inserted = with_lane(vector, usize::from(control >> 4 & 3), lane::<u32>(source, from));
    let cleared =
        (0..4).filter(|n| control >> n & 1 == 1).fold(inserted, |vector, n| with_lane(vector, n, 0_u32));
    form.set_vector(cpu, cleared)
}
