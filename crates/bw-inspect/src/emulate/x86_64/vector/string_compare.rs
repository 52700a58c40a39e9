//! The string comparisons of SSE4.2, with which the C library searches sets of characters.

use iced_x86::Mnemonic;

use super::lane::{Vector, collect, lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::{Cpu, RAX, RCX, RDX};
use crate::emulate::x86_64::flags::Flags;
use crate::emulate::x86_64::form::{Form, Handler, Width};

pub(super) fn handler(mnemonic: Mnemonic) -> Option<Handler> {
    use Mnemonic as M;
    let handler: Handler = match mnemonic {
        M::Pcmpistri | M::Vpcmpistri => |cpu, memory, form| place(cpu, memory, form, None),
        M::Pcmpestri | M::Vpcmpestri => |cpu, memory, form| place(cpu, memory, form, Some(Width::Double)),
        M::Pcmpestri64 | M::Vpcmpestri64 => |cpu, memory, form| place(cpu, memory, form, Some(Width::Quad)),
        M::Pcmpistrm | M::Vpcmpistrm => |cpu, memory, form| mask(cpu, memory, form, None),
        M::Pcmpestrm | M::Vpcmpestrm => |cpu, memory, form| mask(cpu, memory, form, Some(Width::Double)),
        M::Pcmpestrm64 | M::Vpcmpestrm64 => |cpu, memory, form| mask(cpu, memory, form, Some(Width::Quad)),
        _ => return None,
    };
    Some(handler)
}

/// Characters, as numbers that order as the instruction asks for, and how many of them count.
struct Text {
    characters: [i32; 16],
    len: usize,
}

impl Text {
    /// Takes a vector as text, which ends with a zero or after `len` characters.
    fn new(control: u8, vector: Vector, len: Option<usize>) -> Self {
        let mut characters = [0; 16];
        let count = count_of(control);
        for (n, character) in characters.iter_mut().enumerate().take(count) {
            *character = match control & 3 {
                0 => lane::<u8>(vector, n).into(),
                1 => lane::<u16>(vector, n).into(),
                2 => lane::<i8>(vector, n).into(),
                _ => lane::<i16>(vector, n).into(),
            };
        }
        let zero = characters[..count].iter().position(|character| *character == 0);
        Self { characters, len: len.or(zero).unwrap_or(count).min(count) }
    }

    /// The characters that count.
    fn valid(&self) -> &[i32] {
        &self.characters[..self.len]
    }
}

/// How many characters a vector has: bytes, or words of two bytes.
fn count_of(control: u8) -> usize {
    if control & 1 == 0 { 16 } else { 8 }
}

/// A length in a register, of which the sign does not matter.
fn len_of(cpu: &Cpu, register: usize, width: Width) -> usize {
    let len = width.sign_extend(cpu.gpr[register]).unsigned_abs();
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Compares the operands, sets the flags, and gives the result: a bit for each character of the second.
fn compare(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Form,
    lengths: Option<Width>,
) -> Result<u32, Fault> {
    let control = form.immediate_byte();
    let count = count_of(control);
    let first = form.vector(cpu, memory, 0)?;
    let second = form.vector(cpu, memory, 1)?;
    let a = Text::new(control, first, lengths.map(|width| len_of(cpu, RAX, width)));
    let b = Text::new(control, second, lengths.map(|width| len_of(cpu, RDX, width)));
    let holds = |n: usize| match control >> 2 & 3 {
        // Equal to any of the first.
        0 => b.valid().get(n).is_some_and(|character| a.valid().contains(character)),
        // In one of the ranges, which the first has as pairs.
        1 => b.valid().get(n).is_some_and(|character| {
            a.valid().as_chunks().0.iter().any(|[from, to]| (from..=to).contains(&character))
        }),
        // Equal at the same place, or beyond both ends.
        2 => a.valid().get(n) == b.valid().get(n),
        // The first begins here, as far as the vector goes.
        _ => (0..count - n).all(|place| match a.valid().get(place) {
            Some(character) => b.valid().get(n + place) == Some(character),
            None => true,
        }),
    };
    let found = (0..count).filter(|n| holds(*n)).fold(0_u32, |bits, n| bits | 1 << n);
    let result = match control >> 4 & 3 {
        1 => !found & ((1 << count) - 1),
        3 => found ^ ((1 << b.len) - 1),
        _ => found,
    };
    cpu.flags.set(Flags::ARITHMETIC, false);
    cpu.flags.set(Flags::CARRY, result != 0);
    cpu.flags.set(Flags::ZERO, b.len < count);
    cpu.flags.set(Flags::SIGN, a.len < count);
    cpu.flags.set(Flags::OVERFLOW, result & 1 == 1);
    Ok(result)
}

/// The place of the first or the last bit of the result, into `ecx`.
fn place(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, lengths: Option<Width>) -> Result<(), Fault> {
    let control = form.immediate_byte();
    let result = compare(cpu, memory, form, lengths)?;
    let place = match control >> 6 & 1 {
        _ if result == 0 => count_of(control) as u32,
        0 => result.trailing_zeros(),
        _ => 31 - result.leading_zeros(),
    };
    cpu.set_low(RCX, Width::Double, place.into());
    Ok(())
}

/// The result as bits, or as characters that are all ones, into `xmm0`.
fn mask(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Form, lengths: Option<Width>) -> Result<(), Fault> {
    let control = form.immediate_byte();
    let result = compare(cpu, memory, form, lengths)?;
    let has = |n: usize| n < 16 && result >> n & 1 == 1;
    let value = match (control >> 6 & 1, control & 1) {
        (0, _) => [result.into(), 0, 0, 0],
        (_, 0) => collect(|n| if has(n) { u8::MAX } else { 0 }),
        _ => collect(|n| if has(n) { u16::MAX } else { 0 }),
    };
    let register = &mut cpu.zmm[0];
    register[..2].copy_from_slice(&value[..2]);
    if form.vex {
        register[2..].fill(0);
    }
    Ok(())
}
