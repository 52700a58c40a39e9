//! x
mod frame;
mod symbolized_trace;
pub use frame::{Frame, Function, Location, ModuleOffset, PhysicalFrame};
pub use symbolized_trace::{SymbolizedStack, SymbolizedTrace};
