//! Searches for the files that describe a module: the order, and the checks that none is of another build.
//!
//! Opens files through [`Files`] only.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use bw_dump::BuildId;

use crate::problem::Problem;
use crate::resolver::elf::file_bytes::{FileBytes, Files};
use crate::resolver::elf::find::identity::{Identity, Match};
use crate::resolver::elf::find::object_probe::{debug_link, has_debug_info};
use crate::symbol_sources::SymbolSources;

/// Where separate debug files of the system are.
const SYSTEM: &str = "/usr/lib/debug";

/// What describes a module.
#[derive(Default)]
pub(crate) struct Found {
    /// The file with debug information; where none has any, the module's own.
    pub(crate) debug: Option<FileBytes>,
    /// The module's own file where `debug` is another one: it may have symbols that the other lacks.
    pub(crate) own: Option<FileBytes>,
    /// The `.dwp` files that may belong to it, the most likely first.
    pub(crate) packages: Vec<PathBuf>,
    /// Where `.dwo` files may be that are not where the compiler put them.
    pub(crate) dwo_dirs: Vec<PathBuf>,
    /// Whether `debug` is the module's own file.
    pub(crate) is_own: bool,
    /// Whether there is debug information in `debug`.
    pub(crate) has_debug_info: bool,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("has_debug_info", &self.has_debug_info).finish_non_exhaustive()
    }
}

