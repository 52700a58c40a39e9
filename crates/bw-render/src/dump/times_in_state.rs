//! For how long tasks have been in their state.

use std::time::Duration;

use bw_core::TaskStatus;

use crate::text::late_polls::LatePolls;

/// For how long tasks have been in their state, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimesInState {
    pub(crate) youngest: Option<Duration>,
    pub(crate) oldest: Option<Duration>,
    pub(crate) late_polls: LatePolls,
}

impl TimesInState {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            youngest: [self.youngest, other.youngest].into_iter().flatten().min(),
            oldest: self.oldest.max(other.oldest),
            late_polls: self.late_polls.and(other.late_polls),
        }
    }
}

impl From<&TaskStatus> for TimesInState {
    fn from(status: &TaskStatus) -> Self {
        Self { youngest: status.in_state, oldest: status.in_state, late_polls: LatePolls::of(status) }
    }
}

impl<'a> FromIterator<&'a TaskStatus> for TimesInState {
    fn from_iter<I: IntoIterator<Item = &'a TaskStatus>>(all: I) -> Self {
        all.into_iter().map(Self::from).fold(Self::default(), Self::and)
    }
}
