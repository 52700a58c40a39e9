//! What a task is called.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

/// A name that is cheap to hand on: a constant, or shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)] // Read from outside, too: see `TaskLayout::name`.
pub(crate) enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Name {
    /// Allocates if the name is not a constant.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>) -> Self {
        match name.into() {
            Cow::Borrowed(name) => Self::Static(name),
            Cow::Owned(name) => Self::Shared(name.into()),
        }
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}
