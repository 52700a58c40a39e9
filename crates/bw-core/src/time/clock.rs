//! The coarse clock: what time it is, for one load.
//!
//! Reading a real clock takes 20 ns or more, several times what a traced poll may cost. So a thread of ours advances a
//! number (see [`timer`](crate::time::timer)), and a poll copies it. A tick tells when something happened to within
//! [`RESOLUTION`], or worse when that thread does not get a processor; it is never in the future.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::OnceLock;
use std::time::Instant;

use crate::time::shared_cache_line::SHARED_CACHE_LINE;

/// How long a tick is. Ten wakes a second of an idle process are a hundredth of a percent of a processor; and nobody asks
/// at 3 a.m. for how many milliseconds.
pub(crate) const RESOLUTION: Duration = Duration::from_millis(100);

/// A moment, in ticks since the clock began; 0 is no moment at all. Reaches for 13 years, and stands still then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

static BEGAN: OnceLock<Instant> = OnceLock::new();

/// What the clock shows. One relaxed load.
#[inline(always)]
pub(crate) fn now() -> Tick {
    // Ordering: Relaxed; a time orders nothing.
    Tick(SHARED_CACHE_LINE.tick.load(Ordering::Relaxed))
}

/// Makes the clock show the time, and tells when it has to be advanced next. Reads the real clock.
pub(crate) fn advance() -> Instant {
    let began = *BEGAN.get_or_init(Instant::now);
    let ticks = began.elapsed().as_millis() / RESOLUTION.as_millis();
    let ticks = u32::try_from(ticks).unwrap_or(u32::MAX - 1);
    // The first tick is 1.
    SHARED_CACHE_LINE.tick.store(ticks + 1, Ordering::Relaxed);
    began + RESOLUTION * (ticks + 1)
}

/// Makes the clock show nothing: nobody is there to advance it.
pub(crate) fn stop() {
    SHARED_CACHE_LINE.tick.store(0, Ordering::Relaxed);
}

impl Tick {
    pub(crate) const fn new(ticks: u32) -> Self {
        Self(ticks)
    }

    #[inline(always)]
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    /// How long before `now` it was: up to a tick too much. `None` for no moment.
    pub(crate) fn elapsed_at(self, now: Instant) -> Option<Duration> {
        let began = *BEGAN.get()?;
        let at = began + RESOLUTION * self.0.checked_sub(1)?;
        Some(now.saturating_duration_since(at))
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_moment_was_no_time_ago() {
        assert_eq!(Tick::default().elapsed_at(Instant::now()), None);
    }

    #[test]
    fn a_moment_is_at_most_a_tick_off() {
        let next = advance();
        let tick = now();
        // `next` is the end of the tick that `now` shows, or of a later one if another test advanced it meanwhile.
        assert!(tick.elapsed_at(next).unwrap() >= RESOLUTION);
        assert_eq!(tick.elapsed_at(next - RESOLUTION * 2), Some(Duration::ZERO), "no time is negative");
    }
}
