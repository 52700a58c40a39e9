//! Values that an output refers to by number.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values, each once, in the order in which they came. By hand, since `indexmap` is three crates for these lines.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// Returns the number of a value; the first is 0.
    pub(crate) fn number(&mut self, value: T) -> usize {
        let next = self.all.len();
        match self.get(&value) {
            Some(number) => number,
            None => {
                self.all.push(value.clone());
                self.numbers.insert(value, next);
                next
            }
        }
    }

    /// Returns the number of a value that is there.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, value: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
    {
        self.numbers.get(value).copied()
    }

    /// Returns the values in the order of their numbers.
    pub(crate) fn into_values(self) -> Vec<T> {
        self.all
    }
}
