//! What a forked child must not keep: copies of our ends of sockets. Nobody answers on them there, and whoever connects while the
//! child lives and the parent does not would wait for an answer.
//!
//! The handler runs between `fork` and its return in a process that had other threads, so it may do nothing but what a signal
//! handler may: it reads atomics, and closes. Between the accepting of a connection and its entry here lie a few instructions in
//! which a fork goes unnoticed.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

const NONE: i32 = -1;

/// A list that only grows, so that it can be read whatever the other threads were doing when the process was forked.
struct Block {
    descriptors: [AtomicI32; 64],
    next: OnceLock<Box<Block>>,
}

static FIRST: Block = Block::new();

impl Block {
    const fn new() -> Self {
        Self { descriptors: [const { AtomicI32::new(NONE) }; 64], next: OnceLock::new() }
    }
}

/// As long as this is there, children that are forked close the descriptor. Dropped before the descriptor is closed here.
#[derive(Debug)]
pub(crate) struct NotInChildren(&'static AtomicI32);

impl NotInChildren {
    /// Allocates when more descriptors are entered than ever before.
    pub(crate) fn new(descriptor: BorrowedFd<'_>) -> Self {
        static IS_ARMED: OnceLock<bool> = OnceLock::new();
        // Without the handler nothing is lost but what it is for.
        IS_ARMED.get_or_init(|| super::in_forked_children(close_all));
        let descriptor = descriptor.as_raw_fd();
        let mut block = &FIRST;
        loop {
            for place in &block.descriptors {
                // Ordering: Release, so that who reads the number in a child finds it open; Relaxed where nothing is taken.
                if place.compare_exchange(NONE, descriptor, Ordering::Release, Ordering::Relaxed).is_ok() {
                    return Self(place);
                }
            }
            block = block.next.get_or_init(|| Box::new(Block::new()));
        }
    }
}

impl Drop for NotInChildren {
    fn drop(&mut self) {
        // Ordering: Release; the descriptor is closed after this.
        self.0.store(NONE, Ordering::Release);
    }
}

extern "C" fn close_all() {
    let mut block = Some(&FIRST);
    while let Some(here) = block {
        for place in &here.descriptors {
            // Ordering: Acquire; see `new`.
            let descriptor = place.swap(NONE, Ordering::Acquire);
            if descriptor != NONE {
                super::close_in_child(descriptor);
            }
        }
        block = here.next.get().map(|next| &**next);
    }
}
