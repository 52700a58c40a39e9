//! The columns of the lists.

use std::time::Duration;

use bw_render::{Count, Elapsed};

use crate::top::model::close_up::titled;
use crate::top::model::dump_summary::{DumpSummary, Group, Task};
use crate::top::model::quantity::rate;
use crate::top::model::sorting::Order;
use crate::top::model::task_tree::TreeRow;
use crate::top::model::{Model, View};

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Count,
    Change,
    Id,
    Tree,
    State,
    InState,
    Age,
    Polls,
    Rate,
    Name,
    WaitsAt,
}

/// Columns that stand between two others.
pub(crate) const GAP: u16 = 2;

impl Column {
    pub(crate) fn title(self, view: View) -> &'static str {
        match self {
            Self::Count => "TASKS",
            Self::Change => "CHANGE",
            Self::Id => "ID",
            Self::Tree => "TASK",
            Self::State => "STATE",
            Self::InState if view == View::Groups => "FOR UP TO",
            Self::InState => "FOR",
            Self::Age => "AGE",
            Self::Polls => "POLLS",
            Self::Rate => "POLLS/S",
            Self::Name if view == View::Groups => "NAMES",
            Self::Name => "NAME",
            Self::WaitsAt => "WAITS AT",
        }
    }

    /// What the list is sorted by when this is where the mark stands.
    pub(crate) fn order(self, view: View) -> Option<Order> {
        Some(match self {
            Self::Count => Order::Count,
            Self::Change => Order::Change,
            Self::Id | Self::Tree => Order::Id,
            Self::InState => Order::InState,
            Self::Age => Order::Age,
            Self::Polls => Order::Polls,
            Self::Rate => Order::Rate,
            Self::Name if view != View::Groups => Order::Name,
            Self::WaitsAt if view == View::Groups => Order::Name,
            Self::State | Self::Name | Self::WaitsAt => return None,
        })
    }

    pub(crate) fn is_right(self) -> bool {
        matches!(
            self,
            Self::Count | Self::Change | Self::Id | Self::InState | Self::Age | Self::Polls | Self::Rate
        )
    }

    /// With the mark of sorting. What is in it may be shorter or longer.
    fn width(self, view: View, summary: &DumpSummary, room: u16) -> u16 {
        match self {
            Self::Count => 8,
            Self::Change => 7,
            Self::Id => {
                let longest = summary.tasks.last().map_or(0, |task| task.id.to_string().len());
                u16::try_from(longest).unwrap_or(u16::MAX).max(4)
            }
            Self::Tree => (room / 4).max(16),
            Self::State => 12,
            Self::InState => 11,
            Self::Age => 11,
            Self::Polls => 9,
            Self::Rate => 8,
            Self::Name => {
                let (longest, part) =
                    if view == View::Groups { (summary.names_width, 6) } else { (summary.name_width, 5) };
                longest.clamp(5, (room / part).max(8))
            }
            Self::WaitsAt => (room / 3).clamp(16, 60),
        }
    }
}

/// The columns of the list that shows, as there is room for them, and how wide they are.
pub(crate) fn columns(model: &Model, summary: &DumpSummary) -> Vec<(Column, u16)> {
    const SOME: u16 = 8;
    use Column::{Age, Change, Count, Id, InState, Name, Polls, Rate, State, Tree, WaitsAt};
    // By importance, and as they stand.
    let (important, stand): (&[Column], &[Column]) = match model.view {
        View::Groups => (
            &[Count, WaitsAt, State, InState, Name, Change, Rate],
            &[Count, Change, State, InState, Rate, Name, WaitsAt],
        ),
        View::Tasks => (
            &[Id, State, Name, InState, WaitsAt, Age, Rate, Polls],
            &[Id, State, InState, Age, Polls, Rate, Name, WaitsAt],
        ),
        View::Tree => (
            &[Tree, State, InState, WaitsAt, Rate, Age, Polls],
            &[Tree, State, InState, Age, Polls, Rate, WaitsAt],
        ),
    };
    // What the list is sorted by is worth more than anything but the first.
    let is_sorted = |column: &&Column| column.order(model.view) == Some(model.sorting().by());
    let sorted = important.iter().skip(1).filter(is_sorted);
    let rest = important.iter().skip(1).filter(|column| !is_sorted(column));
    let important = important.iter().take(1).chain(sorted).chain(rest);
    let room = model.size.0;
    let mut chosen: Vec<(Column, u16)> = Vec::new();
    let mut used = 0_u16;
    for &column in important {
        if column == Name && summary.name_width == 0 {
            continue;
        }
        let gap = if chosen.is_empty() { 0 } else { GAP };
        let mut width = column.width(model.view, summary, room);
        // Some of where they wait is better than nothing of it.
        let left = room.saturating_sub(used.saturating_add(gap));
        if column == WaitsAt && left >= SOME {
            width = width.min(left);
        }
        match used.checked_add(width).and_then(|used| used.checked_add(gap)) {
            Some(total) if total <= room => {
                used = total;
                chosen.push((column, width));
            }
            _ if chosen.is_empty() => {
                chosen.push((column, room));
                used = room;
            }
            _ => {}
        }
    }
    chosen.sort_by_key(|(column, _)| stand.iter().position(|it| it == column));
    // What is left goes to the last of those that can use it.
    let is_flexible = |column: Column| matches!(column, WaitsAt | Name | Tree);
    if let Some((_, width)) = chosen.iter_mut().rfind(|(column, _)| is_flexible(*column)) {
        *width += room.saturating_sub(used);
    }
    chosen
}

