//! The program in one of its forms, and a dump of it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use bw_core::{RawTaskDump, RawTrace, SpawnedAt, StackFlags, TaskId, TaskRecord, TaskState, TaskStatus};
use bw_dump::{Module, ModuleMap, Process, RawDumpFile};
use bw_render::{DumpText, TaskTrees, Text};
use bw_symbolize::{SymbolSources, Symbolizer};
use object::Object;

const SOURCE: &str = include_str!("program.rs");

/// bw-core as cargo's default release profile builds it, and the folder of what it depends on.
static BW_CORE: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(build_bw_core);

fn build_bw_core() -> (PathBuf, PathBuf) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unnamed");
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--package", "bw-core", "--message-format=json"])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .output()
        .expect("cargo runs");
    let messages = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{messages}{}", String::from_utf8_lossy(&output.stderr));
    let names = messages.split('"').filter(|text| text.ends_with(".rlib"));
    let file =
        names.map(Path::new).find(|file| file.file_name().is_some_and(|name| name == "libbw_core.rlib"));
    (file.expect("cargo names what it built").to_owned(), target.join("release/deps"))
}

pub(crate) struct Shipped {
    file: PathBuf,
    dump: RawDumpFile<'static>,
}

impl Shipped {
    /// Builds the program optimized, with these options too, and has it dump its tasks.
    pub(crate) fn build(name: &str, options: &[&str]) -> Self {
        let (bw_core, dependencies) = &*BW_CORE;
        // A folder for each test: they run at once.
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unnamed").join(test);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        let built = Command::new("rustc")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([
                "--edition=2024",
                "--crate-name=program",
                "-Copt-level=3",
                "-Clink-arg=-Wl,--build-id=sha1",
                "unnamed/program.rs",
            ])
            .arg(format!("--extern=bw_core={}", bw_core.display()))
            .arg(format!("-Ldependency={}", dependencies.display()))
            .args(options)
            .arg("-o")
            .arg(&file)
            .output()
            .expect("rustc runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let ran = Command::new(&file).output().expect("the program runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let dump = read(&file, &String::from_utf8(ran.stdout).unwrap());
        // What is printed is of a file, as another machine would have it.
        let mut written = Vec::new();
        dump.write(&mut written).unwrap();
        Self { file, dump: RawDumpFile::read(&*written).unwrap() }
    }

    /// The same dump, of a program whose file is another build by now.
    pub(crate) fn replaced_by(self, other: &Self) -> Self {
        std::fs::remove_file(&self.file).unwrap();
        std::fs::copy(&other.file, &self.file).unwrap();
        self
    }

    pub(crate) fn dump(&self) -> &RawTaskDump {
        self.dump.dump()
    }

    fn with_trees<T>(&self, print: impl FnOnce(TaskTrees<'_>) -> T) -> T {
        let symbolizer = Symbolizer::for_modules(self.dump.modules().clone(), SymbolSources::new());
        let trees = TaskTrees::trees(self.dump(), &symbolizer.symbolize_all(self.dump()));
        print(TaskTrees::new(self.dump(), &trees))
    }

    /// What is printed of the dump.
    pub(crate) fn text(&self) -> String {
        self.with_trees(|trees| DumpText::new(Text::new()).grouped(trees).to_string())
    }

    pub(crate) fn json(&self) -> String {
        self.with_trees(|trees| trees.to_json(false))
    }

    /// The line that is marked so in the program's source.
    pub(crate) fn line(&self, mark: &str) -> usize {
        let mark = format!("// LINE {mark}");
        1 + SOURCE.lines().position(|line| line.ends_with(&mark)).expect("the source has that line")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The dump that the program printed.
fn read(file: &Path, printed: &str) -> RawDumpFile<'static> {
    let (mut tasks, mut traces): (Vec<TaskRecord>, Vec<RawTrace>) = (Vec::new(), Vec::new());
    let mut module = None;
    for line in printed.lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        match kind {
            "module" => {
                let numbers: Vec<_> =
                    rest.split(' ').map(|text| u64::from_str_radix(text, 16).unwrap()).collect();
                let bytes = std::fs::read(file).unwrap();
                let build_id = object::File::parse(&*bytes).unwrap().build_id().unwrap().map(hexadecimal);
                let loaded = Module::new(file, numbers[0]..numbers[3], numbers[0]);
                module = loaded.map(|module| module.with_build_id(build_id.unwrap().parse().ok()));
            }
            "task" => {
                let [id, line, type_name] = rest.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
                let (id, at) = (TaskId::from_u64(id.parse().unwrap()), line.parse().unwrap());
                let status = TaskStatus::new(TaskState::Suspended);
                tasks.push(
                    TaskRecord::new(id.unwrap(), SpawnedAt::new("program.rs", at, 1), status)
                        .with_type_name(type_name),
                );
            }
            _ => {
                let addresses: Vec<_> = rest.split(' ').map(|text| text.parse().unwrap()).collect();
                let trace = RawTrace::from_stacks([(addresses, StackFlags::default())]);
                let number = traces.iter().position(|known| *known == trace).unwrap_or(traces.len());
                if number == traces.len() {
                    traces.push(trace);
                }
                let task = tasks.pop().unwrap();
                tasks.push(task.with_trace(Ok(u32::try_from(number).unwrap())));
            }
        }
    }
    let mut process = Process::new(1);
    process.executable = Some(file.to_owned());
    let dump = RawTaskDump::new(SystemTime::UNIX_EPOCH, Duration::ZERO, tasks, traces);
    RawDumpFile::new(process, ModuleMap::new(module.into_iter().collect()), Cow::Owned(dump))
}
