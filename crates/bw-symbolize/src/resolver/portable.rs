//! The fallback for every platform without a backend of its own: the `backtrace` crate.
//!
//! It knows the module formats of those platforms, but tells neither the module of an address nor what kind of
//! body a closure is, so that an async function reads `closure in app::bar` here. It resolves under a
//! process-wide lock of its own.

use std::ffi::c_void;
use std::sync::Arc;

use bw_core::ReturnAddress;
use bw_dump::loaded::LoadGeneration;

use crate::frame::{Frame, Function, Location, PhysicalFrame};
use crate::name;
use crate::problem::Problem;
use crate::resolver::Budget;
use crate::symbol_sources::SymbolSources;

/// See the contract in [`super`].
#[derive(Debug)]
pub(crate) struct ThisProcess;

impl ThisProcess {
    /// The `backtrace` crate looks where it looks.
    pub(crate) fn new(_: SymbolSources, _: Budget) -> Self {
        Self
    }

    /// Unknown: what is missing is missing silently here.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Always the same: unloaded modules go unnoticed here.
    pub(crate) fn generation(&self) -> LoadGeneration {
        LoadGeneration::default()
    }

    pub(crate) fn resolve(
        &self,
        address: ReturnAddress,
        generation: LoadGeneration,
    ) -> (LoadGeneration, PhysicalFrame) {
        let mut frames = Vec::new();
        // `resolve` takes a return address and steps back into the call itself, so it gets the address as it is.
        let pointer = std::ptr::without_provenance_mut::<c_void>(address.get());
        backtrace::resolve(pointer, |symbol| {
            frames.push(Frame { function: function(symbol), location: location(symbol), inlined: true });
        });
        frames.retain(|frame| frame.function.is_some() || frame.location.is_some());
        if let Some(physical) = frames.last_mut() {
            physical.inlined = false;
        }
        (generation, PhysicalFrame { address, module: None, frames })
    }

    pub(crate) fn outlives(&self, _: &PhysicalFrame, _: LoadGeneration, _: LoadGeneration) -> bool {
        true
    }

    /// Frees nothing: what the `backtrace` crate caches belongs to the whole process.
    pub(crate) fn clear(&self) {}
}

fn function(symbol: &backtrace::Symbol) -> Option<Function> {
    let name = symbol.name()?;
    let raw = String::from_utf8_lossy(name.as_bytes());
    if raw.is_empty() {
        return None;
    }
    let path = name::demangle(&raw).unwrap_or_else(|| raw.into_owned());
    Some(Function::new(name::readable(&path, &[]), path))
}

fn location(symbol: &backtrace::Symbol) -> Option<Location> {
    let file = Arc::from(symbol.filename()?.to_string_lossy());
    // Zero means unknown in the formats this reads.
    let known = |number: Option<u32>| number.filter(|&number| number != 0);
    Some(Location { file, line: known(symbol.lineno()), column: known(symbol.colno()) })
}
