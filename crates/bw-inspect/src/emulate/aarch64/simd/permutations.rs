//! Elements of registers in another order.

use super::elements::{collect, element};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    let size = word.bits(22, 2);
    match (word.bit(29), word.bits(10, 2)) {
        (false, 0b10) if size < 3 || word.bit(30) => {
            let name = match word.bits(12, 3) {
                0b001 | 0b101 => "uzp",
                0b010 | 0b110 => "trn",
                0b011 | 0b111 => "zip",
                _ => return None,
            };
            Some(Instruction::of_vectors(word, name, permute).with_shape(false, 8 << size))
        }
        (false, 0b00) if size == 0 => {
            let name = if word.bit(12) { "tbx" } else { "tbl" };
            Some(Instruction::of_vectors(word, name, look_up).with_shape(false, 8))
        }
        (true, 0b00 | 0b10) if size == 0 && (word.bit(30) || !word.bit(14)) => {
            let handler: Handler = |cpu, _, form| {
                let [_, n, m] = form.vectors(cpu);
                let (first, count) = (form.word.bits(11, 4), form.count());
                let byte = |at| {
                    let at = first + at;
                    if at < count { element(n, at, 8) } else { element(m, at - count, 8) }
                };
                form.set_vector(cpu, collect(count, 8, byte))
            };
            Some(Instruction::of_vectors(word, "ext", handler).with_shape(false, 8))
        }
        _ => None,
    }
}

/// `uzp`, `trn` and `zip`, the first or the second of each.
fn permute(cpu: &mut Cpu, _: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let ([_, n, m], bits, count) = (form.vectors(cpu), form.bits(), form.count());
    let second = form.word.bits(14, 1);
    let value = |at| {
        let (register, at) = match form.word.bits(12, 2) {
            1 => {
                let at = 2 * at + second;
                if at < count { (n, at) } else { (m, at - count) }
            }
            2 => (if at % 2 == 0 { n } else { m }, at / 2 * 2 + second),
            _ => (if at % 2 == 0 { n } else { m }, at / 2 + second * count / 2),
        };
        element(register, at, bits)
    };
    form.set_vector(cpu, collect(count, bits, value))
}

/// `tbl` and `tbx`: bytes of up to four registers, by their number.
fn look_up(cpu: &mut Cpu, _: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let [d, _, m] = form.vectors(cpu);
    let registers = form.word.bits(13, 2) + 1;
    let first = u32::from(form.word.n());
    let byte = |at| {
        let number = element(m, at, 8) as u32;
        if number < 16 * registers {
            element(cpu.v[((first + number / 16) % 32) as usize], number % 16, 8)
        } else if form.word.bit(12) {
            element(d, at, 8)
        } else {
            0
        }
    };
    let result = collect(form.count(), 8, byte);
    form.set_vector(cpu, result)
}
