//! A list on the screen: its rows, the one that is chosen, and which of them show.

use super::task_tree::TreeRow;

/// A list on the screen. Which row is chosen is remembered by what it is, so that it stays chosen wherever it goes.
#[derive(Debug, Default)]
pub(crate) struct List {
    rows: Vec<TreeRow>,
    at: usize,
    offset: usize,
    /// What was chosen; nothing while nobody chose: then it is the first row, whatever that is.
    chosen: Option<u64>,
}

/// Where to go in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    By(isize),
    Pages(isize),
    First,
    Last,
}

impl List {
    pub(crate) fn rows(&self) -> &[TreeRow] {
        &self.rows
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The first row that shows.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn row(&self) -> Option<TreeRow> {
        self.rows.get(self.at).copied()
    }

    /// Takes other rows. `key` is what a row is.
    pub(crate) fn refill(&mut self, rows: Vec<TreeRow>, height: usize, key: impl Fn(TreeRow) -> u64) {
        self.rows = rows;
        let Some(chosen) = self.chosen else {
            (self.at, self.offset) = (0, 0);
            return;
        };
        let line = self.at.saturating_sub(self.offset);
        if let Some(at) = self.rows.iter().position(|&row| key(row) == chosen) {
            self.at = at;
            // At the same line of the screen, unless the list is at its beginning: what comes there first is to be seen.
            if self.offset > 0 {
                self.offset = at.saturating_sub(line);
            }
        } else {
            self.at = self.at.min(self.rows.len().saturating_sub(1));
            self.chosen = self.row().map(key);
        }
        self.fit(height);
    }

    pub(crate) fn go(&mut self, to: Go, height: usize, key: impl Fn(TreeRow) -> u64) {
        let last = self.rows.len().saturating_sub(1);
        // A line of the page before stays, to tell where one is.
        let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(isize::MAX);
        self.at = match to {
            Go::By(by) => self.at.saturating_add_signed(by),
            Go::Pages(pages) => self.at.saturating_add_signed(pages.saturating_mul(page)),
            Go::First => 0,
            Go::Last => last,
        }
        .min(last);
        self.choose(&key);
        if to == Go::First {
            self.chosen = None;
        }
        self.fit(height);
    }

    /// Stays with what is at the cursor now.
    pub(crate) fn choose(&mut self, key: impl Fn(TreeRow) -> u64) {
        self.chosen = self.row().map(key);
    }

    pub(crate) fn fit(&mut self, height: usize) {
        let height = height.max(1);
        let last = self.rows.len().saturating_sub(height);
        self.offset = self.offset.clamp((self.at + 1).saturating_sub(height), self.at).min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(tasks: &[u32]) -> Vec<TreeRow> {
        tasks.iter().map(|&task| TreeRow::flat(task)).collect()
    }

    fn key(row: TreeRow) -> u64 {
        row.task.into()
    }

    #[test]
    fn what_is_chosen_stays_chosen_at_its_line() {
        let mut list = List::default();
        let tasks: Vec<u32> = (0..100).collect();
        list.refill(rows(&tasks), 10, key);
        list.go(Go::By(50), 10, key);
        assert_eq!((list.at(), list.offset()), (50, 41));
        let mut moved: Vec<u32> = tasks.clone();
        moved.rotate_left(20);
        list.refill(rows(&moved), 10, key);
        assert_eq!((list.at(), list.offset(), list.row().unwrap().task), (30, 21, 50));
        // It is gone: what came in its place is chosen now.
        moved.retain(|&task| task != 50);
        list.refill(rows(&moved), 10, key);
        assert_eq!((list.at(), list.row().unwrap().task), (30, 51));
        list.refill(rows(&[]), 10, key);
        assert_eq!((list.at(), list.offset(), list.row()), (0, 0, None));
    }

    #[test]
    fn who_has_chosen_nothing_stays_at_the_beginning() {
        let mut list = List::default();
        list.refill(rows(&[1, 2, 3]), 10, key);
        list.refill(rows(&[9, 1, 2, 3]), 10, key);
        assert_eq!(list.row().unwrap().task, 9);
        list.go(Go::By(1), 10, key);
        list.refill(rows(&[8, 9, 1, 2, 3]), 10, key);
        assert_eq!(list.row().unwrap().task, 1);
        list.go(Go::First, 10, key);
        list.refill(rows(&[7, 8]), 10, key);
        assert_eq!(list.row().unwrap().task, 7);
    }

    #[test]
    fn a_list_ends_at_its_ends() {
        let mut list = List::default();
        for height in [0, 1, 5, 1_000] {
            for to in [Go::By(-1), Go::By(1), Go::Pages(-1), Go::Pages(1), Go::Last, Go::First] {
                list.go(to, height, key);
                assert_eq!((list.at(), list.offset()), (0, 0));
            }
        }
        list.refill(rows(&(0..100).collect::<Vec<_>>()), 10, key);
        for (to, at, offset) in [
            (Go::Pages(1), 9, 0),
            (Go::Pages(1), 18, 9),
            (Go::Pages(-1), 9, 9),
            (Go::Last, 99, 90),
            (Go::By(1), 99, 90),
            (Go::Pages(isize::MAX), 99, 90),
            (Go::By(isize::MIN), 0, 0),
        ] {
            list.go(to, 10, key);
            assert_eq!((list.at(), list.offset()), (at, offset), "{to:?}");
        }
    }
}
