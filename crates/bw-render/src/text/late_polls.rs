//! Tasks that only a request polled.

use std::fmt;
use std::time::Duration;

use bw_core::TaskStatus;

use crate::text::count::Count;
use crate::text::elapsed::Elapsed;

/// How long ago requests polled tasks that no other poll had reached for a second or longer; see [`TaskStatus::polled_late`].
///
/// Prints the clause to put after how long those tasks have been suspended: ` until this dump polled it`. Prints nothing for none.
#[derive(Clone, Copy, Debug, Default)]
pub struct LatePolls {
    tasks: usize,
    late: usize,
    /// The shortest and the longest time ago, of those that were polled late.
    times: Option<(Duration, Duration)>,
}

impl LatePolls {
    /// Of one task.
    #[must_use]
    pub fn of(status: &TaskStatus) -> Self {
        let time = status.polled_late();
        Self { tasks: 1, late: usize::from(time.is_some()), times: time.map(|time| (time, time)) }
    }

    /// Of those and these together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let times = match (self.times, other.times) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        Self { tasks: self.tasks + other.tasks, late: self.late + other.late, times }
    }

    /// Whether a request polled any of them late.
    #[must_use]
    pub fn any(self) -> bool {
        self.times.is_some()
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

impl fmt::Display for LatePolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((shortest, longest)) = self.times else { return Ok(()) };
        let them = match self.late {
            1 if self.tasks == 1 => "it".to_owned(),
            all if all == self.tasks => "them".to_owned(),
            late => format!("{} of them", Count(late)),
        };
        if shortest.is_zero() {
            return write!(f, " until this dump polled {them}");
        }
        let (shortest, longest) = (Elapsed(shortest).to_string(), Elapsed(longest).to_string());
        if shortest == longest {
            write!(f, "; a request polled {them} {longest} ago")
        } else {
            write!(f, "; requests polled {them} {shortest} to {longest} ago")
        }
    }
}

#[cfg(test)]
mod tests {
    use bw_core::TaskState;

    use super::*;

    fn polled(in_state: f64, since_request: Option<f64>) -> LatePolls {
        let mut status = TaskStatus::new(TaskState::Suspended);
        status.in_state = Some(Duration::from_secs_f64(in_state));
        status.since_request = since_request.map(Duration::from_secs_f64);
        LatePolls::of(&status)
    }

    #[test]
    fn an_age_says_that_the_dumps_own_poll_ended_it() {
        assert_eq!(polled(3.7, Some(0.0)).to_string(), " until this dump polled it");
        assert_eq!(
            polled(3.7, Some(0.0)).and(polled(9.0, None)).to_string(),
            " until this dump polled 1 of them"
        );
        let both = polled(3.7, Some(0.0)).and(polled(9.0, Some(0.0)));
        assert_eq!(both.to_string(), " until this dump polled them");
        assert_eq!(polled(5.7, Some(2.0)).to_string(), "; a request polled it 2.0 s ago");
        let two = polled(5.7, Some(2.0)).and(polled(9.0, Some(4.0)));
        assert_eq!(two.to_string(), "; requests polled them 2.0 s to 4.0 s ago");
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
            assert_eq!((polled.to_string().as_str(), polled.any()), ("", false));
        }
    }
}
