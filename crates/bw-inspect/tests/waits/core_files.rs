//! Core files of the program: they show what the process showed, also when parts are left out, and do no harm when they are damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bw_core::DumpSource;
use bw_inspect::target::{CoreFile, Memory as _, OpenError, Target as _};
use bw_inspect::{Inspection, Limits, inspect};

use super::started::{Expected, Started};
use super::task;

/// How long a kernel may take to write a core file.
const TIME_TO_WRITE: Duration = Duration::from_secs(60);

/// A folder of a test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("waits-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Has gdb write a core file. `None` where there is no gdb.
fn gcore(program: &Started, folder: &Folder) -> Option<PathBuf> {
    let prefix = folder.0.join("core");
    let pid = program.pid().to_string();
    let mut command = Command::new("gcore");
    command.arg("-o").arg(&prefix).arg(&pid).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) => {
            assert!(status.success());
            Some(folder.0.join(format!("core.{pid}")))
        }
        Err(error) => {
            println!("not tested, since gcore cannot be run: {error}");
            None
        }
    }
}

/// Has the kernel write a core file with what it leaves out by default. `None` where it does not write to the folder of the program.
fn kernel_core(program: &mut Started, folder: &Folder) -> Option<PathBuf> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.contains(['|', '/', '%', '@']) {
        println!("not tested, since core files go to {pattern}");
        return None;
    }
    let killed = Command::new("sh").args(["-c", &format!("kill -ABRT {}", program.pid())]).status().unwrap();
    assert!(killed.success());
    // The kernel has written it when the process has ended.
    let until = Instant::now() + TIME_TO_WRITE;
    while program.open_or_error().is_ok() {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    program.end();
    let core = fs::read_dir(&folder.0).unwrap().flatten().map(|entry| entry.path()).next();
    if core.is_none() {
        println!("not tested, since the kernel wrote no core file");
    }
    core
}

/// Starts the program so that it may leave a core file in the folder.
fn started_in(folder: &Folder) -> Started {
    Started::with_shell("ulimit -c unlimited", |command| {
        command.current_dir(&folder.0);
    })
}

/// A task: its state, its stacks, and what it may lack. The message of a panic names the thread that was chosen for the poll, and
/// `select!` polls in an order that depends on the thread, too.
fn shown(inspection: &Inspection, expected: &Expected) -> (String, Option<Vec<String>>, Option<String>) {
    let task = task(inspection, expected);
    let reason = task.incomplete().map(|reason| reason.split(':').next().unwrap_or_default().to_owned());
    let stacks = inspection.dump().trace_of(task).map(|trace| {
        let mut stacks: Vec<String> = trace.stacks().map(|stack| format!("{stack:?}")).collect();
        stacks.sort();
        stacks
    });
    (task.status().state.name().to_owned(), stacks, reason)
}

fn assert_same(program: &Started, live: &Inspection, core: &CoreFile) {
    let of_core = inspect(core, &Limits::default()).unwrap();
    assert_eq!(of_core.modules(), live.modules());
    assert_eq!((of_core.dump().source(), core.notes()), (DumpSource::CoreFile, Vec::new()));
    for expected in program.tasks() {
        let (in_core, live) = (shown(&of_core, expected), shown(live, expected));
        assert!(in_core == live, "{}: {in_core:?}, and live {live:?}", expected.name);
    }
}

#[test]
fn a_core_file_of_gdb_shows_something_else_than_the_process() {
    let folder = Folder::new("gcore");
    let program = Started::new();
    let live = program.inspect_when_idle();
    let Some(path) = gcore(&program, &folder) else { return };
    assert!(CoreFile::is_at(&path) && !CoreFile::is_at(&std::env::current_exe().unwrap()));
    let core = CoreFile::open(&path, None).unwrap();
    assert_eq!((core.pid(), core.architecture()), (program.pid(), std::env::consts::ARCH));
    assert_eq!(core.executable(), std::env::current_exe().ok().as_deref());
    assert_same(&program, &live, &core);
    let executable = std::env::current_exe().unwrap();
    assert_same(&program, &live, &CoreFile::open(&path, Some(&executable)).unwrap());
}

#[test]
fn a_core_file_of_the_kernel_shows_something_else_than_the_process() {
    let folder = Folder::new("kernel");
    let mut program = started_in(&folder);
    let live = program.inspect_when_idle();
    let Some(path) = kernel_core(&mut program, &folder) else { return };
    assert_same(&program, &live, &CoreFile::open(&path, None).unwrap());
    a_program_of_another_build_is_used(&path);
    parts_that_are_cut_off_do_harm(&path);
}

