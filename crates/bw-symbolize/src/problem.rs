//! Why names or lines are missing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bw_dump::BuildId;

/// Why names or lines of a module are missing, and what to do about it.
///
/// Prints as one line. Paths in it come from outside and are printed as they are; a terminal wants them escaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Problem {
    /// A file that should describe the module is of another build.
    WrongBuildId {
        /// The module's path.
        module: Arc<str>,
        /// The file that is not used.
        file: PathBuf,
        /// What the module had in memory.
        wanted: BuildId,
        /// What the file has.
        found: Option<BuildId>,
    },
    /// A file that should describe the module is loaded at other addresses, and there are no build ids to compare.
    WrongLayout {
        /// The module's path.
        module: Arc<str>,
        /// The file that is not used.
        file: PathBuf,
    },
    /// The file that `.gnu_debuglink` names has another checksum.
    WrongChecksum {
        /// The module's path.
        module: Arc<str>,
        /// The file that is not used.
        file: PathBuf,
        /// What the module says.
        wanted: u32,
        /// What the file has.
        found: u32,
    },
    /// A file exists and cannot be used.
    Unreadable {
        /// The module's path.
        module: Arc<str>,
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nothing that was looked at has debug information: functions are those of the symbol table, or none.
    NoDebugInfo {
        /// The module's path.
        module: Arc<str>,
        /// By which it can be found elsewhere.
        build_id: Option<BuildId>,
    },
    /// The module's own file is not where it was, and nothing else describes the module.
    NoFile {
        /// The module's path.
        module: Arc<str>,
        /// By which it can be found elsewhere.
        build_id: Option<BuildId>,
    },
    /// There are lines but no functions in the debug information: inlined functions have no path.
    LineTablesOnly {
        /// The module's path.
        module: Arc<str>,
    },
    /// A part of the debug information lies in a file of its own that was not found.
    NoSplitDwarf {
        /// The module's path.
        module: Arc<str>,
        /// The `.dwo` file, as the compiler named it.
        file: PathBuf,
    },
    /// A server was asked in vain.
    Server {
        /// The module's path.
        module: Arc<str>,
        /// The address that was asked.
        url: String,
        /// Why.
        reason: String,
    },
}

impl Problem {
    /// The path of the module whose names or lines are missing.
    #[must_use]
    pub fn module(&self) -> &str {
        match self {
            Self::WrongBuildId { module, .. }
            | Self::WrongLayout { module, .. }
            | Self::WrongChecksum { module, .. }
            | Self::Unreadable { module, .. }
            | Self::NoDebugInfo { module, .. }
            | Self::NoFile { module, .. }
            | Self::LineTablesOnly { module }
            | Self::NoSplitDwarf { module, .. }
            | Self::Server { module, .. } => module,
        }
    }
}

/// Prints what a file is not: what is at the module's own path now, or another file. No path is printed twice.
struct IsNotTheModule<'a>(&'a Path, &'a str);

impl fmt::Display for IsNotTheModule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(file, module) = self;
        if *file == Path::new(module) {
            write!(f, "{module} is not the file that was loaded, which was replaced")
        } else {
            write!(f, "{} is not what {module} was", file.display())
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongBuildId { module, file, wanted, found } => {
                write!(f, "{}: its build id is ", IsNotTheModule(file, module))?;
                match found {
                    Some(found) => write!(f, "{found}")?,
                    None => f.write_str("missing")?,
                }
                write!(f, ", needed is {wanted}; name the file of that build")
            }
            Self::WrongLayout { module, file } => {
                let what = IsNotTheModule(file, module);
                write!(f, "{what}: it is loaded at other addresses; name the file of that build")
            }
            Self::WrongChecksum { module, file, wanted, found } => {
                let file = file.display();
                write!(
                    f,
                    "{file} is not the debug file of {module}: its checksum is {found:08x}, needed is {wanted:08x}"
                )
            }
            Self::Unreadable { module, file, reason } if *file == Path::new(&**module) => {
                write!(f, "{module} cannot be read: {reason}")
            }
            Self::Unreadable { module, file, reason } => {
                write!(f, "{} cannot be read for {module}: {reason}", file.display())
            }
            Self::NoDebugInfo { module, build_id } => {
                write!(
                    f,
                    "{module} has no debug information: build with `debug = 1`, or name its debug file"
                )?;
                write_build_id(f, build_id.as_ref())
            }
            Self::NoFile { module, build_id } => {
                write!(f, "{module} is not here, and no debug file of it was found: name either of them")?;
                write_build_id(f, build_id.as_ref())
            }
            Self::LineTablesOnly { module } => write!(
                f,
                "{module} has lines but no functions in its debug information, so inlined functions lack their path: \
                 build with `debug = 1`"
            ),
            Self::NoSplitDwarf { module, file } => {
                let file = file.display();
                write!(
                    f,
                    "{file}, a part of the debug information of {module}, was not found: name its folder, or the .dwp file"
                )
            }
            Self::Server { module, url, reason } => write!(f, "{url} has nothing for {module}: {reason}"),
        }
    }
}

fn write_build_id(f: &mut fmt::Formatter<'_>, build_id: Option<&BuildId>) -> fmt::Result {
    build_id.map_or(Ok(()), |build_id| write!(f, " (build id {build_id})"))
}
