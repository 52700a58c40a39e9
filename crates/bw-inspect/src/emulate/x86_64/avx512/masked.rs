//! Operands of vectors with masks.

use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Operand};

/// The content of a vector register.
pub(super) type Wide = [u8; 64];

impl Form {
    /// Whether the mask has number `n`.
    pub(super) fn has_element(&self, cpu: &Cpu, n: usize) -> bool {
        self.mask == 0 || cpu.k[usize::from(self.mask & 7)] >> n & 1 == 1
    }

    /// A vector of numbers of `element` bytes. In memory, only those that the mask has are read.
    pub(super) fn wide(
        &self,
        cpu: &Cpu,
        memory: &mut Overlay<'_>,
        n: usize,
        element: usize,
    ) -> Result<Wide, Fault> {
        let mut wide = [0; 64];
        let len = usize::from(self.vector_len);
        match self.operands[n] {
            Operand::Vector(number) => {
                let register = cpu.zmm[usize::from(number & 31)];
                for (part, word) in wide.chunks_exact_mut(8).zip(register) {
                    part.copy_from_slice(&word.to_le_bytes());
                }
            }
            Operand::Memory => {
                let address = self.address.of(cpu);
                if self.mask == 0 {
                    memory.read(address, &mut wide[..len])?;
                } else {
                    for n in (0..len / element).filter(|n| self.has_element(cpu, *n)) {
                        let at = n * element;
                        memory.read(address.wrapping_add(at as u64), &mut wide[at..at + element])?;
                    }
                }
            }
            _ => return Err(Fault::Unknown),
        }
        Ok(wide)
    }

    /// Sets the first operand: the numbers of `element` bytes that the mask has. The rest of a register is kept or cleared, as the
    /// instruction says, and cleared beyond the length of the operation. The rest of memory is not touched.
    pub(super) fn set_wide(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        value: &Wide,
        element: usize,
    ) -> Result<(), Fault> {
        let len = usize::from(self.vector_len);
        let chosen =
            (0..len / element).filter(|n| self.has_element(cpu, *n)).map(|n| n * element..(n + 1) * element);
        match self.operands[0] {
            Operand::Memory => {
                let address = self.address.of(cpu);
                if self.mask == 0 {
                    return memory.write(address, &value[..len]);
                }
                for range in chosen {
                    memory.write(address.wrapping_add(range.start as u64), &value[range])?;
                }
                Ok(())
            }
            Operand::Vector(number) => {
                let mut result = if self.zeroing { [0; 64] } else { self.wide(cpu, memory, 0, element)? };
                result[len..].fill(0);
                for range in chosen {
                    result[range.clone()].copy_from_slice(&value[range]);
                }
                let register = &mut cpu.zmm[usize::from(number & 31)];
                for (word, part) in register.iter_mut().zip(result.as_chunks().0) {
                    *word = u64::from_le_bytes(*part);
                }
                Ok(())
            }
            _ => Err(Fault::Unknown),
        }
    }

    /// Sets the first operand, which is a mask register, to the numbers of `element` bytes of two vectors for which `holds`, as far as
    /// the mask has them.
    pub(super) fn set_mask_where(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        element: usize,
        holds: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<(), Fault> {
        let Operand::Mask(number) = self.operands[0] else { return Err(Fault::Unknown) };
        let a = self.wide(cpu, memory, 1, element)?;
        let b = self.wide(cpu, memory, 2, element)?;
        let places = (0..usize::from(self.vector_len) / element).filter(|n| {
            let range = n * element..(n + 1) * element;
            self.has_element(cpu, *n) && holds(&a[range.clone()], &b[range])
        });
        cpu.k[usize::from(number & 7)] = places.fold(0, |mask, n| mask | 1 << n);
        Ok(())
    }
}

/// A number of one to eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A number of one to eight bytes, with its sign.
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len() as u32;
    (number(bytes) << unused).cast_signed() >> unused
}
