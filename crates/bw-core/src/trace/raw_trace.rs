//! What one traced poll recorded: plain data, no symbols.

use core::fmt;
use std::sync::Arc;

use crate::trace::address::ReturnAddress;

/// Low bits of a stack's header word; the rest is its number of addresses.
///
/// A slot publishes stacks in this form too, so that finishing a trace is one copy.
pub(crate) mod header {
    /// Set on every complete header, so that a zero word is never one.
    pub(crate) const PUBLISHED: usize = 1;
    pub(crate) const TRUNCATED: usize = 1 << 1;
    pub(crate) const FOREIGN: usize = 1 << 2;
    pub(crate) const YIELD: usize = 1 << 3;
    pub(crate) const BLOCKED: usize = 1 << 4;
    pub(crate) const SHORT_OF_STACK: usize = 1 << 5;
    pub(crate) const TOO_DEEP: usize = 1 << 6;
    /// Frames are left out: behind the addresses are two words more, that of [`LeftOut::after`](super::LeftOut::after) and that of
    /// [`LeftOut::frames`](super::LeftOut::frames).
    pub(crate) const LEFT_OUT: usize = 1 << 7;
    pub(crate) const FLAG_BITS: u32 = 8;

    pub(crate) const fn new(length: usize, flags: usize) -> usize {
        length << FLAG_BITS | flags | PUBLISHED
    }

    pub(crate) const fn length(header: usize) -> usize {
        header >> FLAG_BITS
    }
}

/// Every stack one traced poll recorded, as raw return addresses.
///
/// There is one stack for each time the future cloned its waker, or woke itself, during that poll: one for each
/// place it waits at. Awaits that *completed* in the same poll may have cloned the waker first, and then stand
/// here too, before the later ones.
///
/// Plain `Send + Sync` data in one shared allocation; cloning it copies a pointer. Addresses are of this process:
/// symbolize them here, or write them down with the modules they belong to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawTrace {
    /// Word 0 counts dropped stacks. Then, for each stack, a header word and its addresses, leaf first.
    words: Arc<[usize]>,
}

impl RawTrace {
    pub(crate) fn from_words(words: Arc<[usize]>) -> Self {
        debug_assert!(!words.is_empty());
        Self { words }
    }

    /// All of it, to be compared.
    pub(crate) fn words(&self) -> &[usize] {
        &self.words
    }

    /// Builds a trace by hand: for tests of what reads traces, and for traces that came from elsewhere.
    ///
    /// Zero addresses are left out, since they are no addresses.
    #[must_use]
    pub fn from_stacks<S, A>(stacks: S) -> Self
    where
        S: IntoIterator<Item = (A, StackFlags)>,
        A: IntoIterator<Item = usize>,
    {
        let mut words = vec![0];
        for (addresses, flags) in stacks {
            let at = words.len();
            words.push(0);
            words.extend(addresses.into_iter().filter(|&address| address != 0));
            if let Some(LeftOut { after, frames }) = flags.left_out {
                words.extend([after, frames]);
            }
            words[at] = header::new(words.len() - at - 1, flags.bits());
        }
        Self { words: words.into() }
    }

    /// The same trace, with how many more stacks were recorded but did not fit. Copies it if it is shared.
    #[must_use]
    pub fn with_dropped(mut self, dropped: usize) -> Self {
        if let Some(word) = Arc::make_mut(&mut self.words).first_mut() {
            *word = dropped;
        }
        self
    }

    /// The stacks, in the order they were recorded.
    #[must_use]
    pub fn stacks(&self) -> Stacks<'_> {
        Stacks { words: self.words.get(1..).unwrap_or_default() }
    }

    /// Whether no stack was recorded: the future returned `Pending` and never touched its waker.
    ///
    /// Nothing that went through this waker can wake such a task again. `std::future::pending()` is one; so is a
    /// poll of a sub-executor that had nothing to do and already holds a waker.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stacks().next().is_none() && self.dropped() == 0
    }

    /// How many stacks were recorded but did not fit.
    ///
    /// The next trace of the same task gets more room, up to a bound of 64 Ki words (about 2,600 stacks of 24
    /// addresses).
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.words.first().copied().unwrap_or(0)
    }
}

impl fmt::Debug for RawTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawTrace")
            .field("stacks", &self.stacks().collect::<Vec<_>>())
            .field("dropped", &self.dropped())
            .finish()
    }
}

/// The stacks of a [`RawTrace`]; made by [`RawTrace::stacks`].
#[derive(Clone, Debug)]
pub struct Stacks<'a> {
    words: &'a [usize],
}

impl<'a> Iterator for Stacks<'a> {
    type Item = RawStack<'a>;

    fn next(&mut self) -> Option<RawStack<'a>> {
        let (&header, rest) = self.words.split_first()?;
        // A slot publishes whole stacks, so the length always fits; taking less is not worth a panic.
        let (addresses, rest) = rest.split_at(header::length(header).min(rest.len()));
        self.words = rest;
        let (addresses, left_out) = match addresses.split_last_chunk() {
            Some((addresses, &[after, frames])) if header & header::LEFT_OUT != 0 => {
                (addresses, Some(LeftOut { after: after.min(addresses.len()), frames }))
            }
            _ => (addresses, None),
        };
        Some(RawStack { header, addresses, left_out })
    }
}

