//! Recovering return addresses: the contract. `backend` chooses the walk.
//!
//! A backend is a walk that runs inside the clone hook: no allocation, no lock of this process, no panic, no code of
//! anybody else. `fallback` says which locks the platforms themselves take. A backend pushes the return addresses of the frames from the
//! vtable function (whose stack pointer is [`Bounds::leaf`]) up to and with the frame that contains [`Bounds::root`]. Both ends are found by stack position, never
//! by comparing function addresses: inlining, tail calls and identical-code folding break that.
//!
//! | platform | walk | state |
//! |---|---|---|
//! | Linux, x86-64 | `rules`, and for a stack it cannot do, `fallback` | tested |
//! | Linux, AArch64 | the same | tested under emulation |
//! | every other | `fallback` | untested, except on Linux by `--cfg bw_portable` |
//! | Windows of 32 bits, ARM | none | every stack is empty and truncated |
//!
//! Models (`--cfg bw_loom`) take the fallback too: they must do the same in every execution, and a rule is evaluated only once.
//!
//! A backend for another platform goes beside `rules` and is chosen in `backend`.
//!
//! [`ThreadWalker`] walks the stack of another thread that waits in the kernel. It may allocate and take its time.

mod backend;
#[allow(unsafe_code)]
mod fallback;
#[allow(unsafe_code)]
mod frames;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    target_arch = "x86_64",
    not(any(bw_loom, bw_portable, miri)),
)))]
mod no_thread_walker;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(bw_loom, bw_portable, miri)),
))]
mod rules;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(bw_loom, bw_portable, miri)),
)))]
#[path = "no_rules.rs"]
mod rules;
#[allow(unsafe_code)]
pub(crate) mod stack_pointer;

pub use backend::Backend;
#[cfg(test)]
use backend::Walked;
pub(crate) use backend::{evaluate_postponed, prepare, walk};
pub(crate) use frames::Frames;
pub(crate) use rules::ThreadWalker;

/// The stretch of the stack to walk, as stack pointers. The stack grows downwards on every platform we know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The stack pointer of the function the trace begins with. Frames below it are the walker's own.
    pub(crate) leaf: usize,
    /// The stack pointer of the function the trace ends with, or `None` to walk as far as possible.
    pub(crate) root: Option<usize>,
    /// Where the stack of this thread starts, if the leaf and the root are known to be on it.
    pub(crate) stack_start: Option<usize>,
}

impl Bounds {
    /// Bytes of stack that a walk by kept rules may take below the leaf: [`Frames`], and the walk's own frames.
    const WALK: usize = if cfg!(debug_assertions) { 12 * 1024 } else { 6 * 1024 };
    /// Bytes that it may take where a rule has to be evaluated, or where the `backtrace` crate walks.
    const EVALUATION: usize = if cfg!(debug_assertions) { 40 * 1024 } else { 20 * 1024 };

    /// Whether enough of the stack is left for a walk by rules that are kept. To be asked before a [`Frames`] is made.
    pub(crate) fn has_room_to_walk(&self) -> bool {
        self.has_room(Self::WALK)
    }

    /// Whether enough is left to evaluate a rule, or for the `backtrace` crate.
    fn has_room_to_evaluate(&self) -> bool {
        self.has_room(Self::EVALUATION)
    }

    /// Whether so many bytes are left below the leaf, or nothing is known.
    fn has_room(&self, bytes: usize) -> bool {
        self.stack_start.is_none_or(|start| self.leaf.saturating_sub(start) >= bytes)
    }
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the root.
    Root,
    /// Before it: the stack's end, or unwind information that is missing.
    Lost,
    /// Before it: the stack is deeper than a walk goes.
    Full,
    /// Before it: the stack that is left does not suffice for the walk.
    ShortOfStack,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKENDS: [Backend; 2] = [Backend::Rules, Backend::Backtrace];

    /// Walks the same stack by each backend, from the caller of this function.
    #[inline(never)]
    fn both(leaf: usize, root: Option<usize>) -> [(Walked, Vec<usize>); 2] {
        BACKENDS.map(|backend| {
            prepare(backend);
            let mut frames = Frames::new();
            let walked = walk_below(backend, Bounds { leaf, root, stack_start: None }, &mut frames);
            let left_out = frames.finish(walked.end == End::Root);
            let mut kept = frames.as_slice().to_vec();
            if left_out {
                // How many frames are missing in the middle.
                kept = kept[kept.len() - 1..].to_vec();
            }
            (walked, kept)
        })
    }

    #[inline(never)]
    fn walk_below(backend: Backend, bounds: Bounds, frames: &mut Frames) -> Walked {
        core::hint::black_box(walk(backend, bounds, frames))
    }

    #[inline(never)]
    fn recurse(depth: usize, root: Option<usize>) -> [(Walked, Vec<usize>); 2] {
        let walks = if depth == 0 { both(stack_pointer::current(), root) } else { recurse(depth - 1, root) };
        core::hint::black_box(walks)
    }

    #[test]
    fn a_walk_costs_the_logical_depth_and_not_the_runtimes() {
        let root = Some(stack_pointer::current());
        let (shallow, deep) = (recurse(0, root), recurse(10, root));
        for ((walked, shallow), (deep_walked, deep)) in shallow.iter().zip(&deep) {
            assert_eq!((walked.end, deep_walked.end), (End::Root, End::Root));
            // `recurse` and this function, into which it may not be inlined.
            assert_eq!(shallow.len(), 2);
            assert_eq!(deep.len(), 12);
        }
    }

    #[test]
    fn both_backends_give_the_same_addresses() {
        let root = Some(stack_pointer::current());
        let [(rules, by_rules), (_, by_backtrace)] = recurse(20, root);
        assert_eq!(by_rules, by_backtrace);
        assert_eq!(rules.fell_back, !rules::AVAILABLE);
        let [(again, _), _] = recurse(20, root);
        assert!(
            again.misses <= 2,
            "rules are kept: only the call sites of this test are new, {}",
            again.misses
        );
    }

    #[test]
    fn a_walk_without_a_root_ends_at_the_end_of_the_stack() {
        for (walked, frames) in recurse(3, None) {
            assert_eq!(walked.end, End::Lost);
            assert!(frames.len() > 5);
        }
    }

    #[test]
    fn a_walk_that_runs_out_of_room_keeps_both_ends_and_says_so() {
        let depth = Frames::CAPACITY + 10;
        for (walked, left_out) in recurse(depth, Some(stack_pointer::current())) {
            assert_eq!(walked.end, End::Root);
            // `recurse` is there once more than it recurs, and so is this function.
            assert_eq!(left_out, [depth + 2 - Frames::HEAD - Frames::TAIL]);
        }
    }

    #[test]
    fn a_walk_that_does_not_come_to_an_end_gives_up() {
        // Deeper than either backend goes. In a thread that has room for it.
        let thread = std::thread::Builder::new().stack_size(64 << 20);
        let depth = Frames::CAPACITY + Frames::MOST_BEYOND + 10;
        let walks = thread.spawn(move || recurse(depth, Some(stack_pointer::current())));
        for (walked, frames) in walks.unwrap().join().unwrap() {
            assert_eq!(walked.end, End::Full);
            assert_eq!(frames.len(), Frames::HEAD);
        }
    }
}
