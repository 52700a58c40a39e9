//! Reading and writing vector operands.

use super::lane::{Lane, Vector, from_bytes, lane, to_bytes, with_lane};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::x86_64::cpu::Cpu;
use crate::emulate::x86_64::form::{Form, Operand};

impl Form {
    /// The places of the two sources of a binary operation.
    #[inline]
    pub(super) const fn sources(&self) -> (usize, usize) {
        if self.vex { (1, 2) } else { (0, 1) }
    }

    /// A vector operand. Of one in memory, the upper bytes that the instruction does not use are zero.
    #[inline]
    pub(super) fn vector(&self, cpu: &Cpu, memory: &mut Overlay<'_>, n: usize) -> Result<Vector, Fault> {
        self.vector_of(cpu, memory, n, self.vector_len)
    }

    /// A vector operand of which only `len` bytes are in memory.
    #[inline]
    pub(super) fn vector_of(
        &self,
        cpu: &Cpu,
        memory: &mut Overlay<'_>,
        n: usize,
        len: u8,
    ) -> Result<Vector, Fault> {
        let address = match self.operands[n] {
            Operand::Vector(number) => return Ok(cpu.ymm(number)),
            Operand::Memory => self.address.of(cpu),
            _ => return Err(Fault::Unknown),
        };
        let mut vector = [0; 4];
        match len {
            16 => {
                let bytes = u128::from_le_bytes(memory.read_array(address)?);
                vector[0] = bytes as u64;
                vector[1] = (bytes >> 64) as u64;
            }
            32 => vector = from_bytes(memory.read_array(address)?),
            8 => vector[0] = memory.read_u64(address)?,
            4 => vector[0] = u64::from(u32::from_le_bytes(memory.read_array(address)?)),
            2 => vector[0] = u64::from(u16::from_le_bytes(memory.read_array(address)?)),
            _ => vector[0] = u64::from(u8::from_le_bytes(memory.read_array(address)?)),
        }
        Ok(vector)
    }

    /// Sets the first operand, which is a vector register.
    #[inline]
    pub(super) fn set_vector(&self, cpu: &mut Cpu, value: Vector) -> Result<(), Fault> {
        let Operand::Vector(number) = self.operands[0] else { return Err(Fault::Unknown) };
        let register = &mut cpu.zmm[usize::from(number & 31)];
        let [a, b, c, d] = value;
        match (self.vex, self.vector_len) {
            (true, 32) => *register = [a, b, c, d, 0, 0, 0, 0],
            (true, _) => *register = [a, b, 0, 0, 0, 0, 0, 0],
            (false, _) => {
                register[0] = a;
                register[1] = b;
            }
        }
        Ok(())
    }

    /// Sets the first operand, which is a vector register or memory.
    #[inline]
    pub(super) fn store_vector(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        value: Vector,
    ) -> Result<(), Fault> {
        match self.operands[0] {
            Operand::Memory if self.vector_len == 32 => {
                memory.write_array(self.address.of(cpu), to_bytes(value))
            }
            Operand::Memory => {
                let low = u128::from(value[1]) << 64 | u128::from(value[0]);
                memory.write_array(self.address.of(cpu), low.to_le_bytes())
            }
            _ => self.set_vector(cpu, value),
        }
    }

    /// Executes an operation on two vectors.
    #[inline]
    pub(super) fn binary(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        operation: impl Fn(Vector, Vector) -> Vector,
    ) -> Result<(), Fault> {
        let (first, second) = self.sources();
        let a = self.vector(cpu, memory, first)?;
        let b = self.vector(cpu, memory, second)?;
        self.set_vector(cpu, operation(a, b))
    }

    /// Executes an operation on one vector.
    #[inline]
    pub(super) fn unary(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        operation: impl Fn(Vector) -> Vector,
    ) -> Result<(), Fault> {
        let a = self.vector(cpu, memory, 1)?;
        self.set_vector(cpu, operation(a))
    }

    /// Executes an operation on the lowest numbers of two vectors. The rest of the result is that of the first.
    #[inline]
    pub(super) fn scalar<T: Lane>(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        operation: impl Fn(T, T) -> T,
    ) -> Result<(), Fault> {
        let (first, second) = self.sources();
        let a = self.vector(cpu, memory, first)?;
        let b = self.vector_of(cpu, memory, second, T::BYTES as u8)?;
        self.set_vector(cpu, with_lane(a, 0, operation(lane(a, 0), lane(b, 0))))
    }

    /// The immediate operand, which has eight bits.
    #[inline]
    pub(super) const fn immediate_byte(&self) -> u8 {
        self.immediate as u8
    }
}
