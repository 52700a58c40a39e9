//! States of tasks, as the view tells them apart.

/// A state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Polling,
    Woken,
    Suspended,
    NeverPolled,
    Finished,
    Dropped,
    Panicked,
    /// One that a later version of the capture knows.
    Other,
}

impl State {
    /// In the order in which they are counted in the header, and in which a filter goes through them.
    pub(super) const ALL: [Self; 8] = [
        Self::Suspended,
        Self::Polling,
        Self::Woken,
        Self::NeverPolled,
        Self::Panicked,
        Self::Dropped,
        Self::Finished,
        Self::Other,
    ];

    /// That of a stable name, see `TaskState::name`.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "polling" => Self::Polling,
            "woken" => Self::Woken,
            "suspended" => Self::Suspended,
            "never_polled" => Self::NeverPolled,
            "finished" => Self::Finished,
            "dropped" => Self::Dropped,
            "panicked" => Self::Panicked,
            _ => Self::Other,
        }
    }

    /// At most twelve columns.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Polling => "being polled",
            Self::Woken => "woken",
            Self::Suspended => "suspended",
            Self::NeverPolled => "never polled",
            Self::Finished => "finished",
            Self::Dropped => "dropped",
            Self::Panicked => "panicked",
            Self::Other => "other",
        }
    }
}
