//! Reading debug information and symbol tables from bytes, wherever they came from.
//!
//! | File | Holds |
//! |---|---|
//! | `debug_info.rs` | frames of an address |
//! | `scopes.rs` | names of functions and of what is around them |
//! | `units.rs` | the units that were asked about, up to a bound of memory |
//! | `unit.rs` | one unit: `entry_table.rs` its functions, `line_table.rs` its lines, `inlined_calls.rs` what is inlined at an address |
//! | `unit_table.rs` | which unit has an address, from `.debug_aranges` or from the first entries of the units (`unit_root.rs`) |
//! | `address_ranges.rs`, `abbreviation_table.rs` | which addresses an entry has, and its shape |
//! | `symbol_table.rs` | functions without debug information |
//! | `object_bytes.rs` | the bytes of the file, its sections, and files with halves of split units |

mod abbreviation_table;
mod address_ranges;
pub(crate) mod debug_info;
mod entry_table;
mod inlined_calls;
mod line_table;
pub(crate) mod object_bytes;
mod scopes;
mod symbol_table;
#[cfg(test)]
mod test_dwarf;
mod unit;
mod unit_root;
mod unit_table;
mod units;