/// A search for one module's files.
pub(crate) struct Search<'a> {
    pub(crate) module: &'a Identity,
    /// What to open for the module's own file.
    pub(crate) open: Option<&'a Path>,
    /// Where that file is, or was.
    pub(crate) place: Option<&'a Path>,
    pub(crate) sources: &'a SymbolSources,
    pub(crate) files: &'a dyn Files,
    pub(crate) problems: &'a mut Vec<Problem>,
    /// Named files of another build, under a name that says nothing: a problem if none fits.
    doubtful: Vec<Problem>,
    /// The module's own file was looked for and is not there. What it has nobody knows then.
    is_gone: bool,
    /// The module's own file is there and is not used: it is of another build, or cannot be read. A problem says so, and whether the
    /// file that was loaded had debug information nobody knows.
    is_refused: bool,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        module: &'a Identity,
        open: Option<&'a Path>,
        place: Option<&'a Path>,
        sources: &'a SymbolSources,
        files: &'a dyn Files,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            module,
            open,
            place,
            sources,
            files,
            problems,
            doubtful: Vec::new(),
            is_gone: false,
            is_refused: false,
        }
    }

    /// Looks everywhere, until debug information is found. Blocks on the disk, and on the network where a server
    /// was set.
    pub(crate) fn run(mut self) -> Found {
        let mut found = Found { packages: self.packages(), dwo_dirs: self.dwo_dirs(), ..Found::default() };
        let own = if self.sources.uses_module() {
            self.open.and_then(|path| self.described_by(path, true))
        } else {
            None
        };
        let link = own.as_ref().and_then(debug_link);
        let separate = self.named().or_else(|| match &own {
            Some(own) if has_debug_info(own) => None,
            _ => self.by_build_id().or_else(|| self.by_link(link)).or_else(|| self.by_server()),
        });
        match separate {
            Some(separate) => {
                found.has_debug_info = true;
                found.debug = Some(separate);
                found.own = own;
            }
            None => {
                found.has_debug_info = own.as_ref().is_some_and(has_debug_info);
                found.is_own = true;
                found.debug = own;
            }
        }
        if found.has_debug_info {
            // What did not fit on the way is nobody's concern.
            self.problems.clear();
        } else {
            // A library that has none is no wonder, and the named files are for others.
            if !self.module.path.contains(".so") {
                self.problems.append(&mut self.doubtful);
            }
            let (module, build_id) = (self.module.path.clone(), self.module.build_id.clone());
            if self.is_gone {
                self.problems.push(Problem::NoFile { module, build_id });
            } else if !self.is_refused {
                self.problems.push(Problem::NoDebugInfo { module, build_id });
            }
        }
        found
    }

    /// The files somebody named, and those of this name in the folders somebody named.
    ///
    /// A named file is for whichever module it fits, so one of another build is a problem only where its name says
    /// that it is meant for this module.
    fn named(&mut self) -> Option<FileBytes> {
        let sources = self.sources;
        for file in sources.files() {
            let is_meant = self.names().iter().any(|name| file.file_name() == Some(name));
            if let Some(bytes) = self.debug_in(file, is_meant) {
                return Some(bytes);
            }
        }
        for dir in sources.dirs() {
            let by_id = self.module.build_id.as_ref().map(|id| dir.join(build_id_path(id)));
            let by_name = self.names().into_iter().map(|name| dir.join(name));
            for file in by_id.into_iter().chain(by_name) {
                if let Some(bytes) = self.debug_in(&file, true) {
                    return Some(bytes);
                }
            }
        }
        None
    }

    fn by_build_id(&mut self) -> Option<FileBytes> {
        let id = self.module.build_id.as_ref().filter(|_| self.sources.uses_system())?;
        let file = Path::new(SYSTEM).join(build_id_path(id));
        let below_root = self.sources.below_root(&file);
        below_root.and_then(|file| self.debug_in(&file, true)).or_else(|| self.debug_in(&file, true))
    }

    fn by_link(&mut self, link: Option<(OsString, u32)>) -> Option<FileBytes> {
        let (name, wanted) = link?;
        let place = self.place?.to_owned();
        let folder = place.parent()?;
        let mut candidates = vec![folder.join(&name), folder.join(".debug").join(&name)];
        if self.sources.uses_system() {
            let folder = self.sources.above_root(folder);
            let file = Path::new(SYSTEM).join(folder.strip_prefix("/").unwrap_or(folder)).join(&name);
            candidates.extend(self.sources.below_root(&file));
            candidates.push(file);
        }
        candidates.extend(self.sources.dirs().map(|dir| dir.join(&name)));
        // A link to the module itself leads nowhere.
        candidates.retain(|candidate| *candidate != place);
        for file in candidates {
            let Some(bytes) = self.read(&file) else { continue };
            let checksum = crc32fast::hash(&bytes);
            if checksum != wanted {
                let module = self.module.path.clone();
                self.problems.push(Problem::WrongChecksum { module, file, wanted, found: checksum });
            } else if self.check(&bytes, &file, true) && has_debug_info(&bytes) {
                return Some(bytes);
            }
        }
        None
    }

    #[cfg(not(feature = "debuginfod"))]
    fn by_server(&mut self) -> Option<FileBytes> {
        None
    }

    #[cfg(feature = "debuginfod")]
    fn by_server(&mut self) -> Option<FileBytes> {
        let id = self.module.build_id.as_ref()?;
        let servers = self.sources.servers()?;
        if let Some(cached) = servers.cached(id).and_then(|file| self.debug_in(&file, true)) {
            return Some(cached);
        }
        for url in servers.urls() {
            // What a server sends is checked before anybody finds it in the cache.
            let is_right = |file: &Path| {
                self.files.open(file).is_ok_and(|bytes| self.module.compare(&bytes) == Match::Same)
            };
            match servers.fetch(url, id, is_right) {
                Ok(file) => {
                    if let Some(bytes) = self.debug_in(&file, true) {
                        return Some(bytes);
                    }
                }
                Err(reason) => {
                    let (module, url) = (self.module.path.clone(), url.to_owned());
                    self.problems.push(Problem::Server { module, url, reason });
                }
            }
        }
        None
    }

    /// A file, if it has debug information of this module. When it is of another build, `is_meant` makes that a
    /// problem.
    fn debug_in(&mut self, file: &Path, is_meant: bool) -> Option<FileBytes> {
        self.described_by(file, is_meant).filter(has_debug_info)
    }

    fn described_by(&mut self, file: &Path, is_meant: bool) -> Option<FileBytes> {
        let bytes = self.read(file)?;
        self.check(&bytes, file, is_meant).then_some(bytes)
    }

    fn read(&mut self, file: &Path) -> Option<FileBytes> {
        match self.files.open(file) {
            Ok(bytes) => Some(bytes),
            Err(error) if is_absence(&error) => {
                self.is_gone |= self.open == Some(file);
                None
            }
            Err(error) => {
                self.is_refused |= self.open == Some(file);
                self.problems.push(Problem::Unreadable {
                    module: self.module.path.clone(),
                    file: file.to_owned(),
                    reason: error.to_string(),
                });
                None
            }
        }
    }

    /// Whether a file is of the build that was loaded: wrong names would be worse than none.
    fn check(&mut self, bytes: &FileBytes, file: &Path, is_meant: bool) -> bool {
        let module = self.module.path.clone();
        let is_own = self.open == Some(file);
        let file = file.to_owned();
        let problem = match self.module.compare(bytes) {
            Match::Same => return true,
            Match::NoObject => {
                Problem::Unreadable { module, file, reason: "not an ELF file that can be read".to_owned() }
            }
            Match::OtherBuild { wanted, found } => Problem::WrongBuildId { module, file, wanted, found },
            Match::OtherLayout => Problem::WrongLayout { module, file },
        };
        self.is_refused |= is_own;
        if is_meant {
            self.problems.push(problem);
        } else {
            self.doubtful.push(problem);
        }
        false
    }

    /// What a file with debug information of this module may be named.
    fn names(&self) -> Vec<OsString> {
        let Some(name) = self.file_name() else { return Vec::new() };
        ["", ".debug", ".dbg"].iter().map(|end| with_end(name, end)).collect()
    }

    fn file_name(&self) -> Option<&std::ffi::OsStr> {
        self.place.unwrap_or(Path::new(&*self.module.path)).file_name()
    }

    fn packages(&self) -> Vec<PathBuf> {
        let is_package = |file: &&Path| file.extension().is_some_and(|end| end == "dwp");
        let mut packages: Vec<PathBuf> =
            self.sources.files().filter(is_package).map(Path::to_owned).collect();
        if let Some(name) = self.file_name() {
            // rustc names it `app.dwp`, `dwp` by hand mostly `app.debug.dwp` beside a separate debug file.
            let names = [with_end(name, ".dwp"), with_end(name, ".debug.dwp")];
            packages.extend(self.sources.dirs().flat_map(|dir| names.iter().map(move |name| dir.join(name))));
            if let Some(folder) = self.folder() {
                packages.extend(names.iter().map(|name| folder.join(name)));
            }
        }
        packages
    }

    fn dwo_dirs(&self) -> Vec<PathBuf> {
        self.sources.dirs().map(Path::to_owned).chain(self.folder().map(Path::to_owned)).collect()
    }

    /// The folder the module is in, if it may be looked at.
    fn folder(&self) -> Option<&Path> {
        self.place.filter(|_| self.sources.uses_module())?.parent()
    }
}

