//! The settings of the stall trigger.

use std::time::Duration;

use backtrace_waker::TaskFilter;

/// Reports tasks that are stuck: suspended, woken without being polled, or in one poll, for longer than a threshold; for
/// [`AgentBuilder::watch_stalls`](crate::AgentBuilder::watch_stalls).
///
/// A task that is stuck is reported at the threshold, when it has been stuck for twice as long, four times, and so on; from
/// [`longest_backoff`](Self::longest_backoff) on as often as that. Tasks that were spawned at one place, under names that
/// differ in numbers at most, are one group: it is reported once for all of them, and sooner again when twice as many are stuck.
///
/// Who holds a thread, in one poll for too long, may be why others wait. So such tasks come first, and are reported at the next look:
/// neither the time between reports nor the number of groups in one has them wait for those that do nothing.
///
/// Many tasks are meant to wait: who accepts connections, or runs once an hour.
/// [`meant_to_wait`](Self::meant_to_wait) leaves them out by name. Tasks that nobody has polled yet are not reported: they may not
/// have been spawned.
///
/// ```
/// use std::time::Duration;
///
/// use bw_agent::StallWatch;
///
/// # let _ =
/// bw_agent::builder().watch_stalls(StallWatch::new(Duration::from_secs(30)).meant_to_wait("accept").meant_to_wait("idle"))
/// # ;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StallWatch {
    pub(crate) threshold: Duration,
    pub(crate) period: Option<Duration>,
    pub(crate) every: Duration,
    pub(crate) longest_backoff: Duration,
    pub(crate) only: TaskFilter,
    pub(crate) meant_to_wait: Vec<String>,
}

impl StallWatch {
    /// The shortest time between two reports unless told: 10 s.
    pub const EVERY: Duration = Duration::from_secs(10);
    /// The longest time between two reports of a group that stays stuck unless told: 10 min.
    pub const LONGEST_BACKOFF: Duration = Duration::from_secs(600);
    /// The shortest threshold; the clock of tasks advances every tenth of a second.
    pub const SHORTEST: Duration = Duration::from_millis(200);

    /// Reports what is stuck for so long, and [`SHORTEST`](Self::SHORTEST) at least.
    pub fn new(threshold: Duration) -> Self {
        Self {
            threshold: threshold.max(Self::SHORTEST),
            period: None,
            every: Self::EVERY,
            longest_backoff: Self::LONGEST_BACKOFF,
            only: TaskFilter::new(),
            meant_to_wait: Vec::new(),
        }
    }

    /// For how long a task is in one state before it counts as stuck.
    #[must_use]
    pub fn threshold(&self) -> Duration {
        self.threshold
    }

    /// Looks that often, between ten times a second and once an hour. Unless told, every quarter of the threshold, and not more
    /// often than twice a second nor less often than every ten seconds.
    pub fn look_every(mut self, period: Duration) -> Self {
        self.period = Some(period.clamp(Self::SHORTEST / 2, Duration::from_secs(3_600)));
        self
    }

    /// Gives no more than one report in that time. What is stuck meanwhile is in the next one, unless it holds a thread: that is
    /// reported at once, and again as its backoff says.
    pub fn at_most_every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// Reports a group that stays stuck as often as that in the end.
    pub fn longest_backoff(mut self, time: Duration) -> Self {
        self.longest_backoff = time;
        self
    }

    /// Watches only the tasks that pass.
    pub fn only(mut self, filter: TaskFilter) -> Self {
        self.only = filter;
        self
    }

    /// Does not watch tasks whose name has this in it. Said again, nor those with that.
    pub fn meant_to_wait(mut self, part_of_name: impl Into<String>) -> Self {
        self.meant_to_wait.push(part_of_name.into());
        self
    }

    pub(crate) fn period(&self) -> Duration {
        let quarter = (self.threshold / 4).clamp(Duration::from_millis(500), Duration::from_secs(10));
        self.period.unwrap_or(quarter.min(self.threshold))
    }
}

impl From<Duration> for StallWatch {
    fn from(threshold: Duration) -> Self {
        Self::new(threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_every_quarter_of_the_threshold() {
        let period = |millis| StallWatch::new(Duration::from_millis(millis)).period().as_millis();
        assert_eq!([1_000, 5_000, 30_000, 600_000].map(period), [500, 1_250, 7_500, 10_000]);
        assert_eq!(period(200), 200, "not less often than the threshold");
    }
}
