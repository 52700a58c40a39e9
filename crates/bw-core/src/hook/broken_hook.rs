//! A hook that is broken on purpose, compiled in with `--cfg bw_broken_hook` alone. `ci/lost_wakes` proves with it that tests find
//! a hook that loses wakes.

use std::sync::OnceLock;

/// How the hook is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A clone of the hook's waker wakes nobody.
    Clone,
    /// `wake_by_ref` is not forwarded to the executor's waker.
    WakeByRef,
}

static BROKEN: OnceLock<Option<Broken>> = OnceLock::new();

/// The value of the environment variable `BW_BROKEN_HOOK`: `clone`, `wake_by_ref`, or nothing at all. Read before the first traced
/// poll, since reading it allocates.
///
/// # Panics
///
/// If it says anything else: the check would prove nothing.
pub(crate) fn prepare() {
    BROKEN.get_or_init(|| match std::env::var("BW_BROKEN_HOOK").as_deref() {
        Ok("clone") => Some(Broken::Clone),
        Ok("wake_by_ref") => Some(Broken::WakeByRef),
        Ok("") | Err(_) => None,
        Ok(other) => panic!("BW_BROKEN_HOOK={other:?} is neither clone nor wake_by_ref"),
    });
}

/// Whether the hook is broken in that way.
pub(crate) fn is(broken: Broken) -> bool {
    BROKEN.get().copied().flatten() == Some(broken)
}
