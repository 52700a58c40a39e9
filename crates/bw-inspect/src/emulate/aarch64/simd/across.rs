//! Operations over all elements of one register, and over a pair of them.

use super::elements::{element, float_bits};
use super::float_operations as float;
use super::integer_operations::number;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    let (size, u) = (word.bits(22, 2), word.bit(29));
    let opcode = word.bits(12, 5);
    let pick = |signed: &'static str, unsigned: &'static str| if u { unsigned } else { signed };
    if let 0b01100 | 0b01111 = opcode {
        return floats(word);
    }
    let (name, handler): (_, Handler) = match (opcode, u) {
        (0b00011, _) => (pick("saddlv", "uaddlv"), |cpu, _, form| fold(cpu, form, 2, |a, b| a + b)),
        (0b01010, _) => (pick("smaxv", "umaxv"), |cpu, _, form| fold(cpu, form, 1, i128::max)),
        (0b11010, _) => (pick("sminv", "uminv"), |cpu, _, form| fold(cpu, form, 1, i128::min)),
        (0b11011, false) => ("addv", |cpu, _, form| fold(cpu, form, 1, |a, b| a + b)),
        _ => return None,
    };
    if size == 3 || (size == 2 && !word.bit(30)) {
        return None;
    }
    Some(Instruction::of_vectors(word, name, handler).with_shape(false, 8 << size))
}

/// Joins all elements to one that is so many times as wide.
fn fold(
    cpu: &mut Cpu,
    form: &Instruction,
    times: u32,
    join: impl Fn(i128, i128) -> i128,
) -> Result<(), Fault> {
    let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
    let elements = (0..form.count()).map(|at| number(element(n, at, bits), bits, form.word.bit(29)));
    let result = elements.reduce(join).unwrap_or(0) as u64;
    form.set_vector(cpu, u128::from(result & super::elements::ones(times * bits)))
}

/// The greatest or least of four floating-point numbers: of pairs first.
fn floats(word: Word) -> Option<Instruction> {
    macro_rules! fold {
        ($operation:path) => {
            |cpu, _, form| {
                let [_, n, _] = form.vectors(cpu);
                let pair = |at| $operation(element(n, at, 32), element(n, at + 1, 32), 32);
                form.set_vector(cpu, $operation(pair(0), pair(2), 32).into())
            }
        };
    }
    if !word.bit(29) || !word.bit(30) || word.bit(22) {
        return None;
    }
    let (name, handler): (_, Handler) = match (word.bits(12, 5), word.bit(23)) {
        (0b01100, false) => ("fmaxnmv", fold!(float::max_number)),
        (0b01100, true) => ("fminnmv", fold!(float::min_number)),
        (_, false) => ("fmaxv", fold!(float::max)),
        (_, true) => ("fminv", fold!(float::min)),
    };
    Some(Instruction::of_vectors(word, name, handler).with_shape(false, 32))
}

/// Operations on the two elements of a register, with a scalar result.
pub(super) fn pair(word: Word) -> Option<Instruction> {
    macro_rules! pair {
        ($operation:expr) => {
            |cpu, _, form| {
                let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
                let operation: fn(u64, u64, u32) -> u64 = $operation;
                form.set_vector(cpu, operation(element(n, 0, bits), element(n, 1, bits), bits).into())
            }
        };
    }
    let (name, handler, bits): (_, Handler, _) = match (word.bit(29), word.bits(12, 5), word.bit(23)) {
        (false, 0b11011, true) if word.bit(22) => ("addp (scalar)", pair!(|a, b, _| a.wrapping_add(b)), 64),
        (true, 0b01100, false) => ("fmaxnmp (scalar)", pair!(float::max_number), float_bits(word)),
        (true, 0b01100, true) => ("fminnmp (scalar)", pair!(float::min_number), float_bits(word)),
        (true, 0b01101, false) => ("faddp (scalar)", pair!(float::add), float_bits(word)),
        (true, 0b01111, false) => ("fmaxp (scalar)", pair!(float::max), float_bits(word)),
        (true, 0b01111, true) => ("fminp (scalar)", pair!(float::min), float_bits(word)),
        _ => return None,
    };
    Some(Instruction::of_vectors(word, name, handler).with_shape(true, bits))
}
