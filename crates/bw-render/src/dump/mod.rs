//! The tasks of a dump, of one process or of many, with the trees of where they wait: in groups, as a list and as a hierarchy.

pub(crate) mod child_places;
pub(crate) mod dump_text;
pub(crate) mod groups;
pub(crate) mod merged_text;
pub(crate) mod merged_trees;
pub(crate) mod shown_trees;
pub(crate) mod task_hierarchy;
pub(crate) mod task_list;
mod task_titles;
pub(crate) mod task_trees;
pub(crate) mod times_in_state;
