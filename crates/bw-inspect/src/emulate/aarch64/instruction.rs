//! An instruction, decoded so that it is cheap to execute.

use super::register_file::{Cpu, SINK, STACK, ZERO};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// What executes an instruction. On an error it has changed no register.
pub(super) type Handler = fn(&mut Cpu, &mut Overlay<'_>, &Instruction) -> Result<(), Fault>;

/// An instruction: what executes it, and its operands.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    pub(super) handler: Handler,
    pub(super) name: &'static str,
    /// Where it is.
    pub(super) at: u64,
    /// A number in it, as it is used: scaled, sign-extended, or the target of a jump.
    pub(super) immediate: u64,
    pub(super) word: Word,
    /// The places of its registers, in the order of the manual: `d` or `t`, `n`, `m`, and `a` or `t2`.
    pub(super) d: u8,
    pub(super) n: u8,
    pub(super) m: u8,
    pub(super) a: u8,
    /// It works on 64 bits, else on 32.
    pub(super) wide: bool,
    /// The next instruction may be elsewhere than behind it.
    pub(super) jumps: bool,
    /// A small number whose meaning is the handler's: a shift, a condition, a way of addressing.
    pub(super) option: u8,
    /// The bits of an element, of a vector operation.
    pub(super) element: u8,
    /// The bytes of a register that a vector operation works on: 16, 8, or those of one element.
    pub(super) bytes: u8,
}

impl Instruction {
    /// An instruction whose registers all read, or write, zero where their number is 31.
    pub(super) fn new(word: Word, name: &'static str, handler: Handler) -> Self {
        Self {
            handler,
            name,
            at: 0,
            immediate: 0,
            word,
            d: if word.d() == 31 { SINK } else { word.d() },
            n: source(word.n()),
            m: source(word.m()),
            a: source(word.a()),
            wide: word.bit(31),
            jumps: false,
            option: 0,
            element: 0,
            bytes: 0,
        }
    }

    /// An instruction on vector registers, whose numbers are all used as they are.
    pub(super) fn of_vectors(word: Word, name: &'static str, handler: Handler) -> Self {
        Self { d: word.d(), n: word.n(), m: word.m(), a: word.a(), ..Self::new(word, name, handler) }
    }

    pub(super) fn with_immediate(self, immediate: u64) -> Self {
        Self { immediate, ..self }
    }

    pub(super) fn with_option(self, option: u32) -> Self {
        Self { option: option as u8, ..self }
    }

    /// Works on elements of so many bits.
    pub(super) fn with_element(self, bits: u32) -> Self {
        Self { element: bits as u8, ..self }
    }

    /// Works on so many bytes of each register.
    pub(super) fn with_bytes(self, bytes: u32) -> Self {
        Self { bytes: bytes as u8, ..self }
    }

    /// The number 31 of `n` is the stack pointer.
    pub(super) fn with_stack_n(self) -> Self {
        Self { n: self.word.n(), ..self }
    }

    /// The number 31 of `d` is the stack pointer.
    pub(super) fn with_stack_d(self) -> Self {
        Self { d: self.word.d(), ..self }
    }

    /// `d` is read: it is the register that a store stores, or a comparison compares.
    pub(super) fn reading_d(self) -> Self {
        Self { d: source(self.word.d()), ..self }
    }

    pub(super) fn jumping(self) -> Self {
        Self { jumps: true, ..self }
    }

    pub(super) fn mnemonic(&self) -> String {
        if self.name.is_empty() { format!("{:#010x}", self.word.0) } else { self.name.to_owned() }
    }
}

/// Where a register is read.
pub(super) const fn source(number: u8) -> u8 {
    if number == STACK { ZERO } else { number }
}

/// The word that encodes an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u32);

impl Word {
    /// `len` bits, from bit `from` on.
    #[inline]
    pub(super) const fn bits(self, from: u32, len: u32) -> u32 {
        self.0 >> from & ((1 << len) - 1)
    }

    #[inline]
    pub(super) const fn bit(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }

    /// The same as a signed number.
    #[inline]
    pub(super) const fn signed(self, from: u32, len: u32) -> i64 {
        let unused = 64 - len;
        ((self.bits(from, len) as i64) << unused) >> unused
    }

    pub(super) const fn d(self) -> u8 {
        self.bits(0, 5) as u8
    }

    pub(super) const fn n(self) -> u8 {
        self.bits(5, 5) as u8
    }

    pub(super) const fn m(self) -> u8 {
        self.bits(16, 5) as u8
    }

    pub(super) const fn a(self) -> u8 {
        self.bits(10, 5) as u8
    }
}
