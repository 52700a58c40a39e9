//! The types of a program, from its debug information: sizes, members, variants.
//!
//! Nothing is known of any type in advance. Each compilation unit is indexed when an address in it is first asked for, and each type is
//! read when a value of it is first decoded.

mod debug_types;
mod module_types;
mod type_layout;
mod unit_index;

pub(crate) use debug_types::DebugTypes;
pub(crate) use module_types::ModuleTypes;
pub(crate) use type_layout::{Member, Place, Shape, TypeLayout, TypeRef};
