//! States of tasks, as the view tells them apart.

use bw_core::TaskState;
use ratatui::style::{Color, Modifier, Style};

/// A state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
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
    pub(crate) const ALL: [Self; 8] = [
        Self::Suspended,
        Self::Polling,
        Self::Woken,
        Self::NeverPolled,
        Self::Panicked,
        Self::Dropped,
        Self::Finished,
        Self::Other,
    ];

    pub(crate) fn of(state: &TaskState) -> Self {
        match state {
            TaskState::Polling(_) => Self::Polling,
            TaskState::Woken => Self::Woken,
            TaskState::Suspended => Self::Suspended,
            TaskState::NeverPolled => Self::NeverPolled,
            TaskState::Finished => Self::Finished,
            TaskState::Dropped => Self::Dropped,
            TaskState::Panicked => Self::Panicked,
            _ => Self::Other,
        }
    }

    /// At most twelve columns.
    pub(crate) fn words(self) -> &'static str {
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

    pub(crate) fn style(self) -> Style {
        match self {
            Self::Polling => Style::new().fg(Color::Green),
            Self::Woken => Style::new().fg(Color::Yellow),
            Self::Suspended | Self::Other => Style::new(),
            Self::NeverPolled => Style::new().fg(Color::Blue),
            Self::Finished => Style::new().add_modifier(Modifier::DIM),
            Self::Dropped => Style::new().fg(Color::Magenta),
            Self::Panicked => Style::new().fg(Color::Red),
        }
    }
}
