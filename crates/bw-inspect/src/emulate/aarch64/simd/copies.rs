//! Copies of elements, between vector registers and with general-purpose ones.

use super::elements::{collect, element, signed, with_element};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};

pub(super) fn decode(word: Word, is_scalar: bool) -> Option<Instruction> {
    let (place, q) = (word.bits(16, 5), word.bit(30));
    // The lowest bit that is set tells the size, those above it the number of the element.
    let size = place.trailing_zeros();
    if size > 3 {
        return None;
    }
    let (bits, number) = (8 << size, place >> (size + 1));
    let (name, handler): (_, Handler) = match (word.bit(29), word.bits(11, 4)) {
        (false, 0b0000) if is_scalar || q || size < 3 => ("dup", |cpu, _, form| {
            let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
            let value = element(n, form.option.into(), bits);
            form.set_vector(cpu, collect(form.count(), bits, |_| value))
        }),
        _ if is_scalar => return None,
        (false, 0b0001) if q || size < 3 => ("dup from register", |cpu, _, form| {
            let value = cpu.get(form.n);
            form.set_vector(cpu, collect(form.count(), form.bits(), |_| value))
        }),
        (false, 0b0101) if size < 2 || (q && size == 2) => ("smov", |cpu, _, form| {
            let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
            let value = signed(element(n, form.option.into(), bits), bits).cast_unsigned();
            cpu.set_as(form.d, value, form.bytes == 16);
            Ok(())
        }),
        (false, 0b0111) if q == (size == 3) => ("umov", |cpu, _, form| {
            let [_, n, _] = form.vectors(cpu);
            cpu.set(form.d, element(n, form.option.into(), form.bits()));
            Ok(())
        }),
        (false, 0b0011) if q => ("ins from register", |cpu, _, form| {
            let ([d, _, _], bits) = (form.vectors(cpu), form.bits());
            let value = cpu.get(form.n);
            form.set_vector(cpu, with_element(d, form.option.into(), bits, value))
        }),
        (true, _) if q => ("ins", |cpu, _, form| {
            let ([d, n, _], bits) = (form.vectors(cpu), form.bits());
            let from = form.word.bits(11, 4) >> bits.trailing_zeros().saturating_sub(3);
            let value = element(n, from, bits);
            form.set_vector(cpu, with_element(d, form.option.into(), bits, value))
        }),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler).with_option(number).with_shape(is_scalar, bits))
}
