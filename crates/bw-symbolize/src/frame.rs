//! One function at one place: what an address is symbolized to.

use std::fmt;
use std::sync::Arc;

use bw_core::ReturnAddress;

use crate::type_name;

/// One return address, symbolized: the function that was called there and every function inlined around it.
///
/// Owns everything; no type of a DWARF or object library shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PhysicalFrame {
    /// The address that was symbolized.
    pub address: ReturnAddress,
    /// The module the address lies in, or `None` when it lies in none that is loaded.
    pub module: Option<ModuleOffset>,
    /// The functions at this address, **innermost first**: each is inlined into the next, and the last is the
    /// physical function. Empty when neither debug information nor a symbol table names the place.
    pub frames: Vec<Frame>,
}

impl PhysicalFrame {
    /// Returns the frame of a return address, with its functions, innermost first.
    #[must_use]
    pub fn new(address: ReturnAddress, module: Option<ModuleOffset>, frames: Vec<Frame>) -> Self {
        Self { address, module, frames }
    }
}

/// A place in a module, independent of where the module is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ModuleOffset {
    /// The module's path, as the loader gives it.
    pub path: Arc<str>,
    /// The address in the file (an SVMA): return address minus bias.
    pub offset: u64,
}

impl ModuleOffset {
    /// Returns a place in a module: its path, and the address in its file.
    #[must_use]
    pub fn new(path: impl Into<Arc<str>>, offset: u64) -> Self {
        Self { path: path.into(), offset }
    }
}

/// One function at one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Frame {
    /// The function, or `None` when nothing names it.
    pub function: Option<Function>,
    /// Where in the source the call or the `.await` stands.
    pub location: Option<Location>,
    /// Whether the function is inlined into the next frame of the same address.
    pub inlined: bool,
}

impl Frame {
    /// Returns a frame by hand.
    #[must_use]
    pub fn new(function: Option<Function>, location: Option<Location>, inlined: bool) -> Self {
        Self { function, location, inlined }
    }
}

/// A function's name, for people and for filters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Function {
    /// The name as people write it: `async fn app::bar`, `async block in app::run`, `closure in app::run`,
    /// `<app::Conn as app::Handler>::call`.
    pub name: Arc<str>,
    /// The full demangled path without hash, as the compiler has it: `app::bar::{{closure}}`.
    pub path: Arc<str>,
    /// What debug information calls a generic function whose path lacks the arguments, without the modules around it:
    /// `poll<app::Conn, alloc::sync::Arc<app::Pool>>`. `None` for every other.
    pub generic: Option<Arc<str>>,
}

impl Function {
    /// Returns a function of this name for people, and this path as the debug information has it.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, path: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), path: path.into(), generic: None }
    }

    /// Returns the function that a future of this type is, as [`core::any::type_name`] writes types: `async fn app::transfer` of
    /// `app::transfer::{{closure}}`, without the pointers and wrappers that hold it. A future that is no body is named as its type.
    /// Allocates.
    ///
    /// Such a name does not tell an `async fn` from an async block right in a function: both are called `async fn` here.
    #[must_use]
    pub fn of_future(type_name: &str) -> Self {
        let held = type_name::unwrapped(type_name);
        Self::new(type_name::readable(held), held)
    }
}

/// A position in a source file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Location {
    /// The path as the compiler was given it, absolute where the debug information tells.
    pub file: Arc<str>,
    /// The line, when known.
    pub line: Option<u32>,
    /// The column, when known.
    pub column: Option<u32>,
}

impl Location {
    /// Returns a place in the source.
    #[must_use]
    pub fn new(file: impl Into<Arc<str>>, line: Option<u32>, column: Option<u32>) -> Self {
        Self { file: file.into(), line, column }
    }
}

impl fmt::Display for Location {
    /// `file:line:column`, as far as known. Control characters are printed as they are; renderers escape them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}
