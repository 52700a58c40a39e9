//! In place of looking at threads that wait, where that is not possible: nothing tells where their frames are, or, on AArch64, what
//! the leaf has in its link register.

/// Looks at no thread.
pub(crate) struct ThreadWalker;

impl ThreadWalker {
    pub(crate) fn new() -> Option<Self> {
        None
    }

    pub(crate) fn walk(&mut self, _thread: u64) -> Option<Vec<usize>> {
        None
    }
}
