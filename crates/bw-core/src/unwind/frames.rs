//! The fixed array a walk writes into. One of the files that may use `unsafe`.

use core::mem::MaybeUninit;

/// Return addresses of one walk, leaf first, on the stack of the hook: no allocation, bounded stack use.
///
/// Of a stack that is deeper than there is room, both ends are kept: [`HEAD`](Self::HEAD) frames from the leaf, and, in a ring, the last
/// [`TAIL`](Self::TAIL) that were pushed.
///
/// Left uninitialized, because clearing it would cost as much as a short walk.
pub(crate) struct Frames {
    /// The first `length` words are initialized.
    words: [MaybeUninit<usize>; Self::CAPACITY],
    length: usize,
    /// How many were pushed when there was no more room.
    beyond: usize,
}

impl Frames {
    /// Deep enough for 250 nested boxed futures in an unoptimized build (two frames each); 4 KiB of stack.
    pub(crate) const CAPACITY: usize = 510;

    /// Frames that are kept at the root end of a deeper stack.
    pub(crate) const TAIL: usize = 128;

    /// Frames that are kept at its leaf end. Two words are left, to say what is left out.
    pub(crate) const HEAD: usize = Self::CAPACITY - Self::TAIL - 2;

    /// So many frames are looked for the root in when there is no more room: it bounds the time that a walk takes, to some 80 µs.
    pub(crate) const MOST_BEYOND: usize = 8 * 1024;

    #[inline]
    pub(crate) fn new() -> Self {
        Self { words: [const { MaybeUninit::uninit() }; Self::CAPACITY], length: 0, beyond: 0 }
    }

    /// Forgets everything and begins with this address: what came before were the walker's own frames.
    #[inline]
    pub(crate) fn restart(&mut self, address: usize) {
        self.clear();
        let _ = self.push(address);
    }

    /// Forgets everything.
    #[inline]
    pub(crate) fn clear(&mut self) {
        (self.length, self.beyond) = (0, 0);
    }

    /// Appends an address; `false` if the walk is to end, as the stack is too deep.
    #[inline]
    #[must_use]
    pub(crate) fn push(&mut self, address: usize) -> bool {
        let Some(word) = self.words.get_mut(self.length) else { return self.push_beyond(address) };
        word.write(address);
        self.length += 1;
        true
    }

    /// How many addresses were pushed when there was no more room.
    pub(crate) fn beyond(&self) -> usize {
        self.beyond
    }

    #[cold]
    #[inline(never)]
    fn push_beyond(&mut self, address: usize) -> bool {
        if self.beyond == 0 {
            // The last two of those that there was room for are the first that come round in the ring.
            self.words.copy_within(Self::HEAD + Self::TAIL.., Self::HEAD);
        }
        let at = Self::HEAD + (self.beyond + Self::CAPACITY - Self::HEAD) % Self::TAIL;
        if let Some(word) = self.words.get_mut(at) {
            word.write(address);
        }
        self.beyond += 1;
        self.beyond < Self::MOST_BEYOND
    }

    /// Puts what was recorded in order, at the end of a walk, and says whether it leaves something out: then the last two words
    /// are how many addresses stand before that, and how many frames it is. Where the walk did not get to the root, only the leaf
    /// end is left of a stack for which there was no room.
    pub(crate) fn finish(&mut self, is_at_root: bool) -> bool {
        if self.beyond == 0 {
            return false;
        }
        self.length = Self::HEAD;
        if !is_at_root {
            return false;
        }
        let pushed = self.beyond + Self::CAPACITY - Self::HEAD;
        if let Some(ring) = self.words.get_mut(Self::HEAD..Self::HEAD + Self::TAIL) {
            ring.rotate_left(pushed % Self::TAIL);
        }
        self.length += Self::TAIL;
        self.beyond = 0;
        self.push(Self::HEAD) && self.push(pushed - Self::TAIL)
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[usize] {
        let words = self.words.get(..self.length).unwrap_or_default();
        // SAFETY: `push` raises `length` by one, after it wrote the word at the old `length`. `finish` sets it to less than the
        // `CAPACITY` that it had, as `push_beyond` is called only when all words are written, and nothing makes a word
        // uninitialized again. So every word in this slice is initialized. `MaybeUninit<usize>` has the layout of `usize`.
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
        assert!(!frames.finish(true));
        assert!(frames.as_slice().iter().copied().eq(0..Frames::CAPACITY));
        frames.restart(7);
        assert_eq!(frames.as_slice(), [7]);
    }

    #[test]
    fn of_a_deeper_stack_both_ends_are_kept() {
        for depth in (Frames::CAPACITY + 1..Frames::CAPACITY + 300).chain([2_000, 8_000]) {
            let mut frames = Frames::new();
            assert!((0..depth).all(|word| frames.push(word)), "{depth}");
            assert!(frames.finish(true));
            let (kept, left_out) = frames.as_slice().split_last_chunk::<2>().unwrap();
            let ends = (0..Frames::HEAD).chain(depth - Frames::TAIL..depth);
            assert!(kept.iter().copied().eq(ends), "{depth}: {kept:?}");
            assert_eq!(*left_out, [Frames::HEAD, depth - kept.len()]);
        }
    }

    #[test]
    fn a_walk_without_an_end_ends_and_keeps_the_leaf() {
        let mut frames = Frames::new();
        let pushed = (0..).take_while(|&word| frames.push(word)).count();
        assert_eq!(pushed + 1, Frames::CAPACITY + Frames::MOST_BEYOND);
        assert!(!frames.finish(false));
        assert!(frames.as_slice().iter().copied().eq(0..Frames::HEAD));
    }
}
