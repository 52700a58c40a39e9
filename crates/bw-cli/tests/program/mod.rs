//! A small program with debug information, and a dump of a task that waits in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSegment, ObjectSymbol};

pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) build_id: String,
    /// The addresses of its segments, and of its function.
    range: std::ops::Range<u64>,
    wait_here: u64,
}

const SOURCE: &str = "
#[inline(never)] fn wait_here() { std::hint::black_box(7); }
fn main() { wait_here() }
";

impl Program {
    /// Compiles it, with these options too.
    pub(crate) fn build(name: &str, options: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (source, file) = (folder.join("program.rs"), folder.join("program"));
        std::fs::write(&source, SOURCE).unwrap();
        let status = Command::new("rustc")
            .args(["--crate-name=program", "--edition=2024", "-g", "-Clink-arg=-Wl,--build-id=sha1"])
            .arg(format!("--remap-path-prefix={}=/src", folder.display()))
            .args(options)
            .arg("-o")
            .args([&file, &source])
            .status();
        assert!(status.expect("rustc runs").success());
        let bytes = std::fs::read(&file).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let segments =
            || object.segments().map(|segment| segment.address()..segment.address() + segment.size());
        let function =
            object.symbols().find(|symbol| symbol.name().is_ok_and(|name| name.contains("wait_here")));
        Self {
            build_id: object.build_id().unwrap().unwrap().iter().map(|byte| format!("{byte:02x}")).collect(),
            range: segments().map(|it| it.start).min().unwrap()..segments().map(|it| it.end).max().unwrap(),
            wait_here: function.unwrap().address(),
            file,
        }
    }

    /// Writes a dump of a process that had loaded it, from that path, and returns where.
    pub(crate) fn dump(&self, name: &str, path: &Path) -> String {
        let bias = 0x5555_0000_0000;
        let dump = serde_json::json!({
            "format": "backtrace-waker raw dump",
            "version": 1,
            "process": { "pid": 7 },
            "taken_at": "2026-09-21T14:13:20Z",
            "took_ns": 0,
            "registered": 1,
            "modules": [{
                "path": path.to_str().unwrap(),
                "build_id": self.build_id,
                "start": format!("{:#x}", bias + self.range.start),
                "end": format!("{:#x}", bias + self.range.end),
                "bias": format!("{bias:#x}"),
            }],
            "places": [{ "file": "src/main.rs", "line": 1, "column": 1 }],
            "stacks": [{ "frames": [[0, format!("{:#x}", self.wait_here + 2)]] }],
            "traces": [{ "stacks": [0] }],
            "tasks": [{ "id": 1, "spawned_at": 0, "polls": 1, "state": "suspended", "trace": 0 }],
        });
        let path = self.file.with_file_name(name);
        std::fs::write(&path, dump.to_string()).unwrap();
        path.into_os_string().into_string().unwrap()
    }
}
