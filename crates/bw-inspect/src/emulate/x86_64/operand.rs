//! Reading and writing integer operands.

use super::cpu::Cpu;
use super::form::{Form, Gpr, Operand, Width};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

impl Form {
    /// Whether an operand is in memory.
    #[inline]
    pub(super) fn is_memory(&self, n: usize) -> bool {
        self.operands[n] == Operand::Memory
    }

    /// The width of an integer operand. An immediate is as wide as the operand it goes with, the first.
    #[inline]
    pub(super) fn width(&self, n: usize) -> Width {
        match self.operands[n] {
            Operand::Gpr(gpr) => gpr.width,
            Operand::Memory => self.memory_width,
            _ if n > 0 => self.width(0),
            _ => Width::Quad,
        }
    }

    /// The value of an integer operand, without bits beyond its width.
    #[inline]
    pub(super) fn load(&self, cpu: &Cpu, memory: &mut Overlay<'_>, n: usize) -> Result<u64, Fault> {
        match self.operands[n] {
            Operand::Gpr(gpr) => Ok(cpu.register(gpr)),
            Operand::Memory => memory.load(self.address.of(cpu), self.memory_width),
            Operand::Immediate => Ok(self.immediate & self.width(0).mask()),
            Operand::Vector(_) | Operand::Mask(_) | Operand::None => Err(Fault::Unknown),
        }
    }

    /// Sets an integer operand.
    #[inline]
    pub(super) fn store(
        &self,
        cpu: &mut Cpu,
        memory: &mut Overlay<'_>,
        n: usize,
        value: u64,
    ) -> Result<(), Fault> {
        match self.operands[n] {
            Operand::Gpr(gpr) => {
                cpu.set_register(gpr, value);
                Ok(())
            }
            Operand::Memory => memory.store(self.address.of(cpu), self.memory_width, value),
            _ => Err(Fault::Unknown),
        }
    }
}

impl Cpu {
    /// The value of a general-purpose register.
    #[inline]
    pub(super) fn register(&self, gpr: Gpr) -> u64 {
        let whole = self.gpr[usize::from(gpr.number & 15)];
        (if gpr.high { whole >> 8 } else { whole }) & gpr.width.mask()
    }

    /// Sets a general-purpose register: the upper half of a 64-bit one is cleared with 32 bits, and kept with fewer.
    #[inline]
    pub(super) fn set_register(&mut self, gpr: Gpr, value: u64) {
        let whole = &mut self.gpr[usize::from(gpr.number & 15)];
        *whole = match gpr.width {
            Width::Quad => value,
            Width::Double => value & 0xffff_ffff,
            Width::Word => *whole & !0xffff | value & 0xffff,
            Width::Byte if gpr.high => *whole & !0xff00 | (value & 0xff) << 8,
            Width::Byte => *whole & !0xff | value & 0xff,
        };
    }

    /// Sets the low part of the general-purpose register with this number.
    #[inline]
    pub(super) fn set_low(&mut self, number: usize, width: Width, value: u64) {
        // Numbers are those of `Cpu::gpr`, below 16.
        self.set_register(Gpr { number: (number & 15) as u8, width, high: false }, value);
    }

    /// The low part of the general-purpose register with this number.
    #[inline]
    pub(super) fn low(&self, number: usize, width: Width) -> u64 {
        self.gpr[number & 15] & width.mask()
    }
}

impl Overlay<'_> {
    /// An integer in memory.
    #[inline]
    pub(super) fn load(&mut self, address: u64, width: Width) -> Result<u64, Fault> {
        Ok(match width {
            Width::Byte => u64::from(u8::from_le_bytes(self.read_array(address)?)),
            Width::Word => u64::from(u16::from_le_bytes(self.read_array(address)?)),
            Width::Double => u64::from(u32::from_le_bytes(self.read_array(address)?)),
            Width::Quad => self.read_u64(address)?,
        })
    }

    /// Sets an integer in memory.
    #[inline]
    pub(super) fn store(&mut self, address: u64, width: Width, value: u64) -> Result<(), Fault> {
        let [a, b, c, d, ..] = value.to_le_bytes();
        match width {
            Width::Byte => self.write_array(address, [a]),
            Width::Word => self.write_array(address, [a, b]),
            Width::Double => self.write_array(address, [a, b, c, d]),
            Width::Quad => self.write_u64(address, value),
        }
    }
}
