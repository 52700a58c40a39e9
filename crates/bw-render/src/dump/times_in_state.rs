//! For how long tasks have been in their state.

use std::time::Duration;

use bw_core::TaskStatus;

use crate::text::elapsed::span;
use crate::text::late_polls::LatePolls;

/// For how long tasks have been in their state, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimesInState {
    pub(crate) youngest: Option<Duration>,
    pub(crate) oldest: Option<Duration>,
    pub(crate) late_polls: LatePolls,
}

impl TimesInState {
    /// Of a task of a dump that took so long.
    pub(crate) fn of(status: &TaskStatus, took: Duration) -> Self {
        let late_polls = LatePolls::of(status, took);
        Self { youngest: status.in_state, oldest: status.in_state, late_polls }
    }

    /// Of tasks of such a dump.
    pub(crate) fn of_all<'a>(all: impl Iterator<Item = &'a TaskStatus>, took: Duration) -> Self {
        all.map(|status| Self::of(status, took)).fold(Self::default(), Self::and)
    }

    /// Returns the shortest and the longest, `0.3 s to 2 h 5 min`, where they are known.
    pub(crate) fn span(self) -> Option<String> {
        Some(span(self.youngest?, self.oldest?))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            youngest: [self.youngest, other.youngest].into_iter().flatten().min(),
            oldest: self.oldest.max(other.oldest),
            late_polls: self.late_polls.and(other.late_polls),
        }
    }
}