fn a_program_of_another_build_is_used(path: &Path) {
    for (other, reason) in
        [("/bin/sh", "another build"), ("/nowhere", "No such file"), ("/", "no regular file")]
    {
        let error = CoreFile::open(path, Some(Path::new(other))).unwrap_err();
        assert!(matches!(error, OpenError::Executable { .. }) && error.help().is_some());
        assert!(error.to_string().contains(reason), "{error}");
    }
}

fn parts_that_are_cut_off_do_harm(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let (mut are_tasks_missing, mut is_nothing_left) = (false, false);
    // Where the tasks and what they use lie in the file differs from run to run.
    let parts = (1..=12).rev().map(|part| length * part / 12 - 1);
    for cut in parts.chain([60_000, 1000, 64]) {
        file.set_len(cut).unwrap();
        let core = CoreFile::open(path, None).unwrap();
        let of_cut = inspect(&core, &Limits::default()).unwrap();
        let notes = of_cut.dump().notes();
        assert!(notes[0].starts_with("the core file is cut: "), "{cut}: {notes:?}");
        let tasks = of_cut.dump().tasks().iter();
        are_tasks_missing |=
            tasks.clone().any(|task| task.incomplete().is_some_and(|it| it.contains("cannot be read")));
        is_nothing_left |= tasks.count() == 0;
    }
    assert!(are_tasks_missing && is_nothing_left);
    for cut in [63, 20, 0] {
        file.set_len(cut).unwrap();
        assert!(matches!(CoreFile::open(path, None), Err(OpenError::CoreFile { .. })), "{cut}");
    }
}

/// A number that depends on nothing but the one before.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 16
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.poll_instructions = 20_000;
    limits.all_instructions = 1_000_000;
    limits.data_bytes = 64 << 20;
    limits
}

#[test]
fn damaged_lists_in_a_core_file_do_harm() {
    let folder = Folder::new("damaged");
    let program = Started::new();
    let Some(path) = gcore(&program, &folder) else { return };
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // The ELF header, and some lists behind it.
    let mut whole = vec![0; 128 * 1024];
    file.read_exact_at(&mut whole, 0).unwrap();
    let mut random = 17;
    let mut opened = 0;
    for round in 0..8_u32 {
        let mut damaged = whole.clone();
        for _ in 0..1 << (round % 12) {
            let at = usize::try_from(next(&mut random)).unwrap() % (damaged.len() / 8) * 8;
            // At first only in the list of segments, and only later in what says that it is a core file of this architecture.
            let at = if round % 2 == 0 { 64 + at % 8192 } else { at.max(24) };
            let word = match next(&mut random) % 4 {
                0 => next(&mut random),
                1 => u64::MAX - next(&mut random) % 4096,
                2 => next(&mut random) % 4096,
                _ => {
                    u64::from_le_bytes(*whole[at..].first_chunk().unwrap()) ^ (1 << (next(&mut random) % 64))
                }
            };
            damaged[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        file.write_all_at(&damaged, 0).unwrap();
        if let Ok(core) = CoreFile::open(&path, None) {
            opened += 1;
            inspect(&core, &limits()).unwrap();
            let mut byte = [0; 16];
            let _ = core.read(u64::MAX - 7, &mut byte);
        }
    }
    assert!(opened > 4, "{opened}");
}

#[test]
fn huge_numbers_in_a_core_file_do_harm() {
    let folder = Folder::new("huge");
    let path = folder.0.join("core");
    let mut header = vec![0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[16] = 4;
    header[18] = 62;
    header[20] = 1;
    header[32..40].copy_from_slice(&64_u64.to_le_bytes());
    header[40..48].copy_from_slice(&0_u64.to_le_bytes());
    header[52] = 64;
    header[54] = 56;
    header[56..58].copy_from_slice(&[0xff, 0xff]);
    // The number of segments comes from what follows, which is all ones.
    let mut file = File::create(&path).unwrap();
    file.write_all(&header).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    // A hole that reads as zeros: segments of no kind.
    file.seek(SeekFrom::Start(1 << 40)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    for (at, value) in [(40, u64::MAX), (40, 64), (40, 1 << 40), (32, u64::MAX), (32, (1 << 40) - 56)] {
        file.write_all_at(&value.to_le_bytes(), at).unwrap();
        if let Ok(core) = CoreFile::open(&path, None) {
            assert!(inspect(&core, &limits()).unwrap().dump().tasks().is_empty());
        }
    }
    for bytes in [&b"\x7fELF\x01\x01\x01"[..], b"\x7fELF\x02\x02\x01", b"not ELF"] {
        file.write_all_at(bytes, 0).unwrap();
        let error = CoreFile::open(&path, None).unwrap_err();
        assert!(matches!(error, OpenError::CoreFile { .. }) && error.help().is_some(), "{error}");
    }
}
