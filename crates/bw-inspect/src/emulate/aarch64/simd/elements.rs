//! Elements of vector registers.

use crate::emulate::aarch64::instruction::{Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;

/// As many ones as bits, at the lowest places.
#[inline]
pub(super) const fn ones(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// Element `number` of a register.
#[inline]
pub(in super::super) const fn element(register: u128, number: u32, bits: u32) -> u64 {
    (register >> ((number * bits) & 127)) as u64 & ones(bits)
}

/// The register with another element `number`.
#[inline]
pub(in super::super) const fn with_element(register: u128, number: u32, bits: u32, value: u64) -> u128 {
    let at = (number * bits) & 127;
    register & !((ones(bits) as u128) << at) | ((value & ones(bits)) as u128) << at
}

/// The element as a signed number.
#[inline]
pub(super) const fn signed(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused).cast_signed() >> unused
}

/// Elements with these values.
#[inline]
pub(super) fn collect(count: u32, bits: u32, value: impl Fn(u32) -> u64) -> u128 {
    let mut register = 0;
    for number in (0..count).rev() {
        register = register << (bits & 127) | u128::from(value(number) & ones(bits));
    }
    register
}

impl Instruction {
    /// The bits of an element.
    #[inline]
    pub(super) fn bits(&self) -> u32 {
        u32::from(self.element).clamp(8, 64)
    }

    /// How many elements it works on.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        u32::from(self.bytes) * 8 / self.bits()
    }

    /// Its operands: registers `d`, `n` and `m`.
    #[inline]
    pub(super) fn vectors(&self, cpu: &Cpu) -> [u128; 3] {
        [self.word.d(), self.word.n(), self.word.m()].map(|register| cpu.v[usize::from(register)])
    }

    /// Sets register `d`.
    #[inline]
    pub(in super::super) fn set_vector(&self, cpu: &mut Cpu, to: u128) -> Result<(), Fault> {
        cpu.v[usize::from(self.word.d())] = to;
        Ok(())
    }

    /// The bytes that a vector instruction works on; a scalar one works on one element.
    pub(super) fn with_shape(self, is_scalar: bool, bits: u32) -> Self {
        let bytes = match (is_scalar, self.word.bit(30)) {
            (true, _) => bits / 8,
            (false, true) => 16,
            (false, false) => 8,
        };
        self.with_element(bits).with_bytes(bytes)
    }
}

/// The bits of an element of a floating-point instruction, by one bit of it.
pub(super) const fn float_bits(word: Word) -> u32 {
    if word.bit(22) { 64 } else { 32 }
}

/// Applies an operation to each element of register `n`.
#[inline]
pub(super) fn each(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(u64, u32) -> u64,
) -> Result<(), Fault> {
    let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
    form.set_vector(cpu, collect(form.count(), bits, |at| operation(element(n, at, bits), bits)))
}

/// Applies an operation to each pair of elements at one place in registers `n` and `m`.
#[inline]
pub(super) fn both(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(u64, u64, u32) -> u64,
) -> Result<(), Fault> {
    let ([_, n, m], bits) = (form.vectors(cpu), form.bits());
    let value = |at| operation(element(n, at, bits), element(m, at, bits), bits);
    form.set_vector(cpu, collect(form.count(), bits, value))
}

/// The same with the element of register `d` as the first operand.
#[inline]
pub(super) fn all(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(u64, u64, u64, u32) -> u64,
) -> Result<(), Fault> {
    let ([d, n, m], bits) = (form.vectors(cpu), form.bits());
    let value = |at| operation(element(d, at, bits), element(n, at, bits), element(m, at, bits), bits);
    form.set_vector(cpu, collect(form.count(), bits, value))
}

/// Applies an operation to each two neighbours, those of register `n` before those of register `m`.
#[inline]
pub(super) fn neighbours(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(u64, u64, u32) -> u64,
) -> Result<(), Fault> {
    let ([_, n, m], bits, count) = (form.vectors(cpu), form.bits(), form.count());
    let value = |at| {
        let (register, at) = if at < count / 2 { (n, at) } else { (m, at - count / 2) };
        operation(element(register, 2 * at, bits), element(register, 2 * at + 1, bits), bits)
    };
    form.set_vector(cpu, collect(count, bits, value))
}
