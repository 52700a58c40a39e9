//! The locks and atomics of everything that is model checked: `parking_lot` and the standard library's, or loom's
//! under `--cfg bw_loom`.

#[cfg(bw_loom)]
pub(crate) use self::modelled::*;
#[cfg(not(bw_loom))]
pub(crate) use self::real::*;

#[cfg(not(bw_loom))]
mod real {
    pub(crate) use core::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use parking_lot::{Condvar, Mutex};

    use std::time::Instant;

    /// Waits until notified or `deadline`; `None` waits without end. Spurious returns are allowed.
    pub(crate) fn wait<T>(
        condvar: &Condvar,
        guard: &mut parking_lot::MutexGuard<'_, T>,
        deadline: Option<Instant>,
    ) {
        match deadline {
            Some(deadline) => drop(condvar.wait_until(guard, deadline)),
            None => condvar.wait(guard),
        }
    }
}

#[cfg(bw_loom)]
mod modelled {
    pub(crate) use loom::sync::Condvar;
    pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    /// `parking_lot`'s interface over loom's lock: no poisoning.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// Models have no clock: deadlines are modelled by a thread that expires the request.
    pub(crate) fn wait<T>(_: &Condvar, _: &mut loom::sync::MutexGuard<'_, T>, _: Option<Instant>) {
        loom::thread::yield_now();
    }
}
