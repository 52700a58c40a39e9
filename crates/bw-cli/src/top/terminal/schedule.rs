//! When a process is asked again.

use std::time::{Duration, Instant};

/// Between two questions, also if somebody keeps a key pressed.
pub(crate) const AT_LEAST: Duration = Duration::from_millis(100);

/// When a process is asked again: an interval after it has answered, so that questions never overlap and a process that is
/// slow has time for its own work; at once if somebody says so; never while paused.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// `None`: only when somebody says so.
    interval: Option<Duration>,
    is_paused: bool,
    is_wanted: bool,
    answered: Option<Instant>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Ask,
    /// For so long; `None` is for ever.
    Wait(Option<Duration>),
}

impl Schedule {
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Self { interval, is_paused: false, is_wanted: true, answered: None }
    }

    pub(crate) fn interval(&mut self, interval: Duration) {
        self.interval = self.interval.map(|_| interval);
    }

    pub(crate) fn pause(&mut self, paused: bool) {
        self.is_paused = paused;
    }

    /// Somebody wants to see what is now.
    pub(crate) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// The process answered, or did not in time.
    pub(crate) fn answered(&mut self, now: Instant) {
        (self.is_wanted, self.answered) = (false, Some(now));
    }

    pub(crate) fn next(&self, now: Instant) -> Next {
        let Some(answered) = self.answered else { return Next::Ask };
        let pause = match (self.is_wanted, self.is_paused, self.interval) {
            (true, _, _) => AT_LEAST,
            (false, false, Some(interval)) => interval.max(AT_LEAST),
            (false, true, _) | (false, false, None) => return Next::Wait(None),
        };
        match pause.checked_sub(now.saturating_duration_since(answered)).filter(|left| !left.is_zero()) {
            Some(left) => Next::Wait(Some(left)),
            None => Next::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_an_interval_after_it_answered() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let wait = |millis| Next::Wait(Some(Duration::from_millis(millis)));
        let mut schedule = Schedule::new(Some(Duration::from_secs(2)));
        assert_eq!(schedule.next(begin), Next::Ask);
        // It took five seconds to answer.
        schedule.answered(at(5_000));
        assert_eq!(schedule.next(at(5_000)), wait(2_000));
        assert_eq!(schedule.next(at(6_999)), wait(1));
        assert_eq!(schedule.next(at(7_000)), Next::Ask);
        schedule.answered(at(7_100));
        schedule.interval(Duration::from_secs(5));
        assert_eq!(schedule.next(at(7_100)), wait(5_000));
        // A clock that goes back is no reason to ask.
        assert_eq!(schedule.next(begin), wait(5_000));
    }

    #[test]
    fn a_key_that_is_kept_pressed_asks_not_all_the_time() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut schedule = Schedule::new(Some(Duration::from_secs(2)));
        schedule.answered(begin);
        schedule.want();
        schedule.want();
        assert_eq!(schedule.next(at(40)), Next::Wait(Some(Duration::from_millis(60))));
        assert_eq!(schedule.next(at(100)), Next::Ask);
        schedule.answered(at(110));
        assert_eq!(schedule.next(at(200)), Next::Wait(Some(Duration::from_millis(1_910))));
    }

    #[test]
    fn while_paused_it_is_asked_only_when_somebody_says_so() {
        let begin = Instant::now();
        let later = begin + Duration::from_secs(3_600);
        let mut schedule = Schedule::new(Some(Duration::from_secs(2)));
        schedule.answered(begin);
        schedule.pause(true);
        assert_eq!(schedule.next(later), Next::Wait(None));
        schedule.want();
        assert_eq!(schedule.next(later), Next::Ask);
        schedule.answered(later);
        schedule.pause(false);
        assert_eq!(schedule.next(later), Next::Wait(Some(Duration::from_secs(2))));
        let mut of_file = Schedule::new(None);
        assert_eq!(of_file.next(begin), Next::Ask);
        of_file.answered(begin);
        of_file.interval(Duration::from_secs(1));
        assert_eq!(of_file.next(later), Next::Wait(None));
    }
}
