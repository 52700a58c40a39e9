//! An instruction, decoded so that it is cheap to execute.

use iced_x86::Mnemonic;

use super::cpu::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// What executes an instruction. On an error it has changed no register.
pub(super) type Handler = fn(&mut Cpu, &mut Overlay<'_>, &Form) -> Result<(), Fault>;

/// An instruction: what executes it, and its operands.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub(super) handler: Handler,
    pub(super) mnemonic: Mnemonic,
    /// Where it is.
    pub(super) at: u64,
    /// The address behind it.
    pub(super) next: u64,
    pub(super) operands: [Operand; 4],
    /// Where its memory operand is.
    pub(super) address: Address,
    /// The width of an integer operand in memory.
    pub(super) memory_width: Width,
    /// The immediate operand, sign-extended as the instruction says, or the target of a direct jump.
    pub(super) immediate: u64,
    /// The other immediate operand, of the few instructions that have two.
    pub(super) second_immediate: u8,
    /// The length of a vector operation in bytes: 16, 32 or, with AVX-512, 64.
    pub(super) vector_len: u8,
    /// Encoded with VEX: sources are apart from the destination, and the upper part of the destination is cleared.
    pub(super) vex: bool,
    /// The mask register of an AVX-512 operation, or 0 for none.
    pub(super) mask: u8,
    /// What the mask leaves out is cleared, not kept.
    pub(super) zeroing: bool,
    /// The condition of `jcc`, `setcc` and `cmovcc`, as they encode it.
    pub(super) condition: u8,
    pub(super) repeat: Repeat,
}

/// The prefix of a string instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    Once,
    /// `rep`, or `repe` where the instruction compares.
    Equal,
    /// `repne`.
    NotEqual,
}

/// An operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    None,
    Gpr(Gpr),
    /// A vector register.
    Vector(u8),
    /// A mask register.
    Mask(u8),
    Memory,
    Immediate,
}

/// A general-purpose register, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gpr {
    pub(super) number: u8,
    pub(super) width: Width,
    /// The second lowest byte: `ah`, `ch`, `dh`, `bh`.
    pub(super) high: bool,
}

/// The address of a memory operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address {
    /// A register, or [`Self::NO_REGISTER`].
    pub(super) base: u8,
    /// A register, or [`Self::NO_REGISTER`].
    pub(super) index: u8,
    /// By how many bits the index is shifted.
    pub(super) scale: u8,
    pub(super) segment: Segment,
    /// The address has 32 bits (prefix `67`).
    pub(super) narrow: bool,
    pub(super) displacement: u64,
}

/// What else is added to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Flat,
    Fs,
    Gs,
}

impl Address {
    /// Neither a base nor an index.
    pub(super) const NO_REGISTER: u8 = 16;

    /// The address without the segment: what `lea` computes.
    #[inline]
    pub(super) fn offset(&self, cpu: &Cpu) -> u64 {
        let mut address = self.displacement;
        if let Some(base) = cpu.gpr.get(self.base as usize) {
            address = address.wrapping_add(*base);
        }
        if let Some(index) = cpu.gpr.get(self.index as usize) {
            address = address.wrapping_add(index << self.scale);
        }
        if self.narrow { address & 0xffff_ffff } else { address }
    }

    /// The address.
    #[inline]
    pub(super) fn of(&self, cpu: &Cpu) -> u64 {
        let offset = self.offset(cpu);
        match self.segment {
            Segment::Flat => offset,
            Segment::Fs => offset.wrapping_add(cpu.fs_base),
            Segment::Gs => offset.wrapping_add(cpu.gs_base),
        }
    }
}

/// The width of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Byte = 1,
    Word = 2,
    Double = 4,
    Quad = 8,
}

impl Width {
    pub(super) const fn from_bytes(bytes: usize) -> Option<Self> {
        Some(match bytes {
            1 => Self::Byte,
            2 => Self::Word,
            4 => Self::Double,
            8 => Self::Quad,
            _ => return None,
        })
    }

    pub(super) const fn bytes(self) -> u64 {
        self as u64
    }

    #[inline]
    pub(super) const fn bits(self) -> u32 {
        self as u32 * 8
    }

    #[inline]
    pub(super) const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    #[inline]
    pub(super) const fn sign_bit(self) -> u64 {
        1 << (self.bits() - 1)
    }

    /// A value of this width as a signed one.
    #[inline]
    pub(super) const fn sign_extend(self, value: u64) -> i64 {
        let unused = 64 - self.bits();
        (value << unused).cast_signed() >> unused
    }
}
