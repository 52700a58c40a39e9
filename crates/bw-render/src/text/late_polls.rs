//! Tasks that only a request polled.

use std::fmt;
use std::time::Duration;

use bw_core::TaskStatus;

use crate::text::count::Count;
use crate::text::elapsed::span;

/// Which tasks no poll had reached for a second or longer when a request polled them; see [`TaskStatus::polled_late`].
///
/// Returns the words for it: what such a task waits for now may be something else than what it waited for before.
#[derive(Clone, Copy, Debug, Default)]
pub struct LatePolls {
    tasks: usize,
    late: usize,
    /// How long those that were polled late had been suspended, and how long ago they were polled: the shortest and the longest.
    times: Option<[(Duration, Duration); 2]>,
    /// Whether the dump itself polled some of them.
    by_dump: bool,
}

impl LatePolls {
    /// Of one task of a dump that took so long.
    #[must_use]
    pub fn of(status: &TaskStatus, took: Duration) -> Self {
        let Some(ago) = status.polled_late() else { return Self { tasks: 1, ..Self::default() } };
        let before = status.in_state.unwrap_or_default().saturating_sub(ago);
        Self { tasks: 1, late: 1, times: Some([(before, before), (ago, ago)]), by_dump: ago <= took }
    }

    /// Of those and these together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |a: (Duration, Duration), b: (Duration, Duration)| (a.0.min(b.0), a.1.max(b.1));
        let times = match (self.times, other.times) {
            (Some(a), Some(b)) => Some([both(a[0], b[0]), both(a[1], b[1])]),
            (a, b) => a.or(b),
        };
        Self {
            tasks: self.tasks + other.tasks,
            late: self.late + other.late,
            times,
            by_dump: self.by_dump || other.by_dump,
        }
    }

    /// Whether a request polled any of them late.
    #[must_use]
    pub fn any(self) -> bool {
        self.late > 0
    }

    /// Returns for how long tasks have been suspended, if that is `times`: `for 3.7 s until this dump polled it`. Allocates.
    #[must_use]
    pub fn suspended(self, times: impl fmt::Display) -> String {
        let Some([before, ago]) = self.times else { return format!("for {times}") };
        let who = if self.by_dump { "this dump" } else { "a request" };
        let them = if self.late == 1 { "it" } else { "them" };
        let ago = if self.by_dump { String::new() } else { format!(", {} ago", span(ago.0, ago.1)) };
        if self.late == self.tasks {
            format!("for {} until {who} polled {them}{ago}", span(before.0, before.1))
        } else {
            format!("for {times}, {} of them until {who} polled {them}{ago}", Count(self.late))
        }
    }

    /// Returns the clause to put after how tasks ended that had been suspended for `times`: ` when this dump polled it, 3.7 s after its
    /// last poll`. Returns nothing if no request polled any of them late. Allocates.
    #[must_use]
    pub fn ended(self, times: impl fmt::Display) -> String {
        match (self.times, self.tasks) {
            (None, _) => String::new(),
            (Some(_), 1) => format!(" when this dump polled it, {times} after its last poll"),
            (Some(_), _) => format!(" when this dump polled them, {times} after their last polls"),
        }
    }
}

#[cfg(test)]
mod tests {
    use bw_core::TaskState;

    use super::*;

    /// Of a dump that took 2.5 s.
    fn polled(in_state: f64, since_request: Option<f64>) -> LatePolls {
        let mut status = TaskStatus::new(TaskState::Suspended);
        status.in_state = Some(Duration::from_secs_f64(in_state));
        status.since_request = since_request.map(Duration::from_secs_f64);
        LatePolls::of(&status, Duration::from_millis(2_500))
    }

    #[test]
    fn an_age_says_that_the_dumps_own_poll_ended_it() {
        assert_eq!(polled(3.7, Some(0.0)).suspended("3.7 s"), "for 3.7 s until this dump polled it");
        // The dump went on for 2 s, and all ages are as of its end.
        assert_eq!(polled(6.0, Some(2.0)).suspended("6.0 s"), "for 4.0 s until this dump polled it");
        let both = polled(3.7, Some(0.0)).and(polled(9.0, Some(0.0)));
        assert_eq!(both.suspended("3.7 s to 9.0 s"), "for 3.7 s to 9.0 s until this dump polled them");
        let one_of_two = polled(3.7, Some(0.0)).and(polled(9.0, None));
        assert_eq!(
            one_of_two.suspended("3.7 s to 9.0 s"),
            "for 3.7 s to 9.0 s, 1 of them until this dump polled it"
        );
    }

    #[test]
    fn an_age_that_an_earlier_request_ended_is_not_counted_on() {
        assert_eq!(
            polled(10.6, Some(6.6)).suspended("10.6 s"),
            "for 4.0 s until a request polled it, 6.6 s ago"
        );
        let two = polled(5.7, Some(3.0)).and(polled(9.0, Some(4.0)));
        assert_eq!(two.suspended("…"), "for 2.7 s to 5.0 s until a request polled them, 3.0 s to 4.0 s ago");
    }

    #[test]
    fn the_end_of_a_task_says_that_the_dumps_own_poll_brought_it() {
        let one = polled(3.7, Some(0.0));
        assert_eq!(one.ended("3.7 s"), " when this dump polled it, 3.7 s after its last poll");
        let two = one.and(polled(9.0, Some(0.0)));
        assert_eq!(
            two.ended("3.7 s to 9.0 s"),
            " when this dump polled them, 3.7 s to 9.0 s after their last polls"
        );
        assert_eq!(polled(0.5, Some(0.0)).ended("0.5 s"), "");
    }

    #[test]
    fn a_task_that_was_polled_within_a_second_needs_no_words() {
        for polled in [polled(0.9, Some(0.0)), polled(3.7, None), polled(3.7, Some(3.0))] {
            assert_eq!((polled.suspended("3.7 s").as_str(), polled.any()), ("for 3.7 s", false));
        }
    }
}
