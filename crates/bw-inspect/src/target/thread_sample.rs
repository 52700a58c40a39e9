//! The registers and the stack of a thread at one moment at which it ran.

use super::registers::Registers;
use super::words::words_of;

/// A thread at one moment at which it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSample {
    /// Its registers. The thread pointer is not among them.
    pub registers: Registers,
    /// What its stack had, from the stack pointer on: not more than 48 KiB.
    pub stack: Vec<u8>,
}

impl ThreadSample {
    /// Returns a word that the stack had. `None` where nothing was copied.
    pub(crate) fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.registers.stack_pointer)?).ok()?;
        let bytes = self.stack.get(at..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }

    /// Whether the stack had a word.
    pub(crate) fn has(&self, word: u64) -> bool {
        words_of(&self.stack).any(|it| it == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_outside_of_the_copied_stack_is_read() {
        let registers = Registers::from_words(&core::array::from_fn(|at| if at == 19 { 0x7000 } else { 0 }));
        let sample = ThreadSample { registers, stack: [1_u64, 2].map(u64::to_le_bytes).concat() };
        assert_eq!([0x7000, 0x7008].map(|at| sample.word(at)), [Some(1), Some(2)]);
        for outside in [0, 0x6ff8, 0x7009, 0x7010, u64::MAX] {
            assert_eq!(sample.word(outside), None, "{outside:#x}");
        }
        assert!(sample.has(2) && !sample.has(3));
    }
}
