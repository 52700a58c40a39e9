//! Which walk captures take.

use core::sync::atomic::{AtomicU8, Ordering};

/// How stacks are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// By rules from the unwind tables, evaluated once for each address and kept: about 10 ns a frame.
    ///
    /// On Linux, x86-64 and AArch64. A stack that cannot be walked so is walked by the other backend, and
    /// [counted](crate::Counters::fallbacks).
    Rules,
    /// By the `backtrace` crate, which asks the platform's unwinder: 300 to 600 ns a frame. Works everywhere.
    Backtrace,
}

impl Backend {
    /// The one captures take unless told otherwise: [`Rules`](Self::Rules) where it is to be had.
    pub const DEFAULT: Self = if super::rules::AVAILABLE { Self::Rules } else { Self::Backtrace };

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
