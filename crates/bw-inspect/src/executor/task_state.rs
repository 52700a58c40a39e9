//! The state word of a tokio task.

/// The state word at the beginning of a task of tokio. Its low bits are the same since tokio 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskWord(u64);

/// What a state word says that a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Activity {
    /// It returned `Pending`, and nothing has woken it since.
    Idle,
    /// It is in the queue of its executor: just spawned, or woken.
    Notified,
    /// A thread polls it, or drops it.
    Running,
    /// It has finished, and its output may wait to be taken.
    Complete,
}

const RUNNING: u64 = 1;
const COMPLETE: u64 = 1 << 1;
const NOTIFIED: u64 = 1 << 2;
const CANCELLED: u64 = 1 << 5;
/// One reference; bits below are flags.
const REFERENCE: u64 = 1 << 6;
/// References that no task has. What has more is no state word: when glibc frees a block, it writes an address over the first word, or, over that
/// of the last free block of a size, the block's own address without its last 12 bits.
const MOST_REFERENCES: u64 = 1 << 24;

impl TaskWord {
    /// Returns the word if a task that is alive can have it.
    #[must_use]
    pub(crate) fn of_living(word: u64) -> Option<Self> {
        let references = word / REFERENCE;
        let is_possible = word & (RUNNING | COMPLETE) != RUNNING | COMPLETE;
        (is_possible && (1..MOST_REFERENCES).contains(&references)).then_some(Self(word))
    }

    /// Returns what the task does.
    #[must_use]
    pub(crate) fn activity(self) -> Activity {
        match self.0 {
            word if word & COMPLETE != 0 => Activity::Complete,
            word if word & RUNNING != 0 => Activity::Running,
            word if word & NOTIFIED != 0 => Activity::Notified,
            _ => Activity::Idle,
        }
    }

    /// Returns how many references to the task there are.
    #[must_use]
    pub(crate) fn references(self) -> u64 {
        self.0 / REFERENCE
    }

    /// Whether the task was aborted. Its executor drops the future instead of polling it.
    #[must_use]
    pub(crate) fn is_aborted(self) -> bool {
        self.0 & CANCELLED != 0
    }

    /// Whether it is the word of a task that was just made, and that nobody has taken over.
    #[must_use]
    pub(crate) fn is_initial(self) -> bool {
        /// Somebody may join it.
        const JOIN_INTEREST: u64 = 1 << 3;

        self.0 == (3 * REFERENCE) | JOIN_INTEREST | NOTIFIED
    }

    /// Returns the word as a scheduler sets it before it polls the task: notified, and with a reference for the queue. A task that was
    /// aborted would be dropped instead of polled, so its word says nothing of that.
    #[must_use]
    pub(crate) fn scheduled(self) -> u64 {
        ((self.0 | NOTIFIED) & !CANCELLED).wrapping_add(REFERENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_state_is_notified_with_three_references() {
        let word = TaskWord::of_living((3 * REFERENCE) | 0b1100).unwrap();
        assert_eq!(word.activity(), Activity::Notified);
        assert!(word.is_initial());
    }

    #[test]
    fn words_that_no_living_task_has_are_refused() {
        // No reference: freed. Running and complete at once. Addresses, whole and as they stand in a free block.
        for word in
            [0, 0b111, REFERENCE | 0b11, 0x7f00_1234_5678_9ac0, 0x7_f001_2344, 0x5_5d00_1234, u64::MAX]
        {
            assert_eq!(TaskWord::of_living(word), None, "{word:#x}");
        }
    }

    #[test]
    fn an_idle_task_is_scheduled_without_a_reference_for_the_queue() {
        let idle = TaskWord::of_living((2 * REFERENCE) | CANCELLED).unwrap();
        assert_eq!(idle.activity(), Activity::Idle);
        assert_eq!(idle.scheduled(), (3 * REFERENCE) | NOTIFIED);
        assert_eq!(TaskWord::of_living(REFERENCE | RUNNING).unwrap().activity(), Activity::Running);
        assert_eq!(TaskWord::of_living(REFERENCE | COMPLETE).unwrap().activity(), Activity::Complete);
    }
}
