//! The state word of a task of the crate `async-task`.

use super::task_state::Activity;

/// The state word of a task of `async-task`. Its bits are the same since 4.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsyncTaskWord(u64);

const SCHEDULED: u64 = 1;
const RUNNING: u64 = 1 << 1;
const COMPLETED: u64 = 1 << 2;
const CLOSED: u64 = 1 << 3;
/// Somebody has the handle, which is no reference.
const TASK: u64 = 1 << 4;
/// One reference; bits below are flags.
const REFERENCE: u64 = 1 << 8;
/// References that no task has. What has more is no state word.
const MOST_REFERENCES: u64 = 1 << 24;

impl AsyncTaskWord {
    /// Returns the word if a task that is alive can have it.
    #[must_use]
    pub(crate) fn of_living(word: u64) -> Option<Self> {
        let references = word / REFERENCE;
        let is_possible = word & (RUNNING | COMPLETED) != RUNNING | COMPLETED;
        let is_owned = references > 0 || word & TASK != 0;
        (is_possible && is_owned && references < MOST_REFERENCES).then_some(Self(word))
    }

    /// Returns what the task does.
    #[must_use]
    pub(crate) fn activity(self) -> Activity {
        match self.0 {
            word if word & RUNNING != 0 => Activity::Running,
            // Of one that is closed, the future is dropped.
            word if word & (COMPLETED | CLOSED) != 0 => Activity::Complete,
            word if word & SCHEDULED != 0 => Activity::Notified,
            _ => Activity::Idle,
        }
    }

    /// Returns how many references to the task there are, besides its handle.
    #[must_use]
    pub(crate) fn references(self) -> u64 {
        self.0 / REFERENCE
    }

    /// Whether it is the word of a task that was just made.
    #[must_use]
    pub(crate) fn is_initial(self) -> bool {
        self.0 == SCHEDULED | TASK | REFERENCE
    }

    /// Returns the word as a wake sets it before the task is run: scheduled, and with a reference for the queue.
    #[must_use]
    pub(crate) fn scheduled(self) -> u64 {
        (self.0 | SCHEDULED).wrapping_add(REFERENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_no_living_task_has_are_refused() {
        // Nobody owns it. Running and complete at once. An address.
        for word in [0, SCHEDULED, REFERENCE | RUNNING | COMPLETED, 0x7f00_1234_5678, u64::MAX] {
            assert_eq!(AsyncTaskWord::of_living(word), None, "{word:#x}");
        }
    }

    #[test]
    fn a_task_does_something_else_than_its_bits_say() {
        let activity = |word| AsyncTaskWord::of_living(word).unwrap().activity();
        assert_eq!(activity(TASK), Activity::Idle);
        assert_eq!(activity(REFERENCE | SCHEDULED), Activity::Notified);
        assert_eq!(activity(REFERENCE | SCHEDULED | RUNNING), Activity::Running);
        assert_eq!(activity(TASK | COMPLETED), Activity::Complete);
        assert_eq!(activity(REFERENCE | CLOSED | SCHEDULED), Activity::Complete);
        assert_eq!(AsyncTaskWord::of_living(TASK).unwrap().scheduled(), TASK | SCHEDULED | REFERENCE);
    }
}
