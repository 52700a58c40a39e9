//! Which tasks are asked for.

use std::str::FromStr;

use bw_dump::{InvalidTaskFilter, TaskFilter};

/// A filter of tasks, checked, and as it was written: an agent is sent the text.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    text: String,
    filter: TaskFilter,
}

impl Filter {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn filter(&self) -> &TaskFilter {
        &self.filter
    }
}

impl FromStr for Filter {
    type Err = InvalidTaskFilter;

    fn from_str(text: &str) -> Result<Self, InvalidTaskFilter> {
        Ok(Self { filter: text.parse()?, text: text.to_owned() })
    }
}