/// What stands in a column of a group.
pub(crate) fn of_group(column: Column, group: &Group) -> String {
    match column {
        Column::Count => Count(group.tasks.len()).to_string(),
        Column::Change => match group.change {
            Some(0) | None => String::new(),
            Some(change) => format!("{change:+}"),
        },
        Column::State => group.state.words().to_owned(),
        Column::InState => span(group.oldest),
        Column::Rate => rate(group.rate),
        Column::Name => group.names.clone(),
        Column::WaitsAt => group.waits_at.clone(),
        Column::Id | Column::Tree | Column::Age | Column::Polls => String::new(),
    }
}

/// What stands in a column of a task.
pub(crate) fn of_task(column: Column, model: &Model, summary: &DumpSummary, row: TreeRow) -> String {
    let task: &Task = &summary.tasks[row.task as usize];
    match column {
        Column::Id => task.id.to_string(),
        Column::Tree => format!("{}{}", branches(model, summary, row), titled(task)),
        Column::State => task.state.words().to_owned(),
        Column::InState => span(task.in_state),
        Column::Age => span(task.age),
        Column::Polls => short_count(task.polls),
        Column::Rate => rate(task.rate),
        Column::Name => task.name.as_deref().unwrap_or("").to_owned(),
        Column::WaitsAt => match (&task.thread, summary.group_of(task)) {
            (_, Some(group)) => group.waits_at.clone(),
            (thread, None) => thread.as_deref().unwrap_or("").to_owned(),
        },
        Column::Count | Column::Change => String::new(),
    }
}

/// What stands before a task in the tree: lines to its parent and to its siblings, and whether its children show.
fn branches(model: &Model, summary: &DumpSummary, row: TreeRow) -> String {
    /// Deeper ones stand at the same column and tell their level.
    const MOST_LEVELS: u32 = 12;
    let mut text = String::new();
    for level in 1..row.depth.min(MOST_LEVELS) {
        text += if row.goes_on(level) { "│ " } else { "  " };
    }
    if row.depth > MOST_LEVELS {
        text += &format!("({}) ", row.depth);
    } else if row.depth > 0 {
        text += if row.goes_on(row.depth) { "├" } else { "└" };
    }
    let at = row.task as usize;
    text += match (summary.tree.children(at), row.depth) {
        (0, 0) => "  ",
        (0, _) => "─ ",
        _ if model.is_closed(summary.tasks[at].id) => "▸ ",
        _ => "▾ ",
    };
    text
}

fn span(time: Option<Duration>) -> String {
    time.map_or_else(|| "?".to_owned(), |time| Elapsed(time).to_string())
}

/// In at most nine columns.
fn short_count(count: u64) -> String {
    match count {
        0..10_000_000 => Count(usize::try_from(count).unwrap_or(usize::MAX)).to_string(),
        10_000_000..10_000_000_000 => {
            format!("{}M", Count(usize::try_from(count / 1_000_000).unwrap_or(usize::MAX)))
        }
        _ => format!("{}G", Count(usize::try_from(count / 1_000_000_000).unwrap_or(usize::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_in_their_columns() {
        for (count, text) in
            [(0, "0"), (9_999_999, "9,999,999"), (12_345_678, "12M"), (9_999_999_999, "9,999M")]
        {
            assert_eq!(short_count(count), text);
        }
        assert!(short_count(u64::MAX).starts_with("18,446,744,073G"));
        assert_eq!(span(None), "?");
    }
}
