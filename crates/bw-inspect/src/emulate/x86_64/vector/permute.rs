//! Moves across halves: broadcasts, halves as a whole, permutations.

use iced_x86::Mnemonic;

use super::lane::{Lane, Vector, collect, lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Handler};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Vpbroadcastb => broadcast::<u8>,
        M::Vpbroadcastw => broadcast::<u16>,
        M::Vpbroadcastd | M::Vbroadcastss => broadcast::<u32>,
        M::Vpbroadcastq | M::Vbroadcastsd => broadcast::<u64>,
        M::Vbroadcastf128 | M::Vbroadcasti128 => |cpu, memory, form| {
            let a = form.vector_of(cpu, memory, 1, 16)?;
            form.set_vector(cpu, [a[0], a[1], a[0], a[1]])
        },
        M::Vextractf128 | M::Vextracti128 => |cpu, memory, form| {
            let a = form.vector(cpu, memory, 1)?;
            let [low, high] = if form.immediate & 1 == 0 { [a[0], a[1]] } else { [a[2], a[3]] };
            if form.is_memory(0) {
                let both = u128::from(high) << 64 | u128::from(low);
                return memory.write_array(form.address.of(cpu), both.to_le_bytes());
            }
            form.set_vector(cpu, [low, high, 0, 0])
        },
        M::Vinsertf128 | M::Vinserti128 => |cpu, memory, form| {
            let a = form.vector(cpu, memory, 1)?;
            let b = form.vector_of(cpu, memory, 2, 16)?;
            let inserted =
                if form.immediate & 1 == 0 { [b[0], b[1], a[2], a[3]] } else { [a[0], a[1], b[0], b[1]] };
            form.set_vector(cpu, inserted)
        },
        M::Vperm2f128 | M::Vperm2i128 => |cpu, memory, form| {
            form.binary(cpu, memory, |a, b| {
                let choose = |control: u8| match control & 0b1011 {
                    0 => [a[0], a[1]],
                    1 => [a[2], a[3]],
                    2 => [b[0], b[1]],
                    3 => [b[2], b[3]],
                    _ => [0, 0],
                };
                let control = form.immediate_byte();
                let ([low, second], [third, high]) = (choose(control), choose(control >> 4));
                [low, second, third, high]
            })
        },
        M::Vpermq | M::Vpermpd => |cpu, memory, form| {
            let control = form.immediate_byte();
            form.unary(cpu, memory, |a| collect(|n| a[usize::from(control >> (2 * n) & 3)]))
        },
        // Here the first source has the numbers of the second that are taken.
        M::Vpermd | M::Vpermps => |cpu, memory, form| {
            form.binary(cpu, memory, |places, a| {
                collect(|n| lane::<u32>(a, lane::<u32>(places, n) as usize & 7))
            })
        },
        _ => return None,
    };
    Some(handler)
}

fn broadcast<T: Lane>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
    let a: Vector = form.vector_of(cpu, memory, 1, T::BYTES as u8)?;
    form.set_vector(cpu, collect(|_| lane::<T>(a, 0)))
}
