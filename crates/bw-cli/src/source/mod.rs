//! Where snapshots come from: the agent in a process, the memory of a process without one, a core file, or a raw dump file.

pub(crate) mod agent;
pub(crate) mod all_readable;
mod core_file;
pub(crate) mod follow;
mod memory;
mod stdin;
mod task_names;
mod unreadable_dump;
mod unused_options;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bw_dump::contract::environment;
use bw_dump::{ModuleMap, RawDumpFile, RawDumpReader};
use bw_inspect::{Diagnosis, Limits, diagnose, runs_tasks};
use bw_symbolize::{SymbolSources, Symbolizer};

use crate::options::SharedOptions;
use crate::options::request::RequestOptions;
use crate::options::target::Target;
use crate::output::failure::Failure;
use crate::output::snapshot::Snapshot;
use agent::Agent;
use agent::process::{Process, without_deleted};
use core_file::CoreSource;
use memory::ProcessMemory;
use stdin::StdinInput;

/// Where snapshots come from: a target that can be asked again. What was read of debug information is kept while the process
/// has the same modules.
#[derive(Debug)]
pub(crate) struct Source {
    origin: Origin,
    request: RequestOptions,
    symbols: SymbolSources,
    symbolizer: Option<(ModuleMap, Symbolizer)>,
    /// Its executable, which keeps it readable even when the process has ended.
    executable: Option<File>,
    is_quiet: bool,
}

#[derive(Debug)]
enum Origin {
    File(PathBuf),
    Stdin(StdinInput),
    Agent(Agent),
    Memory(ProcessMemory),
    Core(CoreSource),
}

impl Origin {
    /// A process of this machine: its agent, or its memory if it has none.
    fn of_process(pid: u32, request: &RequestOptions) -> Result<Self, Failure> {
        if request.memory || request.stop {
            return ProcessMemory::open(pid).map(Self::Memory);
        }
        match Agent::of_process(pid, request.answer_timeout()) {
            Ok(agent) => Ok(Self::Agent(agent)),
            Err(failure) if failure.is_end() => Err(failure),
            Err(failure) => ProcessMemory::instead_of_agent(pid, failure).map(Self::Memory),
        }
    }

    /// The process of this machine that is named so. `None` if no process is.
    fn of_name(name: &str, request: &RequestOptions) -> Result<Option<Self>, Failure> {
        let found = if request.memory || request.stop { None } else { Agent::with_name(name)? };
        if let Some(agent) = found {
            return Ok(Some(Self::Agent(agent)));
        }
        let process = agent::only_process(name)?;
        process.map(|process| Self::of_process(process.pid(), request)).transpose()
    }

    /// The process, if it is one of this machine.
    fn process(&self) -> Option<&Process> {
        match self {
            Self::Agent(agent) => agent.process(),
            Self::Memory(memory) => Some(memory.process()),
            Self::File(_) | Self::Stdin(_) | Self::Core(_) => None,
        }
    }
}

impl Source {
    /// Finds out what `target` is. Connects to an agent to see whether it is there, and asks it nothing yet. Fails if an option was given
    /// that has no effect on it.
    pub(crate) fn open(
        target: &Target,
        request: &RequestOptions,
        symbols: SymbolSources,
    ) -> Result<Self, Failure> {
        let source = Self::find(target, request, symbols)?;
        unused_options::refuse(&[(target, &unused_options::of(&source.origin, request))])?;
        Ok(source)
    }

    /// As [`open`](Self::open), for the memory of what is named, also where an agent could be asked. `exe` is where the program of a core file is.
    pub(crate) fn of_memory(
        target: &Target,
        exe: Option<&Path>,
        symbols: SymbolSources,
    ) -> Result<Self, Failure> {
        let given = RequestOptions { exe: exe.map(Path::to_owned), ..RequestOptions::default() };
        let source = Self::find(target, &RequestOptions { memory: true, ..given.clone() }, symbols)?;
        unused_options::refuse(&[(target, &unused_options::of(&source.origin, &given))])?;
        Ok(source)
    }

    /// As [`open`](Self::open), for two targets. Fails if an option was given that has no effect on either.
    pub(crate) fn both(targets: [&Target; 2], options: &SharedOptions) -> Result<[Self; 2], Failure> {
        let symbols = options.symbols.sources()?;
        let [older, newer] = targets.map(|target| Self::find(target, &options.request, symbols.clone()));
        let (older, newer) = (older?, newer?);
        let unused = [&older, &newer].map(|source| unused_options::of(&source.origin, &options.request));
        unused_options::refuse(&[(targets[0], &unused[0]), (targets[1], &unused[1])])?;
        Ok([older, newer])
    }