fn with_end(name: &std::ffi::OsStr, end: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(end);
    name
}

/// `.build-id/xx/yyyy.debug`, as all of them are laid out.
fn build_id_path(id: &BuildId) -> PathBuf {
    let digits = id.to_string();
    let (folder, name) = digits.split_at(2);
    [".build-id", folder, &format!("{name}.debug")].iter().collect()
}

/// No file, or a path that leads through none.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

// They read this program, an ELF file there.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::sync::Mutex;

    use object::Object;

    use super::*;
    use crate::resolver::elf::find::identity::Layout;

    /// Files by path, and which were asked for, in order.
    #[derive(Default)]
    struct Memory {
        files: Vec<(PathBuf, Vec<u8>)>,
        asked: Mutex<Vec<PathBuf>>,
    }

    impl Files for Memory {
        fn open(&self, path: &Path) -> io::Result<FileBytes> {
            self.asked.lock().unwrap().push(path.to_owned());
            let found = self.files.iter().find(|(known, _)| known == path);
            found.map(|(_, bytes)| Box::new(bytes.clone()) as FileBytes).ok_or(io::ErrorKind::NotFound.into())
        }
    }

    const WANTED: [u8; 20] = [0xaa; 20];
    const OTHER: [u8; 20] = [0xbb; 20];

    fn own_build_id(bytes: &[u8]) -> Option<Vec<u8>> {
        object::File::parse(bytes).unwrap().build_id().unwrap().map(<[u8]>::to_vec)
    }

    /// Not every linker gives a program one.
    fn has_build_id() -> bool {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let has = own_build_id(&bytes).is_some_and(|id| id.len() <= WANTED.len());
        if !has {
            println!("skipped: this program was linked without a build id (-Wl,--build-id)");
        }
        has
    }

    /// A library with a build id, and debug information or not.
    fn library(build_id: [u8; 20], has_debug_info: bool) -> Vec<u8> {
        let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let own = own_build_id(&bytes).expect("looked at before");
        let replace = |bytes: &mut Vec<u8>, from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
            bytes[at..at + to.len()].copy_from_slice(to);
        };
        replace(&mut bytes, &own, &build_id[..own.len()]);
        if !has_debug_info {
            // The section keeps its bytes and loses its name, which is the last such text in the file.
            let name = b".debug_info\0";
            let at = bytes.windows(name.len()).rposition(|window| window == name).expect("a section");
            bytes[at + 1] = b'x';
        }
        bytes
    }

    fn module() -> Identity {
        Identity {
            path: "/srv/app".into(),
            is_main: true,
            build_id: BuildId::from_bytes(&WANTED),
            bias: 0,
            layout: Layout::Span(0..1),
        }
    }

    fn search(sources: &SymbolSources, files: &Memory) -> (Found, Vec<Problem>) {
        let mut problems = Vec::new();
        let place = Path::new("/srv/app");
        let found = Search::new(&module(), Some(place), Some(place), sources, files, &mut problems).run();
        (found, problems)
    }

    #[test]
    fn a_program_that_is_gone_is_not_said_to_lack_debug_information() {
        let only_problem = |sources: &SymbolSources, files: Vec<(PathBuf, Vec<u8>)>| {
            let (found, problems) = search(sources, &Memory { files, ..Memory::default() });
            assert!(!found.has_debug_info && problems.len() == 1, "{problems:?}");
            problems.into_iter().next().unwrap()
        };
        let gone = only_problem(&SymbolSources::new(), Vec::new());
        assert!(matches!(gone, Problem::NoFile { .. }), "{gone}");
        assert_eq!(gone.module(), "/srv/app");
        assert!(
            gone.to_string().contains(&"aa".repeat(20)) && !gone.to_string().contains("debug = 1"),
            "{gone}"
        );
        // Nobody looked for it.
        let unknown = only_problem(&SymbolSources::none(), Vec::new());
        assert!(matches!(unknown, Problem::NoDebugInfo { .. }), "{unknown}");
        if has_build_id() {
            let stripped = vec![("/srv/app".into(), library(WANTED, false))];
            let stripped = only_problem(&SymbolSources::new(), stripped);
            assert!(matches!(stripped, Problem::NoDebugInfo { .. }), "{stripped}");
        }
    }

    #[test]
    fn a_file_of_another_build_is_refused_and_both_ids_are_told() {
        if !has_build_id() {
            return;
        }
        let files = Memory {
            files: vec![
                ("/srv/app".into(), library(WANTED, false)),
                ("/d/app.debug".into(), library(OTHER, true)),
            ],
            ..Memory::default()
        };
        let (found, problems) = search(&SymbolSources::new().debug_file("/d/app.debug"), &files);
        assert!(!found.has_debug_info && found.debug.is_some());
        let message = problems[0].to_string();
        assert!(message.contains("/d/app.debug") && message.contains("/srv/app"), "{message}");
        assert!(message.contains(&"aa".repeat(20)) && message.contains(&"bb".repeat(20)), "{message}");
        assert!(problems[1].to_string().contains(&"aa".repeat(20)), "{problems:?}");
    }

    #[test]
    fn a_replaced_program_is_said_to_be_one_and_not_to_lack_debug_information() {
        if !has_build_id() {
            return;
        }
        for (bytes, said) in [
            (
                library(OTHER, true),
                "/srv/app is not the file that was loaded, which was replaced: its build id is bb",
            ),
            (b"no program".to_vec(), "/srv/app cannot be read: not an ELF file that can be read"),
        ] {
            let files = Memory { files: vec![("/srv/app".into(), bytes)], ..Memory::default() };
            let (found, problems) = search(&SymbolSources::new(), &files);
            assert!(!found.has_debug_info && problems.len() == 1, "{problems:?}");
            let message = problems[0].to_string();
            assert!(message.starts_with(said), "{message}");
            assert_eq!(message.matches("/srv/app").count(), 1, "{message}");
        }
    }

    #[test]
    fn nothing_is_a_problem_once_debug_information_is_found() {
        if !has_build_id() {
            return;
        }
        let files = Memory {
            files: vec![
                ("/srv/app".into(), library(OTHER, true)),
                ("/old/app.debug".into(), library(OTHER, true)),
                ("/new/app.debug".into(), library(WANTED, true)),
            ],
            ..Memory::default()
        };
        let (found, problems) = search(&SymbolSources::new().debug_dir("/old").debug_dir("/new"), &files);
        assert!(found.has_debug_info && !found.is_own && found.own.is_none());
        assert_eq!(problems, []);
    }

    #[test]
    fn the_module_itself_comes_before_what_the_system_has() {
        if !has_build_id() {
            return;
        }
        let system = format!("/usr/lib/debug/.build-id/aa/{}.debug", "aa".repeat(19));
        for (has_debug_info, expected) in [(true, vec!["/srv/app"]), (false, vec!["/srv/app", &system])] {
            let files = Memory {
                files: vec![
                    ("/srv/app".into(), library(WANTED, has_debug_info)),
                    (system.clone().into(), library(WANTED, true)),
                ],
                ..Memory::default()
            };
            let (found, problems) = search(&SymbolSources::new(), &files);
            assert!(found.has_debug_info && found.is_own == has_debug_info);
            assert_eq!(problems, []);
            assert_eq!(*files.asked.lock().unwrap(), expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn modules_of_a_container_are_looked_for_below_its_root() {
        if !has_build_id() {
            return;
        }
        let sources = SymbolSources::new().root("/proc/7/root").module_file("/srv/app", "/proc/7/exe");
        let (open, place) = sources.place_of(Path::new("/srv/app"));
        assert_eq!((&*open, &*place), (Path::new("/proc/7/exe"), Path::new("/proc/7/root/srv/app")));
        let below = format!("/proc/7/root/usr/lib/debug/.build-id/aa/{}.debug", "aa".repeat(19));
        // Another build of it is in the same place outside.
        let files = Memory {
            files: vec![
                ("/srv/app".into(), library(OTHER, true)),
                ("/proc/7/exe".into(), library(WANTED, false)),
                (below.clone().into(), library(WANTED, true)),
            ],
            ..Memory::default()
        };
        let mut problems = Vec::new();
        let module = module();
        let search = Search::new(&module, Some(&open), Some(&place), &sources, &files, &mut problems);
        assert!(search.run().has_debug_info && problems.is_empty());
        assert_eq!(*files.asked.lock().unwrap(), [Path::new("/proc/7/exe"), Path::new(&below)]);
    }

    #[test]
    fn no_path_in_a_dump_leads_out_of_a_root() {
        let sources = SymbolSources::new().root("/proc/7/root");
        for path in ["/../etc/app", "/lib/../../app", "../app", "app"] {
            assert_eq!(sources.below_root(Path::new(path)), None, "{path}");
        }
        assert_eq!(sources.below_root(Path::new("/lib/app")), Some("/proc/7/root/lib/app".into()));
        assert_eq!(sources.above_root(Path::new("/proc/7/root/lib")), Path::new("lib"));
        assert_eq!(SymbolSources::new().below_root(Path::new("/lib/app")), None);
    }

    #[test]
    fn what_is_not_allowed_is_not_looked_at() {
        let files = Memory::default();
        let (found, problems) = search(&SymbolSources::none(), &files);
        assert!(found.debug.is_none() && found.packages.is_empty() && found.dwo_dirs.is_empty());
        assert_eq!(*files.asked.lock().unwrap(), Vec::<PathBuf>::new());
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
}
