//! The fixed array a walk writes into. One of the files that may use `unsafe`.

use core::mem::MaybeUninit;

/// Return addresses of one walk, leaf first, on the stack of the hook: no allocation, bounded stack use.
///
/// Left uninitialized, because clearing it would cost as much as a short walk.
pub(crate) struct Frames {
    /// The first `length` words are initialized.
    words: [MaybeUninit<usize>; Self::CAPACITY],
    length: usize,
}

impl Frames {
    /// Deep enough for 250 nested boxed futures in an unoptimized build (two frames each); 4 KiB of stack.
    pub(crate) const CAPACITY: usize = 510;

    #[inline]
    pub(crate) fn new() -> Self {
        Self { words: [const { MaybeUninit::uninit() }; Self::CAPACITY], length: 0 }
    }

    /// Forgets everything and begins with this address: what came before were the walker's own frames.
    #[inline]
    pub(crate) fn restart(&mut self, address: usize) {
        self.length = 0;
        let _ = self.push(address);
    }

    /// Forgets everything.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// Appends an address; `false` if there is no room.
    #[inline]
    #[must_use]
    pub(crate) fn push(&mut self, address: usize) -> bool {
        let Some(word) = self.words.get_mut(self.length) else { return false };
        word.write(address);
        self.length += 1;
        true
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[usize] {
        let words = self.words.get(..self.length).unwrap_or_default();
        // SAFETY: `push` is the only place that raises `length`, by one, after it wrote the word at the old
        // `length`; so every word in this slice is initialized. `MaybeUninit<usize>` has the layout of `usize`.
        unsafe { &*(core::ptr::from_ref(words) as *const [usize]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_hold_what_was_pushed_and_no_more_than_fits() {
        let mut frames = Frames::new();
        assert_eq!(frames.as_slice(), &[] as &[usize]);
        assert!((0..Frames::CAPACITY).all(|word| frames.push(word)));
        assert!(!frames.push(1));
        assert_eq!(frames.as_slice().len(), Frames::CAPACITY);
        frames.restart(7);
        assert_eq!(frames.as_slice(), [7]);
    }
}