    fn find(target: &Target, request: &RequestOptions, symbols: SymbolSources) -> Result<Self, Failure> {
        let token = || {
            let variable = || std::env::var(environment::TOKEN).ok().filter(|token| !token.is_empty());
            request.token.clone().or_else(variable)
        };
        let origin = match target {
            Target::Pid(pid) => Origin::of_process(*pid, request)?,
            Target::Url(url) => Origin::Agent(Agent::at_url(url.clone(), token())),
            Target::Stdin => {
                let input = StdinInput::open()?;
                match input.is_core_file() {
                    true => {
                        let kept = input.keep()?;
                        Origin::Core(CoreSource::open_unnamed(&by_descriptor(&kept), request.exe.as_deref())?)
                    }
                    false => Origin::Stdin(input),
                }
            }
            Target::Path(path) if is_socket(path) => {
                Origin::Agent(Agent::at_socket(path, request.answer_timeout())?)
            }
            Target::Path(path) | Target::File(path) if CoreSource::is_at(path) => {
                Origin::Core(CoreSource::open(path, request.exe.as_deref())?)
            }
            Target::Path(path) => {
                let absent = absent(path);
                // In the folder of a program, its name is meant, and not its file.
                let name = path.to_str().filter(|name| !name.contains('/'));
                let name = name.filter(|_| absent.is_some() || is_program(path));
                let named = name.map(|name| Origin::of_name(name, request)).transpose()?;
                match (named.flatten(), absent) {
                    (Some(origin), _) => origin,
                    (None, Some(error)) => return Err(nothing_named(path, &error)),
                    (None, None) => Origin::File(path.clone()),
                }
            }
            Target::File(path) => Origin::File(path.clone()),
        };
        Ok(Self {
            origin,
            request: request.clone(),
            symbols,
            symbolizer: None,
            executable: None,
            is_quiet: false,
        })
    }

    /// As [`open`](Self::open), with what most commands can be told.
    pub(crate) fn of(target: &Target, options: &SharedOptions) -> Result<Self, Failure> {
        Self::open(target, &options.request, options.symbols.sources()?)
    }

    /// Says nothing on stderr while it works, whatever it takes: for who has the screen.
    pub(crate) fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// Whether asking again can give something else.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.origin, Origin::Agent(_) | Origin::Memory(_))
    }

    /// Asks, and finds functions and lines. Blocks: on the process as long as [`RequestOptions`] says, on files and servers.
    pub(crate) fn take(&mut self) -> Result<Snapshot, Failure> {
        let file = self.read()?;
        self.prepare_symbolizer(file.modules(), file.process().executable.as_deref());
        Ok(match &self.symbolizer {
            Some((_, symbolizer)) => Snapshot::new(file, symbolizer, self.is_quiet),
            None => Snapshot::raw(file),
        })
    }

    /// Makes a symbolizer for these modules, unless there is one.
    fn prepare_symbolizer(&mut self, modules: &ModuleMap, executable: Option<&Path>) {
        if self.symbolizer.as_ref().is_some_and(|(known, _)| known == modules) {
            return;
        }
        // It runs another program than when it was asked first.
        if let (Some(_), Some(process)) = (&self.symbolizer, self.origin.process())
            && let Ok(executable) = process.open_executable()
        {
            self.executable = Some(executable);
        }
        let symbolizer = Symbolizer::for_modules(modules.clone(), self.sources(executable));
        self.symbolizer = Some((modules.clone(), symbolizer));
    }

    /// Reads the memory of the process, and names its tasks after their types.
    fn read_memory(&mut self) -> Result<RawDumpFile<'static>, Failure> {
        let Origin::Memory(memory) = &self.origin else { return Err(Failure::new("no process to read")) };
        let inspection = memory.inspect(&self.request)?;
        let executable = memory.process().executable();
        self.prepare_symbolizer(inspection.modules(), executable.as_deref());
        match (&mut self.origin, &self.symbolizer) {
            (Origin::Memory(memory), Some((_, symbolizer))) => {
                self.request.only(memory.file(inspection, symbolizer))
            }
            _ => Err(Failure::new("no process to read")),
        }
    }

    /// Reads the memory in the core file, and names its tasks after their types.
    fn read_core(&mut self) -> Result<RawDumpFile<'static>, Failure> {
        let Origin::Core(core) = &self.origin else { return Err(Failure::new("no core file to read")) };
        let inspection = core.inspect()?;
        let executable = core.executable().map(Path::to_owned);
        self.prepare_symbolizer(inspection.modules(), executable.as_deref());
        match (&self.origin, &self.symbolizer) {
            (Origin::Core(core), Some((_, symbolizer))) => {
                self.request.only(core.file(inspection, symbolizer))
            }
            _ => Err(Failure::new("no core file to read")),
        }
    }

    /// Looks for what is wrong with the tasks, in the memory of a process or in a core file.
    pub(crate) fn diagnose(&mut self, target: &Target) -> Result<Diagnosis, Failure> {
        self.open_executable();
        let (memory, executable): (&dyn bw_inspect::target::Target, Option<PathBuf>) = match &self.origin {
            Origin::Memory(memory) => (memory.live(), memory.process().executable()),
            Origin::Core(core) => (core.as_target(), core.executable().map(Path::to_owned)),
            Origin::File(_) | Origin::Stdin(_) | Origin::Agent(_) => {
                let failure = format!(
                    "cannot diagnose {target}: it is no process and no core file, so it has no memory"
                );
                let help = "name a process of this machine, or a core file, which `gcore PID` writes";
                return Err(Failure::new(failure).with_help(help));
            }
        };
        let sources = self.sources(executable.as_deref());
        let symbolizer = |modules| Symbolizer::for_modules(modules, sources);
        let diagnosis =
            diagnose(memory, &Limits::default(), symbolizer).map_err(|error| memory::failure(&error))?;
        if diagnosis.tasks() == 0 && matches!(runs_tasks(memory), Ok(false)) {
            return Err(Failure::new(format!(
                "cannot diagnose {target}: it uses neither {}",
                memory::EXECUTORS
            )));
        }
        Ok(diagnosis)
    }

    /// Asks, and leaves addresses as they are.
    pub(crate) fn take_raw(&mut self) -> Result<Snapshot, Failure> {
        self.read().map(Snapshot::raw)
    }

    fn open_executable(&mut self) {
        if self.executable.is_none() {
            self.executable = self.origin.process().and_then(|process| process.open_executable().ok());
        }
    }

    fn read(&mut self) -> Result<RawDumpFile<'static>, Failure> {
        let reader = RawDumpReader::new().most_bytes(self.request.most_bytes());
        // Before it is asked: it may end while it answers.
        self.open_executable();
        match &self.origin {
            Origin::Memory(_) => self.read_memory(),
            Origin::Core(_) => self.read_core(),
            Origin::Stdin(input) => {
                let file = reader.read(input.reader());
                self.request.only(file.map_err(|error| unreadable_dump::failure("stdin", &error))?)
            }
            Origin::File(path) => {
                let file = File::open(path).map_err(|error| no_file(path, &error))?;
                let file = reader.read(file);
                let named = path.to_string_lossy();
                self.request.only(file.map_err(|error| unreadable_dump::failure(&named, &error))?)
            }
            Origin::Agent(agent) => {
                let body = agent.ask(
                    &self.request.query(),
                    self.request.answer_timeout(),
                    self.request.most_bytes(),
                )?;
                reader.read(&*body).map_err(|error| agent.not_a_dump(&error))
            }
        }
    }

    /// Where debug information of that dump is looked for: of a process of this machine, in the file it runs and below its root.
    fn sources(&self, own_path: Option<&Path>) -> SymbolSources {
        let mut sources = self.symbols.clone();
        if let (Origin::Core(core), Some(given)) = (&self.origin, &self.request.exe)
            && let Some(module) = core.executable()
        {
            sources = sources.module_file(module, given);
        }
        let Some(process) = self.origin.process() else { return sources };
        let root = process.other_root();
        if let Some(executable) = &self.executable {
            // As it is seen from here, and as it sees itself: in a chroot they differ.
            let inside = own_path.filter(|_| root.is_some()).map(without_deleted);
            for module in [process.executable(), inside].into_iter().flatten() {
                sources = sources.module_file(module, by_descriptor(executable));
            }
        }
        if let Some(root) = root {
            sources = sources.root(root);
        }
        sources
    }
}

