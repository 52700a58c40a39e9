//! Recovering return addresses: the contract, and the choice of the backend.
//!
//! A backend is a function `walk(Bounds, &mut Frames) -> End` that runs inside the clone hook: no allocation, no
//! lock it can avoid, no panic, no code of anybody else. It pushes the return addresses of the frames from the
//! vtable function (whose stack pointer is [`Bounds::leaf`]) up to and with the frame that contains
//! [`Bounds::root`]. Both ends are found by stack position, never by comparing function addresses: inlining, tail
//! calls and identical-code folding break that.
//!
//! One backend exists: the `backtrace` crate's walk, on every platform. Another goes into a file beside
//! `fallback.rs` and is chosen in [`walk`], the only caller.

#[allow(unsafe_code)]
mod fallback;
#[allow(unsafe_code)]
mod frames;

pub(crate) use frames::Frames;

/// The stretch of the stack to walk, as stack pointers. The stack grows downwards on every platform we know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The stack pointer of the function the trace begins with. Frames below it are the walker's own.
    pub(crate) leaf: usize,
    /// The stack pointer of the function the trace ends with, or `None` to walk as far as possible.
    pub(crate) root: Option<usize>,
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the root.
    Root,
    /// Before it: the stack's end, or unwind information that is missing.
    Lost,
    /// Before it: no more room.
    Full,
}

/// Recovers the return addresses between the bounds, leaf first.
pub(crate) fn walk(bounds: Bounds, frames: &mut Frames) -> End {
    fallback::walk(bounds, frames)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack;

    #[inline(never)]
    fn leaf(root: Option<usize>, frames: &mut Frames) -> End {
        core::hint::black_box(walk(Bounds { leaf: stack::pointer(), root }, frames))
    }

    #[inline(never)]
    fn recurse(depth: usize, root: Option<usize>, frames: &mut Frames) -> End {
        let end = if depth == 0 { leaf(root, frames) } else { recurse(depth - 1, root, frames) };
        core::hint::black_box(end)
    }

    #[test]
    fn a_walk_costs_the_logical_depth_and_not_the_runtimes() {
        let (mut shallow, mut deep) = (Frames::new(), Frames::new());
        let root = Some(stack::pointer());
        assert_eq!(recurse(0, root, &mut shallow), End::Root);
        assert_eq!(recurse(10, root, &mut deep), End::Root);
        assert_eq!(deep.as_slice().len(), shallow.as_slice().len() + 10);
        // leaf, recurse, and this function.
        assert!(shallow.as_slice().len() <= 3, "{}", shallow.as_slice().len());
        assert_eq!(
            shallow.as_slice().last(),
            deep.as_slice().last().map(|_| shallow.as_slice().last().unwrap())
        );
    }

    #[test]
    fn a_walk_without_a_root_ends_at_the_end_of_the_stack() {
        let mut frames = Frames::new();
        assert_eq!(recurse(3, None, &mut frames), End::Lost);
        assert!(frames.as_slice().len() > 5);
    }

    #[test]
    fn a_walk_that_runs_out_of_room_says_so() {
        let mut frames = Frames::new();
        let root = Some(stack::pointer());
        assert_eq!(recurse(Frames::CAPACITY + 10, root, &mut frames), End::Full);
        assert_eq!(frames.as_slice().len(), Frames::CAPACITY);
    }
}
