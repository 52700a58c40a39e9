//! Where debug information is looked for.

use std::path::{Component, Path, PathBuf};

/// Where debug information is looked for. Plain data; making and changing it opens nothing.
///
/// A file is used for a module only if it has the same build id, or, where neither has one, is loaded at the same
/// addresses. In this order, the first that has debug information is used:
///
/// 1. Named files and folders ([`debug_file`](Self::debug_file), [`debug_dir`](Self::debug_dir)): who names one, wants it.
/// 2. The module's own file. Its split DWARF: `.dwo` files where the compiler put them, beside the module and in
///    named folders, and the `.dwp` file beside it.
/// 3. By build id: `.build-id/xx/yyyy.debug` in named folders and in `/usr/lib/debug`.
/// 4. By `.gnu_debuglink`, its checksum checked: beside the module, in `.debug` beside it, and under
///    `/usr/lib/debug`.
/// 5. A debuginfod server, when one was set.
///
/// When none has any, the symbol table of the module is left.
#[derive(Clone, Debug)]
pub struct SymbolSources {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    /// What `/` was to the process.
    root: Option<PathBuf>,
    /// Modules by their paths, and what is opened instead.
    moved: Vec<(PathBuf, PathBuf)>,
    uses_module: bool,
    uses_system: bool,
    #[cfg(feature = "debuginfod")]
    debuginfod: Option<crate::debuginfod::Debuginfod>,
}

impl SymbolSources {
    /// What debuggers of the platform look at, without a network.
    #[must_use]
    pub fn new() -> Self {
        Self { uses_module: true, uses_system: true, ..Self::none() }
    }

    /// Nothing but what will be named: neither the module's own file nor `/usr/lib/debug`.
    #[must_use]
    pub fn none() -> Self {
        Self {
            files: Vec::new(),
            dirs: Vec::new(),
            root: None,
            moved: Vec::new(),
            uses_module: false,
            uses_system: false,
            #[cfg(feature = "debuginfod")]
            debuginfod: None,
        }
    }

    /// Adds a file with debug information: a `.debug` file, an unstripped binary, or a `.dwp` file.
    #[must_use]
    pub fn debug_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Adds a folder. In it are looked for: `.build-id/xx/yyyy.debug`, and `NAME`, `NAME.debug`, `NAME.dwp` and the
    /// name of the debug link, where `NAME` is the module's file name; and `.dwo` files.
    #[must_use]
    pub fn debug_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.dirs.push(path.into());
        self
    }

    /// Looks below this folder for the modules of another process, for what lies beside them, and for its `/usr/lib/debug` before that
    /// of this system: `/proc/PID/root` of a container that runs here, or a copy of the files of another system. What is
    /// found is checked like everything else. Absolute symbolic links in there are followed as this process sees them.
    #[must_use]
    pub fn root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.root = Some(folder.into());
        self
    }

    /// Opens `file` for the module of another process whose path is `module`: for what was moved, replaced or deleted since it was
    /// loaded. `/proc/PID/exe` is the file that a process runs, whatever became of it. What lies beside a module is looked for
    /// where it was all the same.
    #[must_use]
    pub fn module_file(mut self, module: impl Into<PathBuf>, file: impl Into<PathBuf>) -> Self {
        self.moved.push((module.into(), file.into()));
        self
    }

    /// Asks debuginfod servers for modules that nothing else describes.
    #[cfg(feature = "debuginfod")]
    #[must_use]
    pub fn debuginfod(mut self, servers: crate::debuginfod::Debuginfod) -> Self {
        self.debuginfod = Some(servers);
        self
    }

    #[cfg(feature = "debuginfod")]
    pub(crate) fn servers(&self) -> Option<&crate::debuginfod::Debuginfod> {
        self.debuginfod.as_ref()
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    pub(crate) fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.dirs.iter().map(PathBuf::as_path)
    }

    /// Where a module of another process is, and what is opened for it.
    pub(crate) fn place_of(&self, module: &Path) -> (PathBuf, PathBuf) {
        let place = self.below_root(module).unwrap_or_else(|| module.to_owned());
        let moved = self.moved.iter().find(|(path, _)| path == module);
        (moved.map_or_else(|| place.clone(), |(_, file)| file.clone()), place)
    }

    /// An absolute path of another process as one of this, where they are not the same.
    pub(crate) fn below_root(&self, path: &Path) -> Option<PathBuf> {
        // Not out of it: a dump may say anything.
        let inner = path.strip_prefix("/").ok()?;
        let is_plain = inner.components().all(|part| matches!(part, Component::Normal(_)));
        Some(self.root.as_ref().filter(|_| is_plain)?.join(inner))
    }

    /// The way back.
    pub(crate) fn above_root<'a>(&self, place: &'a Path) -> &'a Path {
        self.root.as_ref().and_then(|root| place.strip_prefix(root).ok()).unwrap_or(place)
    }

    pub(crate) fn uses_module(&self) -> bool {
        self.uses_module
    }

    pub(crate) fn uses_system(&self) -> bool {
        self.uses_system
    }
}

impl Default for SymbolSources {
    fn default() -> Self {
        Self::new()
    }
}