/// Why there is nothing at a path. A link that leads nowhere is something.
fn absent(path: &Path) -> Option<io::Error> {
    path.symlink_metadata().err().filter(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether an ELF file is at a path, which is no raw dump file.
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    // Not a pipe, whose bytes would be lost.
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    is_file
        && File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut magic)).is_ok()
        && magic == *b"\x7fELF"
}

/// There is neither a file nor a process of that name.
fn nothing_named(path: &Path, error: &io::Error) -> Failure {
    let failure = no_file(path, error);
    let text = path.to_string_lossy();
    if text.contains(['/', ':']) || cfg!(not(unix)) {
        return failure;
    }
    Failure::new(format!(
        "{failure}; no process has this name either: `backtrace-waker ps` lists those that can be asked"
    ))
}

/// A path that leads to an open file, wherever that is.
#[cfg(unix)]
fn by_descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;

    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(not(unix))]
fn by_descriptor(_: &File) -> PathBuf {
    PathBuf::new()
}

/// Why a file cannot be opened. Somebody may have meant something else than a file.
pub(crate) fn no_file(path: &Path, error: &io::Error) -> Failure {
    let text = path.to_string_lossy();
    let looks_like_an_address = !text.contains('/') && text.contains(':');
    let advice = match text.parse() {
        _ if error.kind() != io::ErrorKind::NotFound => String::new(),
        // Elsewhere nobody can be asked by number.
        Ok(Target::Pid(pid)) if cfg!(unix) && Process::new(pid).is_alive() => {
            format!("; that is a process: `backtrace-waker dump {pid}`")
        }
        _ if looks_like_an_address => format!("; if that is the address of an agent, write http://{text}"),
        _ => String::new(),
    };
    Failure::new(format!("{text}: {error}{advice}"))
}

#[cfg(unix)]
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;

    path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(not(unix))]
fn is_socket(_: &Path) -> bool {
    false
}
