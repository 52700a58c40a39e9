//! Turns the raw traces of [`bw_core`] into functions, files and lines.
//!
//! A [`RawTrace`](bw_core::RawTrace) holds return addresses and nothing else. A [`Symbolizer`] finds out what they
//! mean: which module, which functions (inlined ones included), which source lines. It reads the debug information
//! of the modules loaded in this process, or of those that another one had: DWARF, in the module or
//! [elsewhere](SymbolSources), then the symbol table. Names come out as people write them:
//! `async fn app::bar` where the compiler has `_ZN3app3bar28_$u7b$$u7b$closure$u7d$$u7d$17hb129e0ec2e8f3642E`.
//!
//! # What you must do
//!
//! Build with debug information: `debug = 1` in the profile is enough for everything shown here. With
//! `"line-tables-only"` inlined functions lose their path (`async fn {unknown}`); with none there is the symbol
//! table, without lines and without telling an async block from a closure; of a stripped program module and
//! offset remain. Debug information may as well lie in a file of its own, split into `.dwo` or `.dwp` files, or on a
//! debuginfod server (feature `debuginfod`): [`SymbolSources`] says where it is looked for. What is missing, and what
//! to do about it, [`Symbolizer::problems`] tells.
//!
//! Keep one [`Symbolizer`], and call it from a thread that may wait. The first address of a module costs a few
//! milliseconds; an address seen before costs 0.1 µs. The memory is bounded, and [`Symbolizer::clear`] gives it back.
//!
//! # What it is not for
//!
//! Not for the moment of capture: it allocates, locks, opens files and blocks. Not for signal handlers. It prints
//! nothing: layout, filters and colours belong to `bw-render`.
//!
//! # Example
//!
//! ```
//! use std::pin::{Pin, pin};
//! use std::task::{Context, Poll, Waker};
//!
//! use bw_core::ReturnAddress;
//! use bw_symbolize::Symbolizer;
//!
//! /// A future that looks at the stack it is polled on.
//! struct Look;
//!
//! impl Future for Look {
//!     type Output = Vec<usize>;
//!
//!     fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Vec<usize>> {
//!         let mut addresses = Vec::new();
//!         backtrace::trace(|frame| {
//!             addresses.push(frame.ip() as usize);
//!             true
//!         });
//!         Poll::Ready(addresses)
//!     }
//! }
//!
//! async fn connect() -> Vec<usize> {
//!     Look.await
//! }
//!
//! fn main() {
//!     let serve = async { connect().await };
//!     let mut context = Context::from_waker(Waker::noop());
//!     let Poll::Ready(addresses) = pin!(serve).poll(&mut context) else { return };
//!
//!     let symbolizer = Symbolizer::new();
//!     for address in addresses.into_iter().filter_map(ReturnAddress::new) {
//!         for frame in &symbolizer.symbolize_address(address).frames {
//!             if let (Some(function), Some(location)) = (&frame.function, &frame.location) {
//!                 println!("{} at {location}", function.name);
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! Built with optimization and `debug = 1`, this prints, among the frames of `backtrace` and of the runtime before
//! `main`:
//!
//! ```text
//! <app::Look as core::future::future::Future>::poll at /src/app/main.rs:15:9
//! async fn app::connect at /src/app/main.rs:24:10
//! async block in app::main at /src/app/main.rs:28:35
//! app::main at /src/app/main.rs:30:46
//! ```
//!
//! # Unsafe code
//!
//! `resolver/elf/file_bytes.rs` maps files. Everything else denies unsafe code.
#![deny(unsafe_code)]

mod cache;
#[cfg(feature = "debuginfod")]
mod debuginfod;
mod frame;
mod name;
mod problem;
mod resolver;
mod symbol_sources;
mod symbolized_trace;
mod symbolizer;
mod type_name;

#[cfg(feature = "debuginfod")]
pub use debuginfod::Debuginfod;
pub use frame::{Frame, Function, Location, ModuleOffset, PhysicalFrame};
pub use name::readable_type;
pub use problem::Problem;
pub use resolver::DebugFile;
pub use symbol_sources::SymbolSources;
pub use symbolized_trace::{SymbolizedStack, SymbolizedTrace};
pub use symbolizer::Symbolizer;

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    #[test]
    fn public_types_have_the_traits_that_users_expect() {
        fn shared<T: Debug + Send + Sync>() {}
        fn data<T: Clone + Debug + Eq + Send + Sync>() {}
        shared::<(Symbolizer, SymbolSources)>();
        data::<(SymbolizedTrace, SymbolizedStack, Problem)>();
        data::<(PhysicalFrame, Frame, Function, Location, ModuleOffset)>();
    }
}
