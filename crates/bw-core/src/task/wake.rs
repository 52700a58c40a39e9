//! Waking somebody without letting their panic through.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes through `waker`; a panic in its vtable ends here.
///
/// A traced poll wakes its requesters after the future returned: their panic must not take the future's output with
/// it, nor may the task's own executor bring down whoever asks.
pub(crate) fn wake_by_ref(waker: &Waker) {
    contain(|| waker.wake_by_ref());
}

/// Wakes through `waker` and drops it; a panic in its vtable ends here.
pub(crate) fn wake(waker: Waker) {
    contain(move || waker.wake());
}

/// Drops a waker, or what may hold one; a panic in its vtable ends here.
///
/// Also where nothing but the caller would be told of it: it may be unwinding already, and the process ends when a second
/// panic leaves a destructor then.
pub(crate) fn discard<T>(waker: T) {
    contain(move || drop(waker));
}

/// Clones a waker. `None` if its vtable panicked, which ends here: a future that is ready at once would never have cloned it.
pub(crate) fn clone(waker: &Waker) -> Option<Waker> {
    let mut clone = None;
    contain(|| clone = Some(waker.clone()));
    clone
}

fn contain(f: impl FnOnce()) {
    let mut outcome = catch_unwind(AssertUnwindSafe(f));
    // Dropping a payload runs code of whoever panicked, which may panic again, and so on.
    for _ in 0..4 {
        let Err(payload) = outcome else { return };
        outcome = catch_unwind(AssertUnwindSafe(move || drop(payload)));
    }
    std::mem::forget(outcome);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(PanicsAgain);
        }
    }

    struct PanicsAgain;

    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            panic!("a payload that panics when dropped");
        }
    }

    #[test]
    fn a_waker_that_panics_harms_nobody() {
        let waker = Waker::from(Arc::new(Panics));
        wake_by_ref(&waker);
        wake(waker);
        discard(None::<Waker>);
    }
}
