//! Many raw dumps as one: [`merger`] takes them, [`merged_dump`] is what comes of it.

mod build_table;
mod group_totals;
mod merged_dump;
mod merger;
mod trace_table;

pub use self::merged_dump::{MergedDump, MergedGroup, MergedProgram, MergedTask};
pub use self::merger::Merge;
