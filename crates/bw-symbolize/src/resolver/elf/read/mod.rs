//! Reading debug information and symbol tables from bytes, wherever they came from.

mod damage;
pub(crate) mod debug_info;
mod memory_estimate;
pub(crate) mod object_bytes;
mod scopes;
mod symbol_table;
