//! Which walk captures take.

use core::sync::atomic::{AtomicU8, Ordering};

use super::{Bounds, End, Frames, fallback, rules};

/// How stacks are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// By rules from the unwind tables, evaluated once for each address and kept: about 10 ns a frame.
    ///
    /// On Linux, x86-64 and AArch64. A stack that cannot be walked so is walked by the other backend, and
    /// [counted](crate::Counters::fallbacks).
    Rules,
    /// By the `backtrace` crate, which asks the platform's unwinder: 100 to 600 ns a frame. Works everywhere but on Windows of 32 bits,
    /// where no walk is possible without a lock, and every stack is recorded without addresses.
    Backtrace,
}

impl Backend {
    /// The one captures take unless told otherwise: [`Rules`](Self::Rules) where it is to be had.
    pub const DEFAULT: Self = if rules::AVAILABLE { Self::Rules } else { Self::Backtrace };

    /// The one captures take.
    #[must_use]
    pub fn current() -> Self {
        // Ordering: Relaxed; a choice refers to nothing else.
        if CHOICE.load(Ordering::Relaxed) == Self::Rules as u8 { Self::Rules } else { Self::Backtrace }
    }

    /// Makes captures take this one, in the whole process, from the next traced poll on.
    ///
    /// For diagnosis: when a trace looks wrong, take the other. Where [`Rules`](Self::Rules) is not to be had it means
    /// that every stack falls back, and is counted.
    pub fn select(self) {
        // Ordering: Relaxed; see `current`.
        CHOICE.store(self as u8, Ordering::Relaxed);
    }
}

static CHOICE: AtomicU8 = AtomicU8::new(Backend::DEFAULT as u8);

/// How a walk went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked {
    pub(crate) end: End,
    /// The preferred backend could not do this stack.
    pub(crate) fell_back: bool,
    /// How many rules had to be evaluated.
    pub(crate) misses: usize,
}

/// Gets ready for walks on this thread. Outside the hook, before each traced poll: may lock, and the first time
/// allocate.
pub(crate) fn prepare(backend: Backend) {
    if backend == Backend::Rules {
        rules::prepare();
    }
}

/// Evaluates the rules that walks had no room for. Called by the timer's thread at each tick; a few loads where there are none.
pub(crate) fn evaluate_postponed() {
    rules::evaluate_postponed();
}

/// Recovers the return addresses between the bounds, leaf first.
#[inline(always)]
pub(crate) fn walk(backend: Backend, bounds: Bounds, frames: &mut Frames) -> Walked {
    let mut misses = 0;
    let fell_back = backend == Backend::Rules;
    let has_room = bounds.has_room_to_evaluate();
    // Rules are followed only where both ends of the stretch are known: that is what makes reading the stack safe.
    if fell_back
        && let Some(root) = bounds.root
        && let Some(end) = rules::walk(bounds, root, has_room, frames, &mut misses)
    {
        return Walked { end, fell_back: false, misses };
    }
    frames.clear();
    if !has_room {
        return Walked { end: End::ShortOfStack, fell_back: false, misses };
    }
    Walked { end: fallback::walk(bounds, frames), fell_back, misses }
}