/// One stack: return addresses from the leaf to the root.
///
/// The first address lies in the waker's vtable function, the last in the wrapper's poll, unless the stack
/// [is truncated](Self::is_truncated), [foreign](Self::is_foreign) or [blocked](Self::is_blocked).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawStack<'a> {
    header: usize,
    addresses: &'a [usize],
    left_out: Option<LeftOut>,
}

/// Frames in the middle of a stack that were walked, and are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LeftOut {
    /// How many addresses stand before them, from the leaf.
    pub after: usize,
    /// How many they are.
    pub frames: usize,
}

impl LeftOut {
    /// So many frames, after so many addresses from the leaf.
    #[must_use]
    pub const fn new(after: usize, frames: usize) -> Self {
        Self { after, frames }
    }
}

impl<'a> RawStack<'a> {
    /// The return addresses, leaf first.
    #[must_use]
    pub fn addresses(&self) -> impl DoubleEndedIterator<Item = ReturnAddress> + ExactSizeIterator + use<'a> {
        // Zero never gets here; were it to, an address that resolves to nothing is better than a panic.
        self.addresses
            .iter()
            .map(|&address| ReturnAddress::new(address).unwrap_or(const { ReturnAddress::new(1).unwrap() }))
    }

    /// The number of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether the walk recovered no address at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Whether the walk ended before the root: the stack was deeper than the walk may go, or unwind information
    /// was missing on the way. The leaf end is right; callers are missing at the root end. See [`is_too_deep`](Self::is_too_deep).
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.header & header::TRUNCATED != 0
    }

    /// Whether the waker was cloned on another thread than the polling one. The stack is that thread's, and goes
    /// up to where that thread started.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.header & header::FOREIGN != 0
    }

    /// Whether the task woke itself through its waker (a yield), instead of cloning it for a later wake.
    #[must_use]
    pub fn is_yield(&self) -> bool {
        self.header & header::YIELD != 0
    }

    /// Whether this is where a poll blocks its thread: nobody cloned a waker, the stack was read from outside while the thread
    /// waited in the kernel. It goes from the system call, in place of a vtable function, up to where the thread started,
    /// through the poll.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.header & header::BLOCKED != 0
    }

    /// Whether the stack was not walked, or not to its end, since too little was left of it. Then it is
    /// [truncated](Self::is_truncated) too. A later capture at the same place may need less.
    #[must_use]
    pub fn is_short_of_stack(&self) -> bool {
        self.header & header::SHORT_OF_STACK != 0
    }

    /// Whether the stack is so deep that the walk gave up before the root. Then it is [truncated](Self::is_truncated) too.
    #[must_use]
    pub fn is_too_deep(&self) -> bool {
        self.header & header::TOO_DEEP != 0
    }

    /// The frames in the middle that are left out, since the stack is deeper than what is recorded of one. Both ends are there.
    #[must_use]
    pub fn left_out(&self) -> Option<LeftOut> {
        self.left_out
    }

    /// All marks of this stack at once.
    #[must_use]
    pub fn flags(&self) -> StackFlags {
        StackFlags {
            truncated: self.is_truncated(),
            foreign: self.is_foreign(),
            is_yield: self.is_yield(),
            blocked: self.is_blocked(),
            short_of_stack: self.is_short_of_stack(),
            too_deep: self.is_too_deep(),
            left_out: self.left_out(),
        }
    }
}

impl fmt::Debug for RawStack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawStack")
            .field("flags", &self.flags())
            .field("addresses", &self.addresses().collect::<Vec<_>>())
            .finish()
    }
}

/// How a stack was recorded, and whether it is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StackFlags {
    /// See [`RawStack::is_truncated`].
    pub truncated: bool,
    /// See [`RawStack::is_foreign`].
    pub foreign: bool,
    /// See [`RawStack::is_yield`].
    pub is_yield: bool,
    /// See [`RawStack::is_blocked`].
    pub blocked: bool,
    /// See [`RawStack::is_short_of_stack`].
    pub short_of_stack: bool,
    /// See [`RawStack::is_too_deep`].
    pub too_deep: bool,
    /// See [`RawStack::left_out`].
    pub left_out: Option<LeftOut>,
}

impl StackFlags {
    /// The same flags, with or without [`truncated`](Self::truncated).
    #[must_use]
    pub const fn with_truncated(mut self, truncated: bool) -> Self {
        self.truncated = truncated;
        self
    }

    /// The same flags, with or without [`foreign`](Self::foreign).
    #[must_use]
    pub const fn with_foreign(mut self, foreign: bool) -> Self {
        self.foreign = foreign;
        self
    }

