//! The address of a load or store, and the numbers that are there.

use crate::emulate::aarch64::instruction::Instruction;
use crate::emulate::aarch64::integer::extended;
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// The immediate is added to register `n`.
pub(super) const OFFSET: u32 = 0;
/// The same, after the access.
pub(super) const AFTER: u32 = 1;
/// The same, and register `n` becomes the sum.
pub(super) const BEFORE: u32 = 2;
/// Register `m` is added, extended and shifted.
pub(super) const REGISTER: u32 = 3;
/// The immediate is the address.
pub(super) const LITERAL: u32 = 4;

impl Instruction {
    /// The address of its access.
    #[inline]
    pub(super) fn address(&self, cpu: &Cpu) -> u64 {
        match u32::from(self.option) {
            OFFSET | BEFORE => cpu.get(self.n).wrapping_add(self.immediate),
            AFTER => cpu.get(self.n),
            REGISTER => {
                let offset = extended(cpu.get(self.m), self.word.bits(13, 3) as u8) << self.element;
                cpu.get(self.n).wrapping_add(offset)
            }
            _ => self.immediate,
        }
    }

    /// Sets register `n`, after the access, where the way of addressing says so.
    #[inline]
    pub(super) fn write_back(&self, cpu: &mut Cpu) {
        if matches!(u32::from(self.option), AFTER | BEFORE) {
            cpu.set(self.n, cpu.get(self.n).wrapping_add(self.immediate));
        }
    }

    /// Whether it sets register `n` and the register of another operand is the same, which processors need not allow.
    pub(super) fn overlaps(&self, other: u8) -> bool {
        matches!(u32::from(self.option), AFTER | BEFORE) && self.n == other && self.word.n() != 31
    }
}

/// A number in memory, signed or not, and how it looks in a register of 64 bits.
pub(super) trait Item {
    fn read(memory: &mut Overlay<'_>, address: u64) -> Result<u64, Fault>;
    fn write(memory: &mut Overlay<'_>, address: u64, value: u64) -> Result<(), Fault>;
}

macro_rules! items {
    ($($number:ty => $wide:ty),*) => {$(
        impl Item for $number {
            #[inline]
            fn read(memory: &mut Overlay<'_>, address: u64) -> Result<u64, Fault> {
                let number = Self::from_le_bytes(memory.read_array(address)?);
                Ok(<$wide>::from(number) as u64)
            }

            #[inline]
            fn write(memory: &mut Overlay<'_>, address: u64, value: u64) -> Result<(), Fault> {
                memory.write_array(address, (value as Self).to_le_bytes())
            }
        }
    )*};
}

items!(u8 => u64, u16 => u64, u32 => u64, u64 => u64, i8 => i64, i16 => i64, i32 => i64);

/// Reads a number of so many bytes, 16 at most.
pub(super) fn read_sized(memory: &mut Overlay<'_>, address: u64, bytes: usize) -> Result<u128, Fault> {
    let mut whole = [0; 16];
    memory.read(address, &mut whole[..bytes.min(16)])?;
    Ok(u128::from_le_bytes(whole))
}

/// Writes the lowest bytes of a number.
pub(super) fn write_sized(
    memory: &mut Overlay<'_>,
    address: u64,
    bytes: usize,
    value: u128,
) -> Result<(), Fault> {
    memory.write(address, &value.to_le_bytes()[..bytes.min(16)])
}
