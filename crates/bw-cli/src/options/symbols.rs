//! Where debug information is looked for, and what to say where it is missing.

use std::path::PathBuf;

use bw_symbolize::{Problem, SymbolSources};
use clap::Args;

use crate::output::failure::Failure;
use crate::output::message;

/// Said below what is missing.
const WHERE: &str = if cfg!(feature = "debuginfod") {
    "debug information was looked for in what --debug-file PATH and --debug-dir DIR name, at the modules' own paths and \
     beside them, in /usr/lib/debug, and on the servers in DEBUGINFOD_URLS; name the file, the folder it is in, or a server"
} else {
    "debug information was looked for in what --debug-file PATH and --debug-dir DIR name, at the modules' own paths and \
     beside them, and in /usr/lib/debug; name the file, or the folder it is in"
};

/// Where debug information is looked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct SymbolOptions {
    /// A file with debug information; may be given several times
    ///
    /// A .debug file, the program before it was stripped, or a .dwp file.
    #[arg(long = "debug-file", value_name = "PATH")]
    pub(crate) debug_files: Vec<PathBuf>,

    /// A folder with debug information; may be given several times
    ///
    /// By build id, as .build-id/xx/yyyy.debug, or named like the modules.
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub(crate) debug_dirs: Vec<PathBuf>,

    /// Ask no debuginfod server
    ///
    /// A server learns the build ids of the modules, and what it sends is kept in its cache folder.
    #[arg(long)]
    #[cfg_attr(not(feature = "debuginfod"), allow(dead_code, reason = "there is nobody to ask"))]
    pub(crate) offline: bool,
}

impl SymbolOptions {
    /// Where to look. What was named must be there: a typing error would otherwise look like missing debug information.
    pub(crate) fn sources(&self) -> Result<SymbolSources, Failure> {
        let mut sources = SymbolSources::new();
        for path in &self.debug_files {
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => sources = sources.debug_file(path),
                Ok(_) => return Err(Failure::new(format!("--debug-file {}: is not a file", path.display()))),
                Err(error) => return Err(Failure::new(format!("--debug-file {}: {error}", path.display()))),
            }
        }
        for path in &self.debug_dirs {
            match path.metadata() {
                Ok(metadata) if metadata.is_dir() => sources = sources.debug_dir(path),
                Ok(_) => {
                    return Err(Failure::new(format!("--debug-dir {}: is not a folder", path.display())));
                }
                Err(error) => return Err(Failure::new(format!("--debug-dir {}: {error}", path.display()))),
            }
        }
        #[cfg(feature = "debuginfod")]
        if let Some(servers) = bw_symbolize::Debuginfod::from_env().filter(|_| !self.offline) {
            sources = sources.debuginfod(servers);
        }
        Ok(sources)
    }

    /// Says what is missing, and fails if that is what whoever runs this wants to know.
    pub(crate) fn report(&self, problems: &[Problem], strict: bool) -> Result<(), Failure> {
        for problem in problems {
            message::warning(problem);
        }
        if !problems.is_empty() {
            message::note(&WHERE);
        }
        // Whoever named a file means it.
        if problems.iter().any(|problem| is_of_another_build(problem, &self.debug_files)) {
            return Err(Failure::new("a file that --debug-file names is of another build, and was not used"));
        }
        if strict && !problems.is_empty() {
            return Err(Failure::new("names or lines are missing, and --strict was given"));
        }
        Ok(())
    }
}

fn is_of_another_build(problem: &Problem, named: &[PathBuf]) -> bool {
    match problem {
        Problem::WrongBuildId { file, .. } | Problem::WrongLayout { file, .. } => named.contains(file),
        _ => false,
    }
}