    /// The same flags, with or without [`is_yield`](Self::is_yield).
    #[must_use]
    pub const fn with_yield(mut self, is_yield: bool) -> Self {
        self.is_yield = is_yield;
        self
    }

    /// The same flags, with or without [`blocked`](Self::blocked).
    #[must_use]
    pub const fn with_blocked(mut self, blocked: bool) -> Self {
        self.blocked = blocked;
        self
    }

    /// The same flags, with or without [`short_of_stack`](Self::short_of_stack).
    #[must_use]
    pub const fn with_short_of_stack(mut self, short_of_stack: bool) -> Self {
        self.short_of_stack = short_of_stack;
        self
    }

    /// The same flags, with or without [`too_deep`](Self::too_deep).
    #[must_use]
    pub const fn with_too_deep(mut self, too_deep: bool) -> Self {
        self.too_deep = too_deep;
        self
    }

    /// The same flags, with frames that are [`left_out`](Self::left_out), or without.
    #[must_use]
    pub const fn with_left_out(mut self, left_out: Option<LeftOut>) -> Self {
        self.left_out = left_out;
        self
    }

    pub(crate) fn bits(self) -> usize {
        let mut bits = 0;
        if self.truncated {
            bits |= header::TRUNCATED;
        }
        if self.foreign {
            bits |= header::FOREIGN;
        }
        if self.is_yield {
            bits |= header::YIELD;
        }
        if self.blocked {
            bits |= header::BLOCKED;
        }
        if self.short_of_stack {
            bits |= header::SHORT_OF_STACK;
        }
        if self.too_deep {
            bits |= header::TOO_DEEP;
        }
        if self.left_out.is_some() {
            bits |= header::LEFT_OUT;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_plain_data<T: Send + Sync + Unpin + 'static>() {}

    #[test]
    fn a_raw_trace_is_plain_data() {
        assert_plain_data::<RawTrace>();
    }

    #[test]
    fn stacks_come_back_as_they_went_in() {
        let foreign = StackFlags { foreign: true, ..StackFlags::default() };
        let cut_yield =
            StackFlags { truncated: true, is_yield: true, blocked: true, ..StackFlags::default() };
        let trace = RawTrace::from_stacks([
            (vec![1, 2, 3], foreign),
            (vec![], cut_yield),
            (vec![9], StackFlags::default()),
        ]);
        let stacks: Vec<_> = trace.stacks().collect();
        assert_eq!(stacks.len(), 3);
        assert_eq!(stacks[0].addresses().map(ReturnAddress::get).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(stacks[0].flags(), foreign);
        assert!(stacks[1].is_empty() && stacks[1].is_truncated() && stacks[1].is_yield());
        assert!(stacks[1].is_blocked() && !stacks[0].is_blocked() && !stacks[2].is_blocked());
        assert_eq!(stacks[2].len(), 1);
        assert!(!trace.is_empty());
        assert_eq!(trace.dropped(), 0);
    }

    #[test]
    fn frames_that_are_left_out_are_no_addresses() {
        let deep = StackFlags { left_out: Some(LeftOut::new(2, 1_000)), ..StackFlags::default() };
        let cut = StackFlags { truncated: true, too_deep: true, ..StackFlags::default() };
        let trace = RawTrace::from_stacks([(vec![1, 2, 3], deep), (vec![4], cut)]);
        let stacks: Vec<_> = trace.stacks().collect();
        assert_eq!(stacks[0].addresses().map(ReturnAddress::get).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((stacks[0].flags(), stacks[1].flags()), (deep, cut));
        assert_eq!((stacks[0].len(), stacks[1].len()), (3, 1));
        // Words that promise what is not there.
        let damaged = RawTrace::from_words(Arc::from([0, header::new(1, header::LEFT_OUT), 7]));
        assert_eq!(damaged.stacks().next().map(|stack| (stack.len(), stack.left_out())), Some((1, None)));
    }

    #[test]
    fn a_trace_without_stacks_is_empty() {
        let trace = RawTrace::from_stacks(Vec::<(Vec<usize>, StackFlags)>::new());
        assert!(trace.is_empty());
        assert_eq!(trace.stacks().count(), 0);
    }

    #[test]
    fn a_trace_that_dropped_every_stack_is_not_empty() {
        let trace = RawTrace::from_words(Arc::from([3]));
        assert!(!trace.is_empty());
        assert_eq!(trace.dropped(), 3);
    }

    #[test]
    fn dropped_stacks_can_be_told_by_hand() {
        let trace = RawTrace::from_stacks([(vec![7], StackFlags::default())]);
        let told = trace.clone().with_dropped(3);
        assert_eq!((trace.dropped(), told.dropped()), (0, 3));
        assert!(trace.stacks().eq(told.stacks()));
    }

    #[test]
    fn a_header_that_promises_too_much_ends_the_trace() {
        let trace = RawTrace::from_words(Arc::from([0, header::new(5, 0), 7]));
        assert_eq!(trace.stacks().map(|stack| stack.len()).collect::<Vec<_>>(), [1]);
    }
}
